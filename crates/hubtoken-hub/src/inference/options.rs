//! Where inference is done, as the operator says it.

use std::path::PathBuf;

use crate::error::HubError;
use crate::rate_limit::RateLimit;
use hubtoken_core::http::Certificates;

/// A server that answers for a model: vLLM, TGI, llama.cpp, or anything that speaks like them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The model, such as `alice/tiny`; `*` for every model that has no upstream of its own.
    pub model: String,
    /// The server, such as `http://127.0.0.1:8000`. `/v1` at its end makes no difference.
    pub url: String,
    /// The file of the key that the server wants as a bearer token. Nobody but owner and group may read it.
    pub key_file: Option<PathBuf>,
}

/// What the inference API can be told. The default has no upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferenceOptions {
    /// The servers, one a model.
    pub upstreams: Vec<Upstream>,
    /// How many requests a token may make in a window; no limit by default.
    pub limit: Option<RateLimit>,
    /// How long an upstream may say nothing, before its answer and in the middle of it.
    pub patience_seconds: u32,
    /// The certificates that upstreams on https are trusted by.
    pub certificates: Certificates,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            limit: None,
            patience_seconds: 300,
            certificates: Certificates::default(),
        }
    }
}

impl InferenceOptions {
    pub(super) fn check(&self) -> Result<(), HubError> {
        if self.patience_seconds == 0 {
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
