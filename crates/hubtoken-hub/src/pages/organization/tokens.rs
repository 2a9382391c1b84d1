//! `/organizations/{name}/settings/tokens`: the organization's policy for its members' tokens.
//!
//! Admins set the policy, after a preview of its effect on existing tokens, and decide about
//! approval requests; see `decision`. Members see the policy and the status of their own tokens.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;

use super::decision::choices;
use super::labels::{self, POLICIES, PolicyOption};
use super::policy_preview::PolicyPreview;
use super::{Tabs, membership, nav_entry, require_admin, settings_path};
use crate::pages::display_time::{DisplayTime, minute};
use crate::pages::error::{PageError, PageResult};
use crate::pages::form::Form;
use crate::pages::tokens::role_label;
use crate::pages::view::{FormErrors, Frame, html, see_other};
use crate::pages::visitor::SignedIn;
use crate::registry::{
    Approval, ApprovalStatus, GrantedRole, MemberTokenStatus, Membership, OrganizationRole,
    TokenInfo, TokenPolicy,
};
use crate::state::HubState;

/// Tokens on one page.
const PAGE_SIZE: usize = 50;
/// The maximum number of the user's own tokens shown; all of them are listed elsewhere.
const MAX_OWN_TOKENS: usize = 100;

#[derive(Deserialize)]
pub(in crate::pages) struct PageQuery {
    #[serde(default)]
    page: String,
}

#[derive(Template)]
#[template(path = "organization_tokens.html")]
struct TokensPage<'a> {
    frame: Frame,
    organization: &'a str,
    tabs: Tabs<'a>,
    is_admin: bool,
    policy: PolicyOption,
    policies: [PolicyOption; 3],
    errors: FormErrors,
    approvals: Vec<ApprovalRow>,
    waiting: usize,
    count: usize,
    page: usize,
    pages: usize,
    own: Vec<OwnToken>,
    own_left_out: usize,
}

#[derive(Template)]
#[template(path = "policy_confirm.html")]
struct ReviewPage<'a> {
    frame: Frame,
    organization: &'a str,
    before: PolicyOption,
    after: PolicyOption,
    preview: PolicyPreview,
}

/// A token that requested approval or was revoked.
struct ApprovalRow {
    id: String,
    name: String,
    user: String,
    role: &'static str,
    last4: String,
    at: DisplayTime,
    status: &'static str,
    is_waiting: bool,
    decided: Option<DisplayTime>,
    decided_by: Option<String>,
    choices: Vec<(&'static str, &'static str)>,
}

/// A token of the signed-in user.
struct OwnToken {
    /// The page on which it is managed.
    page: String,
    name: String,
    role: &'static str,
    last4: String,
    status: &'static str,
}

impl ApprovalRow {
    fn new(approval: Approval, policy: TokenPolicy, user: &str) -> Self {
        let choices = choices(approval.status, policy, approval.user == user)
            .map(|decision| (decision.as_str(), labels::decision(decision)))
            .collect();
        Self {
            id: approval.token.id,
            name: approval.token.name,
            user: approval.user,
            role: role_label(&approval.token.role),
            last4: approval.token.last4,
            at: minute(approval.asked_at),
            status: labels::status(approval.status),
            is_waiting: approval.status == ApprovalStatus::Pending,
            decided: approval.decided_at.map(minute),
            decided_by: approval.decided_by,
            choices,
        }
    }
}

impl OwnToken {
    fn new(member_token: MemberTokenStatus, policy: TokenPolicy) -> Self {
        Self {
            status: labels::restriction(member_token.restriction(policy)),
            role: role_label(&member_token.token.role),
            page: match &member_token.token.role {
                GrantedRole::Login(_) => "/settings/logins".to_owned(),
                _ => format!("/settings/tokens/{}", member_token.token.id),
            },
            name: member_token.token.name,
            last4: member_token.token.last4,
        }
    }
}

pub(in crate::pages) async fn list(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    Query(view): Query<PageQuery>,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    let view = (StatusCode::OK, view.page.as_str(), FormErrors::default());
    page(&state, &signed_in, membership, view).await
}

