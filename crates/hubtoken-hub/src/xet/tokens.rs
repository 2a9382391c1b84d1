//! `GET …/xet-{read,write}-token/{revision}`: trades an access token for one of Xet's.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName};
use serde_json::json;

use super::access_token::{Grant, Right, TOKEN_LIFETIME};
use super::caller::storage_error;
use crate::api::reject_pull_request;
use crate::auth::authentication::{Caller, token_digest};
use crate::extract::repository::RepositoryRef;
use crate::registry::{AuditAction, AuditContext, Subject};
use crate::response::{ApiResult, header_text, json_response, uncacheable};
use crate::state::HubState;

const CAS_URL: HeaderName = HeaderName::from_static("x-xet-cas-url");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-xet-access-token");
const EXPIRATION: HeaderName = HeaderName::from_static("x-xet-token-expiration");

pub(super) async fn read(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    context: AuditContext,
    headers: HeaderMap,
) -> ApiResult {
    issue(&state, &caller, &target, &headers, Right::Read, &context).await
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
    issue(&state, &caller, &target, &headers, Right::Write, &context).await
}

/// `huggingface_hub` reads the headers of the response, its Rust library and huggingface.js the body.
async fn issue(
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
    let until = state.clock.now() + TOKEN_LIFETIME;
    let key = state.services.seals.key().map_err(storage_error)?;
    let token = grant
        .to_token(&key, &repository, until)
        .map_err(storage_error)?;
    let address = format!(
        "{}/api/xet/{}/{}/{}",
        state.endpoint,
        repository.kind.plural(),
        repository.full_name(),
        repository.id
    );
    let end = until.unix_timestamp();
    let body = json!({ "casUrl": address, "accessToken": token, "exp": end });
    let mut response = uncacheable(json_response(&body)?);
    let headers = response.headers_mut();
    headers.insert(CAS_URL, header_text(&address));
    headers.insert(ACCESS_TOKEN, header_text(&token));
    headers.insert(EXPIRATION, header_text(&end.to_string()));
    let metrics = &state.telemetry.metrics;
    match right {
        Right::Read => metrics.xet_read_tokens.inc(),
        Right::Write => {
            let subject = Subject::repository(repository.page());
            state
                .registry
                .record(AuditAction::RepositoryUpload, subject, context)
                .await?;
            metrics.xet_write_tokens.inc()
        }
    };
    Ok(response)
}
