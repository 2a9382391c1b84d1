//! `/organizations/{name}/settings/tokens/{id}/{decision}`: approves, denies or revokes a member's
//! token after showing it.
//!
//! A decision carries a digest of what its page showed. The token's owner may change the token's
//! permissions while an administrator is reading, and approving permissions that were not shown
//! would defeat the purpose of an approval.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{labels, membership, nav_entry, require_admin, settings_path};
use crate::pages::display_time::{DisplayTime, minute};
use crate::pages::error::{PageError, PageResult};
use crate::pages::form::Form;
use crate::pages::tokens::role_label;
use crate::pages::view::{Frame, html, see_other};
use crate::pages::visitor::SignedIn;
use crate::registry::{Approval, ApprovalStatus, Decision, GrantedRole, MemberToken, TokenPolicy};
use crate::secret;
use crate::state::HubState;
use hubtoken_core::hexadecimal;

#[derive(Template)]
#[template(path = "decision.html")]
struct DecisionPage<'a> {
    frame: Frame,
    organization: &'a str,
    decision: &'static str,
    label: &'static str,
    name: &'a str,
    id: &'a str,
    user: &'a str,
    role: &'static str,
    last4: &'a str,
    status: &'static str,
    was_revoked: bool,
    needs_approval: bool,
    requested: DisplayTime,
    expires: Option<DisplayTime>,
    /// Whether it may do whatever its user may.
    is_unlimited: bool,
    lines: Vec<String>,
    fingerprint: String,
}

/// The possible decisions about a token. A denial has no effect unless the policy requires
/// approval, so a revocation, which always blocks the token, is offered instead.
pub(super) fn choices(
    status: ApprovalStatus,
    policy: TokenPolicy,
    is_own: bool,
) -> impl Iterator<Item = Decision> {
    use Decision::{Approve, Deny, Revoke};
    let all: &[Decision] = match status {
        ApprovalStatus::Pending if policy == TokenPolicy::RequireApproval => &[Approve, Deny],
        ApprovalStatus::Pending | ApprovalStatus::Denied => &[Approve, Revoke],
        ApprovalStatus::Approved => &[Revoke],
        ApprovalStatus::Revoked => &[Approve],
    };
    all.iter()
        .copied()
        .filter(move |decision| !(is_own && *decision == Revoke))
}

pub(in crate::pages) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path((name, id, decision)): Path<(String, String, String)>,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let decision = Decision::parse(&decision).ok_or_else(PageError::not_found)?;
    let organization = &membership.organization.name;
    let approval = find(&state, organization, &id).await?;
    let token = &approval.token;
    let page = DecisionPage {
        frame: signed_in.frame(&state, &nav_entry(membership)).await?,
        organization,
        decision: decision.as_str(),
        label: labels::decision(decision),
        name: &token.name,
        id: &token.id,
        user: &approval.user,
        role: role_label(&token.role),
        last4: &token.last4,
        status: labels::status(approval.status),
        was_revoked: approval.status == ApprovalStatus::Revoked,
        needs_approval: state.registry.token_policy(organization).await?
            == TokenPolicy::RequireApproval,
        requested: minute(approval.asked_at),
        expires: token.expires_at.map(minute),
        is_unlimited: match &token.role {
            GrantedRole::Read | GrantedRole::Write => true,
            GrantedRole::Login(scopes) => scopes.is_everything(),
            GrantedRole::FineGrained(_) | GrantedRole::Repository(_) => false,
        },
        lines: lines(&approval),
        fingerprint: fingerprint(&approval),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn decide(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path((name, id, decision)): Path<(String, String, String)>,
    form: Form,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let decision = Decision::parse(&decision).ok_or_else(PageError::not_found)?;
    let organization = &membership.organization.name;
    let approval = find(&state, organization, &id).await?;
    // The decision only applies to what the admin saw: the owner may have changed the permissions
    // since, or another admin may have decided.
    if form.field("seen") != fingerprint(&approval) {
        return Err(PageError::conflict(format!(
            "“{}” has changed, or another admin has decided, since you opened the page. Nothing was changed; look at \
             it again.",
            approval.token.name
        )));
    }
    let token = MemberToken::IdOrName(&approval.token.id);
    let context = signed_in.audit_context(&state);
    state
        .registry
        .decide(organization, token, decision, &context)
        .await?;
    let (token, user) = (&approval.token.name, &approval.user);
    let notice = match decision {
        Decision::Approve => format!("“{token}” of {user} is now approved."),
        Decision::Deny => format!("“{token}” of {user} was denied."),
        Decision::Revoke => format!("“{token}” of {user} was revoked and is now blocked."),
    };
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(&settings_path(membership, "tokens")))
}

/// Finds a token that requested approval or was revoked, by its id. Other tokens are not found.
async fn find(state: &HubState, organization: &str, id: &str) -> Result<Approval, PageError> {
    let approvals = state.registry.approvals(organization).await?;
    approvals
        .into_iter()
        .find(|approval| approval.token.id == id)
        .ok_or_else(PageError::not_found)
}

/// What the token may do in the organization, beside what its user may.
fn lines(approval: &Approval) -> Vec<String> {
    match &approval.token.role {
        GrantedRole::Repository(entity) => vec![format!("Write to {}", entity.path())],
        _ => labels::lines(&approval.scopes),
    }
}

/// Everything a page shows of a token that matters for the decision.
fn fingerprint(approval: &Approval) -> String {
    let role = role_label(&approval.token.role);
    let mut text = format!("{}\n{role}", approval.status.as_str());
    for line in lines(approval) {
        text.push('\n');
        text.push_str(&line);
    }
    hexadecimal::encode(&secret::digest(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_decided() {
        use ApprovalStatus::{Approved, Denied, Pending, Revoked};
        use TokenPolicy::{AllowAll, RequireApproval};
        for (status, policy, is_own, expected) in [
            (Pending, RequireApproval, false, "approve deny"),
            (Pending, AllowAll, false, "approve revoke"),
            (Approved, RequireApproval, false, "revoke"),
            (Denied, RequireApproval, false, "approve revoke"),
            (Revoked, AllowAll, false, "approve"),
            (Approved, RequireApproval, true, ""),
            (Denied, RequireApproval, true, "approve"),
        ] {
            let found: Vec<&str> = choices(status, policy, is_own)
                .map(Decision::as_str)
                .collect();
            assert_eq!(found.join(" "), expected, "{status:?} {policy:?} {is_own}");
        }
    }
}
