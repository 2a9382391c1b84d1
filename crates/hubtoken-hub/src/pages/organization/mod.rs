//! `/organizations/{name}/settings`: members, access tokens, audit log.
//!
//! Members can see them; admins can change them. For other users they do not exist.

pub(super) mod decision;
mod labels;
pub(super) mod members;
mod policy_preview;
pub(super) mod tokens;

use axum::extract::Path;

use super::error::{PageError, PageResult};
use super::view::see_other;
use super::visitor::SignedIn;
use crate::registry::{Membership, OrganizationRole};

/// The navigation between the settings of one organization.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tabs<'a> {
    pub organization: &'a str,
    /// The current tab.
    pub nav_entry: &'static str,
    /// Whether the tabs for admins are shown.
    pub is_admin: bool,
}

impl<'a> Tabs<'a> {
    pub(super) fn of(membership: &'a Membership, nav_entry: &'static str) -> Self {
        Self {
            organization: &membership.organization.name,
            nav_entry,
            is_admin: membership.role == OrganizationRole::Admin,
        }
    }
}

/// Redirects to the first of the settings.
pub(super) async fn index(signed_in: SignedIn, Path(name): Path<String>) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    Ok(see_other(&settings_path(membership, "members")))
}

/// The membership of the signed-in user. Organizations of which the user is not a member are not
/// found.
pub(super) fn membership<'a>(
    signed_in: &'a SignedIn,
    name: &str,
) -> Result<&'a Membership, PageError> {
    signed_in
        .session()
        .memberships
        .iter()
        .find(|membership| membership.organization.name.eq_ignore_ascii_case(name))
        .ok_or_else(PageError::not_found)
}

pub(super) fn require_admin(membership: &Membership) -> Result<(), PageError> {
    if membership.role == OrganizationRole::Admin {
        Ok(())
    } else {
        Err(PageError::not_an_admin())
    }
}

fn settings_path(membership: &Membership, page: &str) -> String {
    format!(
        "/organizations/{}/settings/{page}",
        membership.organization.name
    )
}

/// The navigation entry; see `view`.
pub(super) fn nav_entry(membership: &Membership) -> String {
    format!("organization/{}", membership.organization.name)
}
