//! The state of the inference API while the Hub runs.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::options::InferenceOptions;
use super::upstream::Upstreams;
use super::usage::Usage;
use crate::error::HubError;
use crate::rate_limit::RateLimiter;

/// The inference state of one Hub.
#[derive(Debug)]
pub(crate) struct Inference {
    pub(super) upstreams: Upstreams,
    pub(super) limiter: Option<RateLimiter>,
    /// How long an upstream may send nothing.
    pub(super) upstream_timeout: Duration,
    /// How many bytes of bodies are buffered until they name their model.
    pub(super) buffered_bytes: AtomicUsize,
    pub(crate) usage: Arc<Usage>,
}

impl Inference {
    pub(crate) fn new(options: &InferenceOptions) -> Result<Self, HubError> {
        options.check()?;
        Ok(Self {
            upstreams: Upstreams::load(options)?,
            limiter: options
                .limit
                .map(|limit| RateLimiter::new("inference", limit)),
            upstream_timeout: Duration::from_secs(options.timeout_seconds.into()),
            buffered_bytes: AtomicUsize::new(0),
            usage: Arc::default(),
        })
    }
}
