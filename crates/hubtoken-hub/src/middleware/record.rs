//! What is kept of a request: its count in the metrics, and its line in the log.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use axum::http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::auth::authentication::Caller;
use crate::monitoring::log::LogLevel;
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
    let (level, message) = if status.is_server_error() {
        (LogLevel::Error, "request failed")
    } else if status == StatusCode::MISDIRECTED_REQUEST {
        (LogLevel::Warn, "request for a foreign host")
    } else {
        (LogLevel::Info, "request")
    };
    if !state.telemetry.log.enabled(level) {
        return;
    }
    let principal = info.caller.as_ref().and_then(Caller::principal);
    let cause = error.filter(|_| status.is_server_error());
    state.telemetry.log.write(
        level,
        message,
        &[
            ("method", method_name(&info.method).into()),
            ("route", route.into()),
            ("status", status.as_u16().into()),
            ("duration_ms", milliseconds(took)),
            ("request_id", info.id.to_str().unwrap_or_default().into()),
            ("address", json!(info.peer.map(|peer| peer.to_string()))),
            ("user", json!(principal.map(|known| &known.user.name))),
            ("token", json!(principal.map(|known| &known.token.id))),
            ("cause", json!(cause)),
        ],
    );
}

/// In milliseconds, with three decimal places.
fn milliseconds(duration: Duration) -> Value {
    let microseconds = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    json!(f64::from(microseconds) / 1000.0)
}
