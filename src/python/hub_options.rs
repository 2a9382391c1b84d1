//! The arguments of `hubtoken.hub.Hub`, and what they mean in Rust.

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::env::ProcessEnvironment;
use crate::http::Settings;
use crate::hub::{InferenceOptions, LogFormat, LogLevel, RateLimit, TlsFiles, Upstream};

/// The files of a certificate.
pub fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> PyResult<Option<TlsFiles>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        _ => Err(PyValueError::new_err(
            "tls_cert and tls_key belong together: give both, or neither",
        )),
    }
}

/// How many requests are answered in a window of some seconds.
pub fn quota(requests: Option<u32>, window_seconds: u32) -> Option<RateLimit> {
    requests.map(|quota| RateLimit {
        quota,
        window_seconds,
    })
}

/// The inference API. Models' servers are believed by the certificates that the client believes.
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

/// How a line of the log looks.
pub fn log_format(text: &str) -> PyResult<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(PyValueError::new_err("log_format is \"text\" or \"json\"")),
    }
}

/// What is logged.
pub fn log_level(text: &str) -> PyResult<LogLevel> {
    match text {
        "off" => Ok(LogLevel::Off),
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        _ => Err(PyValueError::new_err(
            "log_level is \"off\", \"error\", \"warn\" or \"info\"",
        )),
    }
}
