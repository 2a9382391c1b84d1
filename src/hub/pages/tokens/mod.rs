//! `/settings/tokens`: the access tokens of whoever is signed in.

pub(super) mod change;
pub(super) mod list;
pub(super) mod manage;
pub(super) mod new;
mod picker;
mod wish;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::error::PageError;
use super::view::{Frame, html};
use super::visitor::SignedIn;
use crate::hub::registry::{CreatedToken, GrantedRole, TokenInfo};
use crate::hub::state::HubState;

/// The page that shows a value, this once.
#[derive(Template)]
#[template(path = "token_value.html")]
struct ValuePage<'a> {
    frame: Frame,
    title: &'a str,
    name: &'a str,
    role: &'a str,
    value: &'a str,
}

fn value_page(frame: Frame, title: &str, created: &CreatedToken, status: StatusCode) -> Response {
    let page = ValuePage {
        frame,
        title,
        name: &created.info.name,
        role: role_words(&created.info.role),
        value: created.value.reveal(),
    };
    html(status, &page)
}

/// A token of whoever is signed in, by its id. Other people's tokens are not there.
async fn own_token(
    state: &HubState,
    signed_in: &SignedIn,
    id: &str,
) -> Result<TokenInfo, PageError> {
    let tokens = state.registry.list_tokens(signed_in.user()).await?;
    tokens
        .into_iter()
        .find(|token| token.id == id)
        .ok_or_else(PageError::not_found)
}

fn role_words(role: &GrantedRole) -> &'static str {
    match role {
        GrantedRole::Read => "Read",
        GrantedRole::Write => "Write",
        GrantedRole::FineGrained(_) => "Fine-grained",
    }
}
