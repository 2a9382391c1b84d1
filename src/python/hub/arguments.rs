//! Converts the arguments of `hubtoken.hub.Hub` and of its methods to their Rust types.

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use time::{Duration, OffsetDateTime};

use crate::http::Settings;
use crate::hub::{
    Gate, InferenceOptions, LogFormat, LogLevel, OrganizationRole, RateLimit, RepositoryType,
    Scope, TlsFiles, TokenPolicy, TokenRole, Upstream,
};
use crate::python::arguments::Seconds;
use crate::python::environment::PythonEnvironment;
use crate::python::error::to_python;

/// A whole number. One that is beyond 64 bits stays out of every range.
pub fn integer(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    match value.extract() {
        Err(error) if PyErr::is_instance_of::<PyOverflowError>(&error, value.py()) => {
            Ok(if value.lt(0)? { i64::MIN } else { i64::MAX })
        }
        number => number,
    }
}

/// A whole number, or `None`.
pub fn optional_integer(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    (!value.is_none()).then(|| integer(value)).transpose()
}

/// The number as an argument's own type.
pub fn within<T: Bounded>(name: &str, number: i64) -> PyResult<T> {
    up_to(name, number, T::LARGEST)
}

/// The number, if it is not above `largest`.
pub fn up_to<T: TryFrom<i64>>(name: &str, number: i64, largest: u32) -> PyResult<T> {
    T::try_from(number)
        .ok()
        .filter(|_| number <= i64::from(largest))
        .ok_or_else(|| {
            PyValueError::new_err(format!("{name} must be a whole number from 0 to {largest}"))
        })
}

/// A type of whole numbers from 0 on.
pub trait Bounded: TryFrom<i64> {
    /// The largest one.
    const LARGEST: u32;
}

impl Bounded for u16 {
    const LARGEST: u32 = Self::MAX as u32;
}

impl Bounded for u32 {
    const LARGEST: u32 = Self::MAX;
}

/// The certificate and its key.
pub fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> PyResult<Option<TlsFiles>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        _ => Err(PyValueError::new_err(
            "tls_cert and tls_key belong together: pass both, or neither",
        )),
    }
}

/// How many requests are answered per window of the given length.
pub fn quota(
    name: &str,
    requests: Option<i64>,
    window_seconds: i64,
) -> PyResult<Option<RateLimit>> {
    let window_seconds = within(&format!("{name}_window"), window_seconds)?;
    requests
        .map(|requests| {
            Ok(RateLimit {
                quota: within(&format!("{name}_limit"), requests)?,
                window_seconds,
            })
        })
        .transpose()
}

/// The inference API. Inference servers' certificates are verified as the client verifies others.
pub fn inference(
    py: Python<'_>,
    upstreams: Vec<Upstream>,
    limit: Option<RateLimit>,
    timeout_seconds: u32,
) -> PyResult<InferenceOptions> {
    let settings = Settings::read(&PythonEnvironment::current(py)?);
    Ok(InferenceOptions {
        upstreams,
        limit,
        timeout_seconds,
        certificates: settings.certificates().clone(),
    })
}

/// The servers behind the inference API.
pub fn upstreams(
    urls: Option<HashMap<String, String>>,
    keys: Option<HashMap<String, PathBuf>>,
) -> PyResult<Vec<Upstream>> {
    let mut keys = keys.unwrap_or_default();
    let upstreams = urls
        .unwrap_or_default()
        .into_iter()
        .map(|(model, url)| Upstream {
            key_file: keys.remove(&model),
            model,
            url,
        })
        .collect();
    if keys.is_empty() {
        Ok(upstreams)
    } else {
        Err(PyValueError::new_err(
            "upstream_keys names a model that is not in upstreams",
        ))
    }
}

/// Parses the format of the log.
pub fn log_format(text: &str) -> PyResult<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(PyValueError::new_err(
            "log_format must be \"text\" or \"json\"",
        )),
    }
}

/// Parses the log level.
pub fn log_level(text: &str) -> PyResult<LogLevel> {
    match text {
        "off" => Ok(LogLevel::Off),
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        _ => Err(PyValueError::new_err(
            "log_level must be \"off\", \"error\", \"warn\" or \"info\"",
        )),
    }
}

/// Parses a repository type.
pub fn kind(text: &str) -> PyResult<RepositoryType> {
    RepositoryType::from_argument(text).map_err(to_python)
}

/// Parses a gate.
pub fn gate(text: Option<&str>) -> PyResult<Option<Gate>> {
    match text {
        None => Ok(None),
        Some("auto") => Ok(Some(Gate::Auto)),
        Some("manual") => Ok(Some(Gate::Manual)),
        Some(_) => Err(PyValueError::new_err(
            "gated must be \"auto\", \"manual\" or None",
        )),
    }
}

/// Parses a role in an organization.
pub fn organization_role(text: &str) -> PyResult<OrganizationRole> {
    OrganizationRole::parse(text).ok_or_else(|| {
        PyValueError::new_err(format!(
            "a role in an organization must be {}",
            OrganizationRole::choices()
        ))
    })
}

/// Parses an organization's token policy.
pub fn token_policy(text: &str) -> PyResult<TokenPolicy> {
    TokenPolicy::parse(text).ok_or_else(|| {
        PyValueError::new_err(
            "a token policy must be \"allow-all\", \"fine-grained-only\" or \"require-approval\"",
        )
    })
}

/// The permissions of a fine-grained token, as Python passes them.
pub struct Grants {
    /// Permissions by entity.
    pub scopes: Option<HashMap<String, Vec<String>>>,
    /// Permissions that apply everywhere.
    pub global_permissions: Option<Vec<String>>,
    /// Whether it can read public gated repositories.
    pub can_read_gated_repos: bool,
}

/// Parses a token's role.
pub fn token_role(role: &str, grants: Grants) -> PyResult<TokenRole> {
    let fine_grained = grants.scopes.is_some()
        || grants.global_permissions.is_some()
        || grants.can_read_gated_repos;
    match role {
        "read" | "write" if fine_grained => Err(PyValueError::new_err(
            "scopes=, global_permissions= and can_read_gated_repos= are for role=\"fine-grained\"",
        )),
        "read" => Ok(TokenRole::Read),
        "write" => Ok(TokenRole::Write),
        "fine-grained" | "fineGrained" => Ok(TokenRole::FineGrained {
            scopes: grants
                .scopes
                .unwrap_or_default()
                .into_iter()
                .map(|(entity, permissions)| Scope {
                    entity,
                    permissions,
                })
                .collect(),
            global: grants.global_permissions.unwrap_or_default(),
            can_read_gated_repos: grants.can_read_gated_repos,
        }),
        _ => Err(PyValueError::new_err(
            "role must be \"read\", \"write\" or \"fine-grained\"",
        )),
    }
}

/// The time that is `seconds` from now.
pub fn expiry(Seconds(seconds): Seconds) -> PyResult<OffsetDateTime> {
    Duration::checked_seconds_f64(seconds)
        .filter(|duration| duration.is_positive())
        .and_then(|duration| OffsetDateTime::now_utc().checked_add(duration))
        .ok_or_else(|| PyValueError::new_err("expires_in must be a positive number of seconds"))
}
