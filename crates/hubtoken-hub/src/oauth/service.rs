//! What the Hub as an OAuth issuer holds while it runs.

use std::path::Path;

use super::keys::Keys;
use super::options::OAuthOptions;
use crate::rate_limit::{RateLimit, RateLimiter};

/// How many device codes one address may request: each is a row that is kept for a while.
const DEVICE_CODES: RateLimit = RateLimit {
    quota: 1000,
    window_seconds: 300,
};

/// The state of the issuer.
#[derive(Debug)]
pub(crate) struct OAuth {
    pub options: OAuthOptions,
    pub keys: Keys,
    pub device_codes: RateLimiter,
}

impl OAuth {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            options: OAuthOptions::default(),
            keys: Keys::new(data),
            device_codes: RateLimiter::new("device-code", DEVICE_CODES),
        }
    }
}
