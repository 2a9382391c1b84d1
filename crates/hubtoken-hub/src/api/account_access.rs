//! Who may read and change an organization's service accounts and their tokens.
//!
//! Its administrators may, with a `write` token or with a fine-grained one that has
//! `org.serviceAccounts.write` on the organization; for reading, a `read` token or
//! `org.serviceAccounts.read` is enough. To anyone who does not belong to the organization, it
//! looks as if it did not exist.

use axum::http::StatusCode;

use crate::auth::access::{Managing, may_manage_accounts};
use crate::auth::authentication::Caller;
use crate::error::HubError;
use crate::extract::repository::deny_and_request_approval;
use crate::registry::{AuditContext, Organization, OrganizationRole, Principal, TokenOwner};
use crate::response::ApiError;
use crate::state::HubState;

/// The organization, if the caller may read or change its service accounts.
pub(super) async fn open(
    state: &HubState,
    caller: &Caller,
    name: &str,
    managing: Managing,
    context: &AuditContext,
) -> Result<Organization, ApiError> {
    let principal = caller.required()?;
    let organization = match state.registry.organization(name).await {
        Ok(organization) => organization,
        Err(HubError::UnknownOrganization { .. }) => return Err(no_such_organization()),
        Err(error) => return Err(error.into()),
    };
    let Some(administers) = standing(principal, &organization) else {
        return Err(no_such_organization());
    };
    if !(administers && may_manage_accounts(principal, &organization.id, managing)) {
        return Err(not_permitted(&organization));
    }
    match principal.restriction(&organization.id) {
        Some(restriction) => {
            Err(
                deny_and_request_approval(state, principal, &organization.id, restriction, context)
                    .await,
            )
        }
        None => Ok(organization),
    }
}

/// Whether the caller counts as an administrator, or `None` if they do not belong to the
/// organization. A service account with the permission may read.
fn standing(principal: &Principal, organization: &Organization) -> Option<bool> {
    match &principal.owner {
        TokenOwner::User(_) => principal
            .memberships
            .iter()
            .find(|membership| membership.organization.id == organization.id)
            .map(|membership| membership.role == OrganizationRole::Admin),
        TokenOwner::ServiceAccount(account) => {
            (account.organization.id == organization.id).then_some(true)
        }
    }
}

/// The registry checks the administrator again, in the transaction of the change.
pub(super) fn refused(error: HubError, organization: &Organization) -> ApiError {
    match error {
        HubError::NotAdministrator { .. } => not_permitted(organization),
        error => error.into(),
    }
}

fn not_permitted(organization: &Organization) -> ApiError {
    ApiError::forbidden(format!(
        "You don't have the rights to manage the service accounts of the organization \"{}\"",
        organization.name
    ))
}

/// The text of the overview's answer, without the name, which may be any text.
fn no_such_organization() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "This organization does not exist")
}
