//! `audit`: reads the audit log.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::iso;
use crate::registry::{AUDIT_ENTRIES, AuditEntry, AuditFilter};
use crate::response::{ApiError, ApiResult, json_response};
use crate::state::HubState;

/// The default number of entries in a response.
const DEFAULT_ENTRIES: u32 = 100;

pub(super) async fn list(
    State(state): State<Arc<HubState>>,
    RawQuery(query): RawQuery,
) -> ApiResult {
    let filter = filter(&query.unwrap_or_default())?;
    let entries = state.registry.audit(&filter).await?;
    // If the page is full, there may be another one.
    let is_full = u32::try_from(entries.len()).is_ok_and(|count| Some(count) == filter.limit);
    let next = entries.last().filter(|_| is_full).map(|last| last.id);
    json_response(&json!({
        "entries": entries.iter().map(entry).collect::<Vec<_>>(),
        "next": next,
    }))
}

fn filter(query: &str) -> Result<AuditFilter, ApiError> {
    let mut filter = AuditFilter {
        limit: Some(DEFAULT_ENTRIES),
        ..AuditFilter::default()
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match name.as_ref() {
            "user" => filter.user = Some(value),
            "organization" => filter.organization = Some(value),
            "act" => filter.act = Some(value),
            "since" => {
                filter.since = Some(OffsetDateTime::parse(&value, &Rfc3339).map_err(|_| {
                    ApiError::bad_request(
                        "`since` must be a time such as \"2030-01-02T03:04:05.000Z\"",
                    )
                })?);
            }
            "before" => {
                filter.before =
                    Some(value.parse().map_err(|_| {
                        ApiError::bad_request("`before` must be the id of an entry")
                    })?);
            }
            "limit" => {
                let limit = value.parse().ok();
                filter.limit = limit.filter(|limit| (1..=AUDIT_ENTRIES).contains(limit));
                if filter.limit.is_none() {
                    return Err(ApiError::bad_request(format!(
                        "`limit` must be a number from 1 to {AUDIT_ENTRIES}"
                    )));
                }
            }
            _ => {
                return Err(ApiError::bad_request(
                    "entries can be filtered by `user`, `organization`, `act`, `since`, `before` and `limit`",
                ));
            }
        }
    }
    Ok(filter)
}

fn entry(entry: &AuditEntry) -> Value {
    let subject = &entry.subject;
    json!({
        "id": entry.id,
        "at": iso(entry.at),
        "act": entry.act.as_str(),
        "actor": entry.actor,
        "actorName": entry.actor_name,
        "actorToken": entry.actor_token,
        "address": entry.address,
        "user": subject.user,
        "organization": subject.organization,
        "tokenId": subject.token_id,
        "tokenName": subject.token_name,
        "last4": subject.token_last4,
        "repository": subject.repository,
        "detail": subject.detail,
    })
}
