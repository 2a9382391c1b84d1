//! The operator's configuration of inference.

use std::path::PathBuf;

use crate::error::HubError;
use crate::rate_limit::RateLimit;
use hubtoken_core::http::Certificates;

/// A model server: vLLM, TGI, llama.cpp, or anything with a compatible API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The model, such as `alice/tiny`, or `*` for every model without an upstream of its own.
    pub model: String,
    /// The server, such as `http://127.0.0.1:8000`. A trailing `/v1` makes no difference.
    pub url: String,
    /// The file that contains the server's key, which is sent as a bearer token. It must not be
    /// readable by users other than its owner and group.
    pub key_file: Option<PathBuf>,
}

/// The options of the inference API. By default, there are no upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferenceOptions {
    /// The servers, at most one per model.
    pub upstreams: Vec<Upstream>,
    /// How many requests a token may make per window. No limit by default.
    pub limit: Option<RateLimit>,
    /// How long an upstream may send nothing, before or during its response.
    pub timeout_seconds: u32,
    /// The certificates to trust for https upstreams.
    pub certificates: Certificates,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            limit: None,
            timeout_seconds: 300,
            certificates: Certificates::default(),
        }
    }
}

impl InferenceOptions {
    pub(super) fn check(&self) -> Result<(), HubError> {
        if self.timeout_seconds == 0 {
            return Err(invalid(
                "the time-out of upstreams",
                "it must be at least 1 second",
            ));
        }
        match self.limit {
            Some(limit) if limit.quota == 0 || limit.window_seconds == 0 => Err(invalid(
                "the inference limit",
                "quota and window must be at least 1",
            )),
            _ => Ok(()),
        }
    }
}

pub(super) fn invalid(what: &str, reason: &str) -> HubError {
    HubError::InvalidOption {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}
