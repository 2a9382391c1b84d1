//! `/organizations/{name}/settings/members`: the members of an organization and their roles.
//!
//! Members see the list; admins can change it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Tabs, membership, nav_entry, require_admin};
use crate::error::HubError;
use crate::pages::error::{PageError, PageResult};
use crate::pages::form::Form;
use crate::pages::view::{FormErrors, Frame, html, see_other};
use crate::pages::visitor::SignedIn;
use crate::registry::{Membership, OrganizationRole};
use crate::state::HubState;

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage<'a> {
    frame: Frame,
    organization: &'a str,
    tabs: Tabs<'a>,
    is_admin: bool,
    members: Vec<Member>,
    user: &'a str,
    role: RoleOption,
    roles: [RoleOption; 5],
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "member_remove.html")]
struct RemovePage<'a> {
    frame: Frame,
    organization: &'a str,
    user: &'a str,
    is_oneself: bool,
}

struct Member {
    user: String,
    role: RoleOption,
    is_oneself: bool,
}

/// A role as shown on the page.
struct RoleOption {
    value: &'static str,
    name: &'static str,
    description: &'static str,
}

pub(in crate::pages) async fn list(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    page(&state, &signed_in, membership, StatusCode::OK, None).await
}

/// Adds a member, or changes a member's role.
pub(in crate::pages) async fn set(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    form: Form,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let organization = &membership.organization;
    let user = form.field("user").trim();
    let refuse = |field: &str, message: String| {
        let mut errors = FormErrors::default();
        errors.add(field, message);
        let rejected = Some((user, form.field("role"), errors));
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        page(&state, &signed_in, membership, status, rejected)
    };
    let Some(role) = OrganizationRole::parse(form.field("role")) else {
        return refuse("role", "Choose a role.".to_owned()).await;
    };
    let members = state.registry.members(&organization.name).await?;
    let is_member = members
        .iter()
        .any(|(known, _)| known.eq_ignore_ascii_case(user));
    if form.field("step") == "add" && is_member {
        let message = format!("“{user}” is already a member; change the role in the list.");
        return refuse("user", message).await;
    }
    if form.field("step") != "add" && !is_member {
        // Another admin removed the member in the meantime; changing the role must not add them
        // again.
        return Err(PageError::conflict(format!(
            "“{user}” is no longer a member. Nothing was changed."
        )));
    }
    match state
        .registry
        .change_member_keeping_an_admin(
            &organization.name,
            user,
            Some(role),
            &signed_in.audit_context(&state),
        )
        .await
    {
        Ok(()) => (),
        Err(HubError::UnknownUser { .. }) => {
            return refuse("user", "There is no user of this name.".to_owned()).await;
        }
        Err(error) => return Err(error.into()),
    }
    let notice = format!("“{user}” has the role {} now.", role_option(role).name);
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(&settings_path(membership)))
}

pub(in crate::pages) async fn remove_form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path((name, user)): Path<(String, String)>,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let user = member(&state, membership, &user).await?;
    let page = RemovePage {
        frame: signed_in.frame(&state, &nav_entry(membership)).await?,
        organization: &membership.organization.name,
        is_oneself: user == signed_in.user(),
        user: &user,
    };
    Ok(html(StatusCode::OK, &page))
}

pub(in crate::pages) async fn remove(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Path((name, user)): Path<(String, String)>,
    _form: Form,
) -> PageResult {
    let membership = membership(&signed_in, &name)?;
    require_admin(membership)?;
    let user = member(&state, membership, &user).await?;
    let organization = &membership.organization;
    state
        .registry
        .change_member_keeping_an_admin(
            &organization.name,
            &user,
            None,
            &signed_in.audit_context(&state),
        )
        .await?;
    let notice = format!("“{user}” is no longer a member of “{}”.", organization.name);
    signed_in.set_notice(&state, &notice).await?;
    Ok(see_other(&if user == signed_in.user() {
        "/settings/tokens".to_owned()
    } else {
        settings_path(membership)
    }))
}

async fn member(
    state: &HubState,
    membership: &Membership,
    user: &str,
) -> Result<String, PageError> {
    let members = state
        .registry
        .members(&membership.organization.name)
        .await?;
    members
        .into_iter()
        .map(|(name, _)| name)
        .find(|name| name == user)
        .ok_or_else(PageError::not_found)
}

fn settings_path(membership: &Membership) -> String {
    super::settings_path(membership, "members")
}

fn role_option(role: OrganizationRole) -> RoleOption {
    let (name, description) = match role {
        OrganizationRole::Admin => ("admin", "everything, these settings included"),
        OrganizationRole::Write => ("write", "create, change and delete every repository"),
        OrganizationRole::Contributor => (
            "contributor",
            "read every repository, create some, change their own",
        ),
        OrganizationRole::Read => ("read", "read every repository"),
        OrganizationRole::NoAccess => ("no access", "only what the public may do"),
    };
    RoleOption {
        value: role.as_str(),
        name,
        description,
    }
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    membership: &Membership,
    status: StatusCode,
    rejected: Option<(&str, &str, FormErrors)>,
) -> Result<Response, PageError> {
    let organization = &membership.organization.name;
    let members = state
        .registry
        .members(organization)
        .await?
        .into_iter()
        .map(|(user, role)| Member {
            is_oneself: user == signed_in.user(),
            user,
            role: role_option(role),
        })
        .collect();
    let (user, role, errors) = rejected.unwrap_or(("", "read", FormErrors::default()));
    let page = MembersPage {
        frame: signed_in.frame(state, &nav_entry(membership)).await?,
        organization,
        tabs: Tabs::of(membership, "members"),
        is_admin: membership.role == OrganizationRole::Admin,
        members,
        user,
        role: role_option(OrganizationRole::parse(role).unwrap_or(OrganizationRole::Read)),
        roles: OrganizationRole::ALL.map(role_option),
        errors,
    };
    Ok(html(status, &page))
}
