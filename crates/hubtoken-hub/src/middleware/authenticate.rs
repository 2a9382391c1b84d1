//! Who sends a request, and whether it is let through at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::http::StatusCode;

use super::rate_limit::limit_whoami;
use crate::admin;
use crate::auth::authentication::{AdminKey, Caller, address_key, authenticate};
use crate::monitoring::health;
use crate::monitoring::metrics::AuthOutcome;
use crate::response::ApiError;
use crate::server::allowed_hosts::{Listener, is_probe};
use crate::server::peer::Peer;
use crate::state::HubState;

/// Checks whether the request may proceed; returns whether the caller is logged in.
pub(super) async fn authenticate_request(
    state: &Arc<HubState>,
    path: &str,
    request: &mut Request,
) -> Result<bool, ApiError> {
    let listener = request
        .extensions()
        .get::<Peer>()
        .map_or(Listener::Single, |peer| peer.listener);
    if is_probe(request.uri()) {
        return Ok(false);
    }
    state
        .host_policy
        .check(listener, request)
        .inspect_err(|_| {
            state.metrics.foreign_hosts.fetch_add(1, Ordering::Relaxed);
        })?;
    if path == "/metrics" {
        return health::guard(state, listener, request).map(|()| false);
    }
    if path == "/-" || path.starts_with("/-/") {
        let authorized = admin::guard::guard(state, listener, request);
        state.metrics.count_auth(match authorized {
            Ok(()) => AuthOutcome::AdminKey,
            Err(_) => AuthOutcome::AdminKeyRejected,
        });
        authorized?;
        request.extensions_mut().insert(AdminKey);
        return Ok(true);
    }
    let caller = match authenticate(state, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            if error.status() == StatusCode::UNAUTHORIZED {
                state.metrics.count_auth(AuthOutcome::TokenRejected);
            }
            // Invalid tokens count as well, by address, so that guessing is rate-limited too.
            if path == "/api/whoami-v2" {
                limit_whoami(state, &address_key(request.extensions()), false)?;
            }
            return Err(error);
        }
    };
    let logged_in = caller.principal().is_some();
    state.metrics.count_auth(if logged_in {
        AuthOutcome::Token
    } else {
        AuthOutcome::Anonymous
    });
    if path == "/api/whoami-v2" {
        let key = caller.rate_limit_key(request.extensions());
        if let Some(rate_limit) = limit_whoami(state, &key, logged_in)? {
            request.extensions_mut().insert(rate_limit);
        }
    }
    request.extensions_mut().insert::<Caller>(caller);
    Ok(logged_in)
}
