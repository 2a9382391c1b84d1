//! `/settings/tokens`: the access tokens of the signed-in user.

pub(super) mod change;
mod form;
pub(super) mod list;
pub(super) mod manage;
pub(super) mod new;
mod picker;

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use self::form::TokenForm;
use super::error::{PageError, PageResult};
use super::view::{Frame, html, see_other};
use super::visitor::SignedIn;
use crate::error::HubError;
use crate::registry::{AuditContext, CreatedToken, GrantedRole, TokenInfo};
use crate::state::HubState;

/// The page that shows a value once.
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
        role: role_label(&created.info.role),
        value: created.value.reveal(),
    };
    html(status, &page)
}

/// A token of the signed-in user, addressed by its id, with everything its pages need.
#[derive(Debug)]
pub(super) struct ManagedToken {
    state: Arc<HubState>,
    signed_in: SignedIn,
    token: TokenInfo,
}

impl FromRequestParts<Arc<HubState>> for ManagedToken {
    type Rejection = PageError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HubState>,
    ) -> Result<Self, PageError> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| PageError::not_found())?;
        Ok(Self {
            token: own_token(state, &signed_in, &id).await?,
            state: Arc::clone(state),
            signed_in,
        })
    }
}

impl ManagedToken {
    async fn frame(&self) -> Result<Frame, HubError> {
        self.signed_in.frame(&self.state, "tokens").await
    }

    fn user(&self) -> &str {
        self.signed_in.user()
    }

    fn audit_context(&self) -> AuditContext {
        self.signed_in.audit_context(&self.state)
    }

    /// The token as a filled-in form.
    fn token_form(&self) -> TokenForm {
        TokenForm::from_token(&self.token, &self.signed_in.session().user.id)
    }

    /// Redirects to the token's own page, which shows the notice.
    async fn redirect_with_notice(&self, notice: &str) -> PageResult {
        let page = format!("/settings/tokens/{}", self.token.id);
        self.redirect_to(&page, notice).await
    }

    async fn redirect_to(&self, page: &str, notice: &str) -> PageResult {
        self.signed_in.set_notice(&self.state, notice).await?;
        Ok(see_other(page))
    }
}

/// A token of the signed-in user, by its id. Other users' tokens are not found.
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

pub(super) fn role_label(role: &GrantedRole) -> &'static str {
    match role {
        GrantedRole::Read => "Read",
        GrantedRole::Write => "Write",
        GrantedRole::FineGrained(_) => "Fine-grained",
        GrantedRole::Login(_) => "Login",
        GrantedRole::Repository(_) => "One repository",
    }
}
