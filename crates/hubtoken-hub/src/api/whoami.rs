//! `GET /api/whoami-v2` and `/oauth/userinfo`: the owner of the token, and its permissions.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use crate::auth::authentication::Caller;
use crate::clock::iso;
use crate::rate_limit::RateLimitStatus;
use crate::registry::{
    Entity, GrantedRole, LoginScope, Membership, Organization, Principal, Restriction,
    ServiceAccount, TokenInfo, TokenOwner, User,
};
use crate::response::{ApiError, ApiResult, cached_json, json_response};
use crate::state::HubState;

pub(super) async fn whoami(
    caller: Caller,
    rate_limit: Option<Extension<RateLimitStatus>>,
) -> ApiResult {
    let principal = caller.required()?;
    let mut response = if let Some(cached_json) = principal.whoami.get() {
        cached_json.into_response()
    } else {
        let identity = match &principal.owner {
            TokenOwner::User(user) => identity(principal, user),
            TokenOwner::ServiceAccount(account) => app(account, &principal.token),
        };
        let cached_json = cached_json(&identity)?;
        principal.whoami.get_or_init(|| cached_json).into_response()
    };
    if let Some(Extension(rate_limit)) = rate_limit {
        response.extensions_mut().insert(rate_limit);
    }
    Ok(response)
}

pub(super) async fn userinfo(State(state): State<Arc<HubState>>, caller: Caller) -> ApiResult {
    let principal = caller.required()?;
    let TokenOwner::User(user) = &principal.owner else {
        return Err(ApiError::forbidden(
            "This token belongs to a service account, and only users have this information",
        ));
    };
    let orgs: Vec<Value> = memberships(principal)
        .map(|membership| {
            json!({
                "sub": membership.organization.id,
                "name": membership.organization.fullname,
                "preferred_username": membership.organization.name,
                "picture": avatar(&membership.organization.id),
                "isEnterprise": false,
                "roleInOrg": membership.role.as_str(),
            })
        })
        .collect();
    let mut body = json!({
        "sub": user.id,
        "name": user.fullname,
        "preferred_username": user.name,
        "profile": format!("{}/{}", state.endpoint, user.name),
        "picture": avatar(&user.id),
        "isPro": false,
        "orgs": orgs,
    });
    if let GrantedRole::Login(scopes) = &principal.token.role
        && scopes.include(&[LoginScope::Email])
    {
        body["email"] = json!(user.email);
        body["email_verified"] = json!(user.email.is_some());
    }
    json_response(&body)
}

/// A service account. The real Hub's answer is known from its clients alone: it has a `scope`, and
/// neither a role nor a name of the token. The organization is added for clients that expect a
/// list, without a role, since the account is no member.
fn app(account: &ServiceAccount, token: &TokenInfo) -> Value {
    let scopes = match &token.role {
        GrantedRole::FineGrained(fine) => fine.scoped.as_slice(),
        _ => &[],
    };
    let entity = |entity: &Entity| json!({ "type": entity.kind, "name": entity.name });
    let writes = scopes
        .iter()
        .flat_map(|scope| &scope.permissions)
        .any(|permission| permission == "repo.write");
    json!({
        "type": "app",
        "id": account.id,
        "name": account.user,
        "fullname": account.name,
        "avatarUrl": avatar(&account.id),
        "orgs": [organization_fields(&account.organization)],
        "scope": {
            "role": if writes { "write" } else { "read" },
            "entities": scopes.iter().map(|scope| entity(&scope.entity)).collect::<Vec<_>>(),
        },
        "auth": { "type": "app_token" },
    })
}

fn identity(principal: &Principal, user: &User) -> Value {
    let mut body = json!({
        "type": "user",
        "id": user.id,
        "name": user.name,
        "fullname": user.fullname,
        "canPay": false,
        "billingMode": "postpaid",
        "periodEnd": null,
        "isPro": false,
        "avatarUrl": avatar(&user.id),
        "orgs": memberships(principal).map(|membership| organization(principal, membership)).collect::<Vec<_>>(),
        "auth": auth(&principal.token),
    });
    if sees_email(&principal.token.role) {
        body["email"] = json!(user.email);
        body["emailVerified"] = json!(user.email.is_some());
    }
    body
}

/// Whether a token is shown its user's e-mail address: as on the real Hub, a fine-grained one is
/// not, and a login needs the scope.
fn sees_email(role: &GrantedRole) -> bool {
    match role {
        GrantedRole::Read | GrantedRole::Write => true,
        GrantedRole::FineGrained(_) | GrantedRole::Repository(_) => false,
        GrantedRole::Login(scopes) => scopes.include(&[LoginScope::Email]),
    }
}

/// The organizations that a token is shown.
fn memberships(principal: &Principal) -> impl Iterator<Item = &Membership> {
    let is_shown = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write | GrantedRole::FineGrained(_) => true,
        GrantedRole::Login(scopes) => {
            scopes.include(&[LoginScope::Profile, LoginScope::ReadMemberships])
        }
        GrantedRole::Repository(_) => false,
    };
    principal.memberships.iter().filter(move |_| is_shown)
}

fn organization(principal: &Principal, membership: &Membership) -> Value {
    let mut fields = organization_fields(&membership.organization);
    let restrictions: &[&str] = match principal.restriction(&membership.organization.id) {
        None => &[],
        Some(Restriction::Revoked) => &["token-revoked"],
        Some(_) => &["token-policy"],
    };
    fields["roleInOrg"] = json!(membership.role.as_str());
    fields["securityRestrictions"] = json!(restrictions);
    fields["resourceGroups"] = json!([]);
    fields
}

fn organization_fields(organization: &Organization) -> Value {
    json!({
        "type": "org",
        "id": organization.id,
        "name": organization.name,
        "fullname": organization.fullname,
        "email": null,
        "canPay": false,
        "billingMode": "postpaid",
        "periodEnd": null,
        "plan": "team",
        "avatarUrl": avatar(&organization.id),
    })
}

fn auth(token: &TokenInfo) -> Value {
    let mut auth = match &token.role {
        GrantedRole::Read | GrantedRole::Write | GrantedRole::FineGrained(_) => {
            user_access_token(token)
        }
        GrantedRole::Login(_) => json!({ "type": "oauth" }),
        // The real Hub's answer is not known, but that it has a resource.
        GrantedRole::Repository(entity) => {
            json!({ "type": "jwt", "resource": { "sub": entity.path() } })
        }
    };
    if let Some(expiry) = token.expires_at {
        auth["expiresAt"] = json!(iso(expiry));
    }
    auth
}

fn user_access_token(token: &TokenInfo) -> Value {
    let mut access_token = json!({
        "displayName": token.name,
        "role": token.role.as_str(),
        "createdAt": iso(token.created_at),
    });
    if let GrantedRole::FineGrained(fine) = &token.role {
        access_token["fineGrained"] = json!(fine);
    }
    json!({ "type": "access_token", "accessToken": access_token })
}

pub(super) fn avatar(id: &str) -> String {
    format!("/avatars/{id}.svg")
}
