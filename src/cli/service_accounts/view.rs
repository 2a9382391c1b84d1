//! Service accounts and their tokens as JSON and as text.
//!
//! The JSON fields have the names of the Python attributes. A text that somebody wrote on the Hub may hold
//! a token, which is masked.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cli::identity::{date, timestamp};
use crate::cli::layout::Layout;
use crate::manage::{AccountToken, ServiceAccount};
use crate::sanitize::redacted;
use crate::token::ELLIPSIS;

/// An account; its tokens are `null` in a list of accounts, which has none.
pub fn account_json(account: &ServiceAccount) -> Value {
    let tokens = account.tokens.as_ref();
    json!({
        "id": account.id,
        "user": account.user,
        "name": redacted(&account.name),
        "description": account.description.as_deref().map(redacted),
        "created_at": account.created_at.and_then(timestamp),
        "tokens": tokens.map(|tokens| tokens.iter().map(token_json).collect::<Vec<_>>()),
    })
}

/// A token, without its value.
pub fn token_json(token: &AccountToken) -> Value {
    json!({
        "id": token.id,
        "name": redacted(&token.name),
        "created_at": token.created_at.and_then(timestamp),
        "last_used_at": token.last_used_at.and_then(timestamp),
        "expires_at": token.expires_at.and_then(timestamp),
        "permissions": token.permissions,
        "repo_ids": token.repo_ids,
        "repo_permissions": token.repo_permissions,
        "endpoint_patterns": token.endpoint_patterns,
        "last4": token.last4,
        "skip_network_security": token.skip_network_security,
    })
}

/// The accounts of an organization.
pub fn table(page: &mut Layout, accounts: &[ServiceAccount]) {
    let titles = ["name", "user", "created", "id"].map(str::to_owned);
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            vec![
                redacted(&account.name),
                account.user.clone(),
                moment(account.created_at),
                account.id.clone(),
            ]
        })
        .collect();
    page.table(&titles, &rows);
}

/// An account and its tokens.
pub fn account_page(page: &mut Layout, account: &ServiceAccount) {
    page.strong_row("name", &redacted(&account.name));
    page.row("user", &account.user);
    page.row("id", &account.id);
    if let Some(description) = &account.description {
        page.row("description", &redacted(description));
    }
    page.row("created", &moment(account.created_at));
    let tokens = account.tokens.as_deref().unwrap_or_default();
    if tokens.is_empty() {
        page.row("tokens", "none");
    }
    for token in tokens {
        page.paragraph("");
        token_rows(page, token);
    }
}

/// A token and what it may do.
pub fn token_rows(page: &mut Layout, token: &AccountToken) {
    let mask = token.last4.as_deref();
    let mask = mask.map_or_else(String::new, |last4| format!("  {ELLIPSIS}{last4}"));
    page.strong_row("token", &format!("{}{mask}", redacted(&token.name)));
    page.row("id", &token.id);
    page.row("may", &listed(&token.permissions));
    if !token.repo_ids.is_empty() {
        page.row("on", &listed(&token.repo_ids));
        page.row("may instead", &listed(&token.repo_permissions));
    }
    if !token.endpoint_patterns.is_empty() {
        page.row("endpoints", &listed(&token.endpoint_patterns));
    }
    if token.skip_network_security {
        page.row("network", "exempt from the organization's network security");
    }
    if token.created_at.is_some() {
        page.row("created", &moment(token.created_at));
    }
    let last_used = token.last_used_at.map_or_else(|| "never".to_owned(), date);
    page.row("last used", &last_used);
    let expires = token.expires_at.map_or_else(|| "never".to_owned(), date);
    page.row("expires", &expires);
}

fn listed(items: &[String]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}

fn moment(moment: Option<OffsetDateTime>) -> String {
    moment.map_or_else(|| "-".to_owned(), date)
}
