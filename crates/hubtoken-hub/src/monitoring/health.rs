//! The monitoring endpoints: `/healthz`, `/readyz` and `/metrics`.
//!
//! The first two reveal nothing sensitive and answer any client, under any host name. `/metrics` is
//! restricted to the owner: it needs the admin listener or the admin key.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use prometheus_client::encoding::prometheus_text;

use super::metrics::ScrapedValues;
use crate::auth::authentication::{bearer, is_admin_key};
use crate::response::{ApiError, ApiResult};
use crate::server::allowed_hosts::Listener;
use crate::server::peer::Peer;
use crate::state::HubState;

/// With less free disk space than this, a commit may fail.
const MIN_DISK_FREE: u64 = 64 << 20;

pub(crate) fn probe_routes() -> Router<Arc<HubState>> {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
}

pub(crate) fn metrics_routes() -> Router<Arc<HubState>> {
    Router::new().route("/metrics", get(metrics))
}

/// Reports that the process is up.
async fn health() -> Response {
    text(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        "ok\n".to_owned(),
    )
}

/// Reports whether new requests will be served, and if not, why.
async fn ready(State(state): State<Arc<HubState>>) -> Response {
    let mut reasons = Vec::new();
    if state.is_stopping() {
        reasons.push("the Hub is shutting down");
    }
    if state.registry.counts().await.is_err() {
        reasons.push("the database does not answer");
    }
    if state.disk_free().is_some_and(|free| free < MIN_DISK_FREE) {
        reasons.push("the disk is almost full");
    }
    let (status, body) = if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
    };
    text(status, "text/plain; charset=utf-8", body)
}

async fn metrics(State(state): State<Arc<HubState>>) -> ApiResult {
    let counts = state.registry.counts().await?;
    let values = ScrapedValues {
        users: counts.users,
        organizations: counts.organizations,
        tokens: counts.tokens,
        service_accounts: counts.service_accounts,
        repositories: counts.repositories,
        disk_free: state.disk_free(),
        started: state.telemetry.started.unix_timestamp(),
        lost_log_lines: state.telemetry.log.lost(),
        stopping: state.is_stopping(),
    };
    let body = state.telemetry.metrics.encode(&values);
    Ok(text(StatusCode::OK, prometheus_text::CONTENT_TYPE, body))
}

/// Checks whether a request may read the metrics.
pub(crate) fn guard(
    state: &HubState,
    listener: Listener,
    request: &Request,
) -> Result<(), ApiError> {
    let headers = request.headers();
    if bearer(headers).is_some_and(|key| is_admin_key(state, &key)) {
        return Ok(());
    }
    let peer = request.extensions().get::<Peer>();
    let is_local = peer.is_none_or(|peer| peer.address.to_canonical().is_loopback());
    if is_local
        && state
            .listeners
            .host_policy
            .allows_administration(listener, headers)
        && !has_origin(headers)
    {
        return Ok(());
    }
    Err(ApiError::page_not_found())
}

/// Web pages may not read the metrics.
fn has_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(axum::http::header::ORIGIN)
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
