//! The limit on whoami.

use crate::rate_limit::{RateLimitKey, RateLimitStatus};
use crate::response::ApiError;
use crate::state::HubState;

pub(super) fn limit_whoami(
    state: &HubState,
    key: &RateLimitKey,
    logged_in: bool,
) -> Result<Option<RateLimitStatus>, ApiError> {
    let Some(limiter) = &state.limiters.whoami else {
        return Ok(None);
    };
    let rate_limit = limiter.hit(key.clone(), state.clock.now());
    if rate_limit.exceeded {
        Err(ApiError::rate_limited(rate_limit, logged_in))
    } else {
        Ok(Some(rate_limit))
    }
}
