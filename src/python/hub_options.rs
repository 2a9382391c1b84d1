//! Converts the arguments of `hubtoken.hub.Hub` to their Rust types.

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::env::ProcessEnvironment;
use crate::http::Settings;
use crate::hub::{InferenceOptions, LogFormat, LogLevel, RateLimit, TlsFiles, Upstream};

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
pub fn quota(requests: Option<u32>, window_seconds: u32) -> Option<RateLimit> {
    requests.map(|quota| RateLimit {
        quota,
        window_seconds,
    })
}

/// The inference API. Inference servers' certificates are verified as the client verifies others.
pub fn inference(
    upstreams: Vec<Upstream>,
    limit: Option<RateLimit>,
    patience_seconds: u32,
) -> InferenceOptions {
    InferenceOptions {
        upstreams,
        limit,
        patience_seconds,
        certificates: Settings::read(&ProcessEnvironment).certificates().clone(),
    }
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
