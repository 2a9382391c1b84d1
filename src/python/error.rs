//! Maps core errors to the classes of `python/hubtoken/errors.py`.
//!
//! The exception classes are defined in Python, where they are easy to read and to document, and
//! are imported on first use: twenty classes cost half as much as the whole extension. One function
//! maps the Rust error type to them, without a catch-all arm.

use std::sync::Arc;

use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;

use super::trace::PyTrace;
use crate::error::{DenialKind, Error, UnknownKind};

/// The classes, defined in Python so that they can have attributes and several bases.
#[allow(missing_docs, reason = "documented where they are defined")]
pub mod classes {
    use pyo3::import_exception;

    import_exception!(hubtoken.errors, AccessDeniedError);
    import_exception!(hubtoken.errors, ConfigurationError);
    import_exception!(hubtoken.errors, GatedRepoError);
    import_exception!(hubtoken.errors, HubError);
    import_exception!(hubtoken.errors, HubTokenWarning);
    import_exception!(hubtoken.errors, HubUnreachableError);
    import_exception!(hubtoken.errors, InsufficientRoleError);
    import_exception!(hubtoken.errors, InvalidTokenError);
    import_exception!(hubtoken.errors, OfflineError);
    import_exception!(hubtoken.errors, OrganizationPolicyError);
    import_exception!(hubtoken.errors, RateLimitedError);
    import_exception!(hubtoken.errors, RepositoryDisabledError);
    import_exception!(hubtoken.errors, RepositoryNotFoundError);
    import_exception!(hubtoken.errors, StaleIdentityWarning);
    import_exception!(hubtoken.errors, StoreError);
    import_exception!(hubtoken.errors, TokenFormatError);
    import_exception!(hubtoken.errors, TokenNotFoundError);
    import_exception!(hubtoken.errors, UntrustedEndpointError);
    import_exception!(hubtoken.errors, VerdictUnknownError);
}
use classes::{
    AccessDeniedError, ConfigurationError, GatedRepoError, HubError, HubUnreachableError,
    InsufficientRoleError, InvalidTokenError, OfflineError, OrganizationPolicyError,
    RateLimitedError, RepositoryDisabledError, RepositoryNotFoundError, StoreError,
    TokenFormatError, TokenNotFoundError, UntrustedEndpointError, VerdictUnknownError,
};

/// The exception for a core error.
pub fn to_python(error: Error) -> PyErr {
    match error {
        Error::TokenNotFound { message, trace } => {
            with_attributes(TokenNotFoundError::new_err(message), |value| {
                value.setattr("trace", PyTrace(Arc::unwrap_or_clone(trace)))
            })
        }
        Error::TokenFormat(message) => TokenFormatError::new_err(message),
        Error::InvalidToken {
            message,
            source_name,
        } => with_attributes(InvalidTokenError::new_err(message), |value| {
            value.setattr("source", source_name)
        }),
        Error::AccessDenied {
            message,
            kind,
            denial,
        } => {
            let error = match kind {
                DenialKind::Other => AccessDeniedError::new_err(message),
                DenialKind::InsufficientRole => InsufficientRoleError::new_err(message),
                DenialKind::Gated => GatedRepoError::new_err(message),
                DenialKind::OrganizationPolicy => OrganizationPolicyError::new_err(message),
                DenialKind::Disabled => RepositoryDisabledError::new_err(message),
            };
            with_attributes(error, |value| {
                value.setattr("required", denial.required)?;
                value.setattr("actual", denial.actual)?;
                value.setattr("target", denial.target)?;
                value.setattr("remedy_url", denial.remedy_url)
            })
        }
        Error::RepositoryNotFound { message, .. } => RepositoryNotFoundError::new_err(message),
        Error::Unknown { message, kind } => match kind {
            UnknownKind::Other => VerdictUnknownError::new_err(message),
            UnknownKind::Unreachable => HubUnreachableError::new_err(message),
            UnknownKind::RateLimited { retry_after } => {
                with_attributes(RateLimitedError::new_err(message), |value| {
                    value.setattr("retry_after", retry_after)
                })
            }
            UnknownKind::Offline => OfflineError::new_err(message),
        },
        Error::UntrustedEndpoint(message) => UntrustedEndpointError::new_err(message),
        Error::Store(message) => StoreError::new_err(message),
        Error::Configuration(message) => ConfigurationError::new_err(message),
        Error::InvalidArgument(message) => PyValueError::new_err(message),
        Error::Hub(message) => HubError::new_err(message),
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
    }
}

fn with_attributes(error: PyErr, set: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<()>) -> PyErr {
    Python::attach(|py| match set(error.value(py)) {
        Ok(()) => error,
        Err(failed) => failed,
    })
}
