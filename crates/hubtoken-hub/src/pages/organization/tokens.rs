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

use super::decision::choices;
use super::effect::Effect;
use super::words::{self, POLICIES, PolicyWords};
use super::{Tabs, address, here, membership, require_admin};
use crate::pages::error::{Page, PageError};
use crate::pages::form::Form;
use crate::pages::moment::{Moment, minute};
use crate::pages::tokens::role_words;
use crate::pages::view::{Frame, Mistakes, html, see_other};
use crate::pages::visitor::SignedIn;
use crate::registry::{
    Approval, ApprovalStatus, Membership, OrganizationRole, TokenPolicy, TokenStanding,
};
use crate::state::HubState;

/// Tokens on one page.
const PAGE: usize = 50;
/// The maximum number of the user's own tokens shown; all of them are listed elsewhere.
const MOST_OWN: usize = 100;

#[derive(Deserialize)]
pub(in crate::pages) struct Place {
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
    policy: PolicyWords,
    policies: [PolicyWords; 3],
    mistakes: Mistakes,
    asked: Vec<Asked>,
    waiting: usize,
    count: usize,
    page: usize,
    pages: usize,
    own: Vec<Own>,
    own_left_out: usize,
}

#[derive(Template)]
#[template(path = "policy_confirm.html")]
struct ReviewPage<'a> {
    frame: Frame,
    organization: &'a str,
    before: PolicyWords,
    after: PolicyWords,
    effect: Effect,
}

/// A token that requested approval or was revoked.
struct Asked {
    id: String,
    name: String,
    user: String,
    role: &'static str,
    last4: String,
    at: Moment,
    status: &'static str,
    is_waiting: bool,
    decided: Option<Moment>,
    decided_by: Option<String>,
    choices: Vec<(&'static str, &'static str)>,
}

/// A token of the signed-in user.
struct Own {
    id: String,
    name: String,
    role: &'static str,
    last4: String,
    standing: &'static str,
}

impl Asked {
    fn new(approval: Approval, policy: TokenPolicy, user: &str) -> Self {
        let choices = choices(approval.status, policy, approval.user == user)
            .map(|decision| (decision.as_str(), words::decision(decision)))
            .collect();
        Self {
            id: approval.token.id,
            name: approval.token.name,
            user: approval.user,
            role: role_words(&approval.token.role),
            last4: approval.token.last4,
            at: minute(approval.asked_at),
            status: words::status(approval.status),
            is_waiting: approval.status == ApprovalStatus::Pending,
            decided: approval.decided_at.map(minute),
            decided_by: approval.decided_by,
            choices,
        }
    }
}

impl Own {
    fn new(standing: TokenStanding, policy: TokenPolicy) -> Self {
        Self {
            standing: words::standing(standing.restriction(policy)),
            role: role_words(&standing.token.role),
            id: standing.token.id,
            name: standing.token.name,
            last4: standing.token.last4,
        }
    }
}

pub(in crate::pages) async fn list(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    Query(place): Query<Place>,
) -> Page {
    let membership = membership(&signed_in, &name)?;
    let place = (StatusCode::OK, place.page.as_str(), Mistakes::default());
    page(&state, &signed_in, membership, place).await
}

/// Sets the policy, after a confirmation page.
pub(in crate::pages) async fn set(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    form: Form,
) -> Page {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let organization = &membership.organization.name;
    let Some(after) = TokenPolicy::parse(form.one("policy")) else {
        let mut mistakes = Mistakes::default();
        mistakes.add("policy", "Choose which tokens are allowed.");
        let place = (StatusCode::UNPROCESSABLE_ENTITY, "", mistakes);
        return page(&state, &signed_in, membership, place).await;
    };
    let before = state.registry.token_policy(organization).await?;
    if before != after && form.one("step") != "confirm" {
        return review(&state, &signed_in, membership, (before, after)).await;
    }
    let notice = if before == after {
        format!(
            "The token policy is already “{}”.",
            words::policy(after).name
        )
    } else if form.one("before") != before.as_str() {
        // The preview no longer matches what would happen.
        return Err(PageError::conflict(
            "Another admin has changed the token policy. Nothing was changed; review it again."
                .to_owned(),
        ));
    } else {
        state
            .registry
            .set_token_policy(organization, after, &signed_in.origin(&state))
            .await?;
        format!("The token policy is “{}” now.", words::policy(after).name)
    };
    signed_in.say(&state, &notice).await?;
    Ok(see_other(&address(membership, "tokens")))
}

async fn review(
    state: &HubState,
    signed_in: &SignedIn,
    membership: &Membership,
    (before, after): (TokenPolicy, TokenPolicy),
) -> Page {
    let organization = &membership.organization.name;
    let tokens = state.registry.standings(organization, None).await?;
    let page = ReviewPage {
        frame: signed_in.frame(state, &here(membership)).await?,
        organization,
        before: words::policy(before),
        after: words::policy(after),
        effect: Effect::new(&tokens, before, after, state.clock.now()),
    };
    Ok(html(StatusCode::OK, &page))
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    membership: &Membership,
    (status, wanted, mistakes): (StatusCode, &str, Mistakes),
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
        .standings(organization, Some(&user.id))
        .await?;
    own.retain(TokenStanding::is_concerned);
    let count = approvals.len();
    let pages = count.div_ceil(PAGE).max(1);
    let number = wanted.parse().unwrap_or(1).clamp(1, pages);
    let page = TokensPage {
        frame: signed_in.frame(state, &here(membership)).await?,
        organization,
        tabs: Tabs::of(membership, "tokens"),
        is_admin,
        policy: words::policy(policy),
        policies: POLICIES.map(words::policy),
        mistakes,
        waiting: approvals
            .iter()
            .filter(|approval| approval.status == ApprovalStatus::Pending)
            .count(),
        asked: approvals
            .into_iter()
            .skip((number - 1) * PAGE)
            .take(PAGE)
            .map(|approval| Asked::new(approval, policy, &user.name))
            .collect(),
        count,
        page: number,
        pages,
        own_left_out: own.len().saturating_sub(MOST_OWN),
        own: own
            .into_iter()
            .take(MOST_OWN)
            .map(|standing| Own::new(standing, policy))
            .collect(),
    };
    Ok(html(status, &page))
}
