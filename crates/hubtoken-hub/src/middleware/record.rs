//! What is kept of a request: its count in the metrics, and its line in the log.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use axum::http::{HeaderValue, Method, StatusCode};
use tracing::Level;

use crate::auth::authentication::Caller;
use crate::monitoring::metrics::{UNKNOWN, method_name};
use crate::state::HubState;

/// What is known about a request when its response is ready.
pub(super) struct RequestInfo {
    pub(super) started: Instant,
    pub(super) method: Method,
    pub(super) route: Option<MatchedPath>,
    pub(super) caller: Option<Caller>,
    pub(super) peer: Option<IpAddr>,
    pub(super) id: HeaderValue,
}

/// Counts the response and logs it: without path, query and headers, any of which may contain a
/// token.
pub(super) fn record(
    state: &HubState,
    info: &RequestInfo,
    status: StatusCode,
    error: Option<&str>,
) {
    let took = info.started.elapsed();
    let route = info.route.as_ref().map_or(UNKNOWN, MatchedPath::as_str);
    state
        .telemetry
        .metrics
        .count_response(route, &info.method, status, took);
    if status == StatusCode::TOO_MANY_REQUESTS {
        state.telemetry.metrics.rate_limited.inc();
    }
    let level = if status.is_server_error() {
        Level::ERROR
    } else if status == StatusCode::MISDIRECTED_REQUEST {
        Level::WARN
    } else {
        Level::INFO
    };
    if !state.telemetry.log.enabled(level) {
        return;
    }
    let principal = info.caller.as_ref().and_then(Caller::principal);
    let cause = error.filter(|_| status.is_server_error());
    // An event's level and message are constants.
    macro_rules! event {
        ($level:ident, $message:literal) => {
            tracing::event!(
                Level::$level,
                method = method_name(&info.method),
                route,
                status = status.as_u16(),
                duration_ms = milliseconds(took),
                request_id = info.id.to_str().unwrap_or_default(),
                address = info.peer.map(tracing::field::display),
                user = principal.map(|known| known.owner.name()),
                token = principal.map(|known| known.token.id.as_str()),
                cause,
                $message
            )
        };
    }
    state.telemetry.log.record(|| match level {
        Level::ERROR => event!(ERROR, "request failed"),
        Level::WARN => event!(WARN, "request for a foreign host"),
        _ => event!(INFO, "request"),
    });
}

/// In milliseconds, with three decimal places.
fn milliseconds(duration: Duration) -> f64 {
    let microseconds = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    f64::from(microseconds) / 1000.0
}
