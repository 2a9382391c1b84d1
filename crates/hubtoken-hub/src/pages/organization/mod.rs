//! `/organizations/{name}/settings`: members, access tokens, audit log.
//!
//! Members see, admins change. To others the organization has no settings.

pub(super) mod decision;
mod effect;
pub(super) mod members;
pub(super) mod tokens;
mod words;

use axum::extract::Path;

use super::error::{Page, PageError};
use super::view::see_other;
use super::visitor::SignedIn;
use crate::registry::{Membership, OrganizationRole};

/// The navigation between the settings of one organization.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tabs<'a> {
    pub organization: &'a str,
    /// Which of them the page is.
    pub here: &'static str,
    /// Whether those for admins are to be seen.
    pub is_admin: bool,
}

impl<'a> Tabs<'a> {
    pub(super) fn of(membership: &'a Membership, here: &'static str) -> Self {
        Self {
            organization: &membership.organization.name,
            here,
            is_admin: membership.role == OrganizationRole::Admin,
        }
    }
}

/// Sends on to the first of the settings.
pub(super) async fn index(signed_in: SignedIn, Path(name): Path<String>) -> Page {
    let membership = membership(&signed_in, &name)?;
    Ok(see_other(&address(membership, "members")))
}

/// The place of whoever is signed in. An organization that is not one's own is not there.
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

fn address(membership: &Membership, page: &str) -> String {
    format!(
        "/organizations/{}/settings/{page}",
        membership.organization.name
    )
}

/// The entry of the navigation; see `view`.
pub(super) fn here(membership: &Membership) -> String {
    format!("organization/{}", membership.organization.name)
}