/// Sets the policy, after a confirmation page.
pub(in crate::pages) async fn set(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    form: Form,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let organization = &membership.organization.name;
    let Some(after) = TokenPolicy::parse(form.field("policy")) else {
        let mut errors = FormErrors::default();
        errors.add("policy", "Choose which tokens are allowed.");
        let view = (StatusCode::UNPROCESSABLE_ENTITY, "", errors);
        return page(&state, &signed_in, membership, view).await;
    };
    let before = state.registry.token_policy(organization).await?;
    if before != after && form.field("step") != "confirm" {
        return review(&state, &signed_in, membership, (before, after)).await;
    }
    let notice = if before == after {
        format!(
            "The token policy is already “{}”.",
            labels::policy(after).name
        )
    } else if form.field("before") != before.as_str() {
        // The preview no longer matches what would happen.
        return Err(PageError::conflict(
            "Another admin has changed the token policy. Nothing was changed; review it again."
                .to_owned(),
        ));
    } else {
        state
            .registry
            .set_token_policy(organization, after, &signed_in.audit_context(&state))
            .await?;
        format!("The token policy is “{}” now.", labels::policy(after).name)
    };
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(&settings_path(membership, "tokens")))
}

async fn review(
    state: &HubState,
    signed_in: &SignedIn,
    membership: &Membership,
    (before, after): (TokenPolicy, TokenPolicy),
) -> PageResult {
    let organization = &membership.organization.name;
    let tokens = state.registry.member_tokens(organization, None).await?;
    let page = ReviewPage {
        frame: signed_in.frame(state, &nav_entry(membership)).await?,
        organization,
        before: labels::policy(before),
        after: labels::policy(after),
        preview: PolicyPreview::new(&tokens, before, after, state.clock.now()),
    };
    Ok(html(StatusCode::OK, &page))
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    membership: &Membership,
    (status, wanted, errors): (StatusCode, &str, FormErrors),
) -> Result<Response, PageError> {
    let organization = &membership.organization.name;
    let is_admin = membership.role == OrganizationRole::Admin;
    let policy = state.registry.token_policy(organization).await?;
    let approvals = if is_admin {
        state.registry.approvals(organization).await?
    } else {
        Vec::new()
    };
    let user = &signed_in.session().user;
    let mut own = state
        .registry
        .member_tokens(organization, Some(&user.id))
        .await?;
    let now = state.clock.now();
    own.retain(|each| each.is_subject_to_policy() && !is_ended_login(&each.token, now));
    let count = approvals.len();
    let pages = count.div_ceil(PAGE_SIZE).max(1);
    let number = wanted.parse().unwrap_or(1).clamp(1, pages);
    let page = TokensPage {
        frame: signed_in.frame(state, &nav_entry(membership)).await?,
        organization,
        tabs: Tabs::of(membership, "tokens"),
        is_admin,
        policy: labels::policy(policy),
        policies: POLICIES.map(labels::policy),
        errors,
        waiting: approvals
            .iter()
            .filter(|approval| approval.status == ApprovalStatus::Pending)
            .count(),
        approvals: approvals
            .into_iter()
            .skip((number - 1) * PAGE_SIZE)
            .take(PAGE_SIZE)
            .map(|approval| ApprovalRow::new(approval, policy, &user.name))
            .collect(),
        count,
        page: number,
        pages,
        own_left_out: own.len().saturating_sub(MAX_OWN_TOKENS),
        own: own
            .into_iter()
            .take(MAX_OWN_TOKENS)
            .map(|member_token| OwnToken::new(member_token, policy))
            .collect(),
    };
    Ok(html(status, &page))
}

/// Whether it is a login that can no longer be renewed. It is kept for a while, but it is nobody's
/// concern any more.
fn is_ended_login(token: &TokenInfo, now: OffsetDateTime) -> bool {
    matches!(token.role, GrantedRole::Login(_)) && token.expires_at.is_some_and(|end| end <= now)
}
