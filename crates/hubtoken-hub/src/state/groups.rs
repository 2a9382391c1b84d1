//! The parts of the state that belong together.

use time::OffsetDateTime;

use crate::blocking::{ConcurrencyLimit, MAX_UPLOADS, MAX_VERIFICATIONS};
use crate::git::service::Git;
use crate::inference::service::Inference;
use crate::middleware::request_id::RequestIds;
use crate::monitoring::log::Log;
use crate::monitoring::metrics::Metrics;
use crate::monitoring::request_counter::RequestCounter;
use crate::oauth::service::OAuth;
use crate::pages::attempt_limiter::AttemptLimiter;
use crate::pages::sign_in_limiter::{SignInLimiter, SignInPolicy};
use crate::rate_limit::{RateLimit, RateLimiter};
use crate::seal::Seals;
use crate::server::allowed_hosts::HostPolicy;

/// How many wrong codes a user, and an address, may send in one window. A guess among 2^34 codes is
/// hopeless at this rate, however many codes are waiting.
const USER_CODES_PER_USER: u32 = 10;
const USER_CODES_PER_ADDRESS: u32 = 50;
const USER_CODE_WINDOW_SECONDS: u32 = 900;

/// What the routes for single clients need beside the registry and the repositories.
#[derive(Debug)]
pub(crate) struct Services {
    pub git: Git,
    /// The key of links and of Xet's tokens.
    pub seals: Seals,
    pub inference: Inference,
    pub oauth: OAuth,
}

/// Which requests are for this Hub, and where they come from.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub host_policy: HostPolicy,
    /// Whether a proxy on this machine is trusted to name the client's address.
    pub behind_proxy: bool,
}

/// What the operator learns about the Hub.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub log: Log,
    pub metrics: Metrics,
    pub request_counter: RequestCounter,
    pub request_ids: RequestIds,
    pub started: OffsetDateTime,
}

impl Telemetry {
    /// Without a log.
    pub(super) fn new(started: OffsetDateTime) -> Self {
        Self {
            log: Log::disabled(),
            metrics: Metrics::default(),
            request_counter: RequestCounter::default(),
            request_ids: RequestIds::new(),
            started,
        }
    }
}

/// Limits on how often, and on how many at once.
#[derive(Debug)]
pub(crate) struct Limiters {
    pub whoami: Option<RateLimiter>,
    pub sign_in: SignInLimiter,
    /// Wrong codes on the page that logs programs in.
    pub user_codes: AttemptLimiter,
    /// The commits being received.
    pub commits: ConcurrencyLimit,
    /// The uploads by Xet whose content is being hashed.
    pub verifications: ConcurrencyLimit,
}

impl Limiters {
    pub(super) fn new(whoami: Option<RateLimit>) -> Self {
        Self {
            whoami: whoami.map(|limit| RateLimiter::new("whoami", limit)),
            sign_in: SignInLimiter::new(SignInPolicy::default()),
            user_codes: AttemptLimiter::new(
                "user-code",
                USER_CODES_PER_USER,
                USER_CODES_PER_ADDRESS,
                USER_CODE_WINDOW_SECONDS,
            ),
            commits: ConcurrencyLimit::new(MAX_UPLOADS, "Too many uploads are in progress"),
            verifications: ConcurrencyLimit::new(
                MAX_VERIFICATIONS,
                "Too many uploads are being verified",
            ),
        }
    }
}
