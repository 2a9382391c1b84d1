//! Who sends a request, and whether it is let through at all.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;

use super::rate_limit::limit_whoami;
use crate::admin;
use crate::auth::authentication::{AdminKey, Caller, address_key, authenticate};
use crate::monitoring::health;
use crate::monitoring::metrics::AuthOutcome;
use crate::response::ApiError;
use crate::route_family::Guard;
use crate::server::allowed_hosts::Listener;
use crate::server::peer::Peer;
use crate::state::HubState;

/// Checks whether the request may proceed; returns whether the caller is logged in.
pub(super) async fn authenticate_request(
    state: &Arc<HubState>,
    guard: Guard,
    request: &mut Request,
) -> Result<bool, ApiError> {
    if guard == Guard::Probe {
        return Ok(false);
    }
    let listener = request
        .extensions()
        .get::<Peer>()
        .map_or(Listener::Single, |peer| peer.listener);
    state
        .listeners
        .host_policy
        .check(listener, request)
        .inspect_err(|_| {
            state.telemetry.metrics.foreign_hosts.inc();
        })?;
    match guard {
        Guard::Probe => Ok(false),
        Guard::Metrics => health::guard(state, listener, request).map(|()| false),
        Guard::AdminKey => check_admin_key(state, listener, request).map(|()| true),
        Guard::Open => {
            request
                .extensions_mut()
                .insert::<Caller>(Caller::anonymous());
            Ok(false)
        }
        Guard::Token => check_token(state, request, false).await,
        Guard::CountedToken => check_token(state, request, true).await,
    }
}

fn check_admin_key(
    state: &HubState,
    listener: Listener,
    request: &mut Request,
) -> Result<(), ApiError> {
    let authorized = admin::guard::guard(state, listener, request);
    state.telemetry.metrics.count_auth(match authorized {
        Ok(()) => AuthOutcome::AdminKey,
        Err(_) => AuthOutcome::AdminKeyRejected,
    });
    authorized?;
    request.extensions_mut().insert(AdminKey);
    Ok(())
}

async fn check_token(
    state: &Arc<HubState>,
    request: &mut Request,
    is_counted: bool,
) -> Result<bool, ApiError> {
    let caller = match authenticate(state, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            if error.status() == StatusCode::UNAUTHORIZED {
                state
                    .telemetry
                    .metrics
                    .count_auth(AuthOutcome::TokenRejected);
            }
            // Invalid tokens count as well, by address, so that guessing is rate-limited too.
            if is_counted {
                limit_whoami(state, &address_key(request.extensions()), false)?;
            }
            return Err(error);
        }
    };
    let logged_in = caller.principal().is_some();
    state.telemetry.metrics.count_auth(if logged_in {
        AuthOutcome::Token
    } else {
        AuthOutcome::Anonymous
    });
    if is_counted {
        let key = caller.rate_limit_key(request.extensions());
        if let Some(rate_limit) = limit_whoami(state, &key, logged_in)? {
            request.extensions_mut().insert(rate_limit);
        }
    }
    request.extensions_mut().insert::<Caller>(caller);
    Ok(logged_in)
}
