//! What the Hub as an OAuth issuer holds while it runs.

use std::path::Path;

use super::keys::Keys;
use super::options::OAuthOptions;
use crate::rate_limit::{RateLimit, RateLimiter};

/// How often one user may type a user code. A code has more than 34 bits and ends after minutes, so
/// guessing one is hopeless long before this.
const GUESSES: RateLimit = RateLimit {
    quota: 20,
    window_seconds: 300,
};
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
    pub guesses: RateLimiter,
    pub device_codes: RateLimiter,
}

impl OAuth {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            options: OAuthOptions::default(),
            keys: Keys::new(data),
            guesses: RateLimiter::new("user-code", GUESSES),
            device_codes: RateLimiter::new("device-code", DEVICE_CODES),
        }
    }
}
