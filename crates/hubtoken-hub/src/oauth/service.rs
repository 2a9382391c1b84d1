//! What the Hub as an OAuth issuer holds while it runs.

use std::path::Path;

use super::issuer_keys::IssuerKeys;
use super::keys::Keys;
use super::options::OAuthOptions;
use crate::rate_limit::{RateLimit, RateLimiter};
use hubtoken_core::http::Certificates;

/// How many device codes one address may request: each is a row that is kept for a while.
const DEVICE_CODES: RateLimit = RateLimit {
    quota: 1000,
    window_seconds: 300,
};

/// How many id tokens one address may try to exchange. One is verified in a fraction of a
/// millisecond, and what is verified and refused is a line in the audit log.
const EXCHANGES: RateLimit = RateLimit {
    quota: 1000,
    window_seconds: 300,
};

/// The state of the issuer.
#[derive(Debug)]
pub(crate) struct OAuth {
    pub options: OAuthOptions,
    pub keys: Keys,
    pub issuers: IssuerKeys,
    pub device_codes: RateLimiter,
    pub exchanges: RateLimiter,
}

impl OAuth {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            options: OAuthOptions::default(),
            keys: Keys::new(data),
            issuers: IssuerKeys::new(Certificates::default()),
            device_codes: RateLimiter::new("device-code", DEVICE_CODES),
            exchanges: RateLimiter::new("id-token", EXCHANGES),
        }
    }
}
