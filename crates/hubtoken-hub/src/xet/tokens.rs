//! `GET …/xet-{read,write}-token/{revision}`: trades an access token for one of Xet's.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde_json::json;

use super::access_token::{Grant, Right};
use super::issue::{ACCESS_TOKEN, CAS_URL, EXPIRATION, IssuedToken, issue};
use crate::api::reject_pull_request;
use crate::auth::authentication::{Caller, token_digest};
use crate::extract::repository::RepositoryRef;
use crate::registry::AuditContext;
use crate::response::{ApiResult, header_text, json_response, uncacheable};
use crate::state::HubState;

pub(super) async fn read(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    context: AuditContext,
    headers: HeaderMap,
) -> ApiResult {
    respond(&state, &caller, &target, &headers, Right::Read, &context).await
}

pub(super) async fn write(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    context: AuditContext,
    headers: HeaderMap,
) -> ApiResult {
    reject_pull_request(&state, &caller, &target, query).await?;
    respond(&state, &caller, &target, &headers, Right::Write, &context).await
}

/// `huggingface_hub` reads the headers of the response, its Rust library and huggingface.js the body.
async fn respond(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
    headers: &HeaderMap,
    right: Right,
    context: &AuditContext,
) -> ApiResult {
    let repository = target.open(state, caller, right.action()).await?;
    let grant = Grant {
        right,
        token: caller.principal().and_then(|_| token_digest(headers)),
    };
    let issued = issue(state, &repository, grant, context).await?;
    let IssuedToken {
        address,
        token,
        end,
    } = issued;
    let body = json!({ "casUrl": address, "accessToken": token, "exp": end });
    let mut response = uncacheable(json_response(&body)?);
    let headers = response.headers_mut();
    headers.insert(CAS_URL, header_text(&address));
    headers.insert(ACCESS_TOKEN, header_text(&token));
    headers.insert(EXPIRATION, header_text(&end.to_string()));
    Ok(response)
}
