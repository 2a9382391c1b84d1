//! Maps core errors to the classes of `python/hubtoken/errors.py`.
//!
//! The exception classes are defined in Python, where they are easy to read and to document, and
//! are imported on first use: twenty classes cost half as much as the whole extension. One function
//! maps the Rust error type to them, without a catch-all arm.

use std::sync::Arc;

use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;

use super::printable::shown;
use super::trace::PyTrace;
use crate::error::{DenialKind, Error, ResponseDetails, UnknownKind};

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
    import_exception!(hubtoken.errors, LoginError);
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
    InsufficientRoleError, InvalidTokenError, LoginError, OfflineError, OrganizationPolicyError,
    RateLimitedError, RepositoryDisabledError, RepositoryNotFoundError, StoreError,
    TokenFormatError, TokenNotFoundError, UntrustedEndpointError, VerdictUnknownError,
};

/// The exception for a core error.
pub fn to_python(error: Error) -> PyErr {
    let response = error.response();
    if response == ResponseDetails::default() {
        return raised(error);
    }
    with_attributes(raised(error), |value| {
        value.setattr("request_id", response.request_id())?;
        value.setattr("server_message", response.server_message())
    })
}

fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        // No source was asked for a stored token that does not exist.
        Error::TokenNotFound { message, trace } if trace.steps.is_empty() => {
            TokenNotFoundError::new_err(message)
        }
        Error::TokenNotFound { message, trace } => {
            with_attributes(TokenNotFoundError::new_err(message), |value| {
                value.setattr("trace", PyTrace(Arc::unwrap_or_clone(trace)))
            })
        }
        Error::TokenFormat(message) => TokenFormatError::new_err(message),
        Error::InvalidToken { source_name, .. } => {
            with_attributes(InvalidTokenError::new_err(text), |value| {
                value.setattr("source", source_name)
            })
        }
        Error::AccessDenied { kind, denial, .. } => {
            let error = match kind {
                DenialKind::Other => AccessDeniedError::new_err(text),
                DenialKind::InsufficientRole => InsufficientRoleError::new_err(text),
                DenialKind::Gated => GatedRepoError::new_err(text),
                DenialKind::OrganizationPolicy => OrganizationPolicyError::new_err(text),
                DenialKind::Disabled => RepositoryDisabledError::new_err(text),
            };
            with_attributes(error, |value| {
                value.setattr("required", denial.required)?;
                value.setattr("actual", denial.actual)?;
                value.setattr("target", denial.target)?;
                value.setattr("remedy_url", denial.remedy_url)
            })
        }
        Error::RepositoryNotFound { .. } => RepositoryNotFoundError::new_err(text),
        Error::Unknown { kind, .. } => match kind {
            UnknownKind::Other => VerdictUnknownError::new_err(text),
            UnknownKind::Unreachable => HubUnreachableError::new_err(text),
            UnknownKind::RateLimited { retry_after } => {
                with_attributes(RateLimitedError::new_err(text), |value| {
                    value.setattr("retry_after", retry_after)
                })
            }
            UnknownKind::Offline => OfflineError::new_err(text),
        },
        Error::Login { code, .. } => with_attributes(LoginError::new_err(text), |value| {
            value.setattr("error_code", code)
        }),
        Error::UntrustedEndpoint(message) => UntrustedEndpointError::new_err(message),
        Error::Store(message) | Error::NameTaken(message) => StoreError::new_err(message),
        Error::Configuration(message) => ConfigurationError::new_err(message),
        Error::InvalidArgument(message) => {
            PyValueError::new_err(Python::attach(|py| shown(py, message)))
        }
        Error::Hub { .. } => HubError::new_err(text),
        Error::Interrupted => PyKeyboardInterrupt::new_err(()),
    }
}

fn with_attributes(error: PyErr, set: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<()>) -> PyErr {
    Python::attach(|py| match set(error.value(py)) {
        Ok(()) => error,
        Err(failed) => failed,
    })
}
