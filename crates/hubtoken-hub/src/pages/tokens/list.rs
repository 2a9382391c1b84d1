//! The list of tokens.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;

use super::role_label;
use crate::pages::display_time::{DisplayTime, day, minute};
use crate::pages::error::PageResult;
use crate::pages::view::{Frame, html};
use crate::pages::visitor::SignedIn;
use crate::registry::TokenInfo;
use crate::state::HubState;

/// Tokens per page; a user may have ten thousand.
const PAGE_SIZE: usize = 100;

#[derive(Deserialize)]
pub(in crate::pages) struct PageQuery {
    #[serde(default)]
    page: String,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    count: usize,
    page: usize,
    pages: usize,
}

pub(super) struct Row {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    pub last4: String,
    pub created: DisplayTime,
    pub last_used: Option<DisplayTime>,
    pub expires: Option<DisplayTime>,
    pub is_expired: bool,
}

impl Row {
    pub(super) fn new(token: &TokenInfo, now: OffsetDateTime) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            role: role_label(&token.role),
            last4: token.last4.clone(),
            created: day(token.created_at),
            last_used: token.last_used_at.map(minute),
            expires: token.expires_at.map(minute),
            is_expired: token.expires_at.is_some_and(|expiry| expiry <= now),
        }
    }
}

pub(in crate::pages) async fn list(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Query(query): Query<PageQuery>,
) -> PageResult {
    let tokens = state.registry.list_tokens(signed_in.user()).await?;
    let now = state.clock.now();
    let pages = tokens.len().div_ceil(PAGE_SIZE).max(1);
    let page = query.page.parse().unwrap_or(1).clamp(1, pages);
    // Newest first: that is usually the one users look for.
    let rows = tokens
        .iter()
        .rev()
        .skip((page - 1) * PAGE_SIZE)
        .take(PAGE_SIZE)
        .map(|token| Row::new(token, now))
        .collect();
    let page = ListPage {
        frame: signed_in.frame(&state, "tokens").await?,
        rows,
        count: tokens.len(),
        page,
        pages,
    };
    Ok(html(StatusCode::OK, &page))
}
