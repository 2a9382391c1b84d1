//! Renders a token and its identity as JSON and as rows.
//!
//! The JSON fields have the names of the Python attributes, so that a script can move from one to
//! the other.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::layout::Layout;
use crate::credential::Credential;
use crate::identity::model::{Identity, Organization, Scope};
pub use crate::login::role_name;
use crate::role::{OrganizationRole, TokenRole};

/// A token as JSON, without its value.
pub fn token_json(credential: &Credential) -> Value {
    json!({
        "mask": credential.token.mask(),
        "kind": credential.token.kind().name(),
        "source": credential.source.to_string(),
        "renewable": credential.renews_itself(),
        "fingerprint": credential.token.digest().fingerprint(),
    })
}

/// An identity as JSON.
pub fn identity_json(identity: &Identity) -> Value {
    let organization = |organization: &Organization| {
        json!({
            "name": organization.name,
            "full_name": organization.full_name,
            "role_in_org": organization.role_in_org.as_ref().map(OrganizationRole::name),
            "security_restrictions": organization.security_restrictions,
        })
    };
    let scope = |scope: &Scope| {
        json!({
            "entity_type": scope.entity_type,
            "entity_name": scope.entity_name,
            "permissions": scope.permissions,
        })
    };
    json!({
        "user": identity.user,
        "type": identity.kind,
        "full_name": identity.full_name,
        "email": identity.email,
        "is_pro": identity.is_pro,
        "authentication": identity.authentication,
        "token_name": identity.token_name,
        "role": identity.role.as_ref().map(TokenRole::name),
        "created_at": identity.created_at.and_then(timestamp),
        "expires_at": identity.expires_at.and_then(timestamp),
        "organizations": identity.organizations.iter().map(organization).collect::<Value>(),
        "scopes": identity.scopes.iter().map(scope).collect::<Value>(),
        "global_permissions": identity.global_permissions,
        "can_read_gated_repos": identity.can_read_gated_repos,
    })
}

/// A time in RFC 3339.
pub fn timestamp(moment: OffsetDateTime) -> Option<String> {
    moment.format(&Rfc3339).ok()
}

/// The rows about the account and the token's permissions. `end` is the earliest known expiry,
/// and whether the token is renewed before it.
pub fn identity_rows(
    page: &mut Layout,
    identity: &Identity,
    end: (Option<OffsetDateTime>, bool),
    now: OffsetDateTime,
) {
    let full_name = identity
        .full_name
        .as_ref()
        .filter(|name| **name != identity.user)
        .map_or_else(String::new, |name| format!(" ({name})"));
    let kind = match identity.kind.as_str() {
        "user" => String::new(),
        other => format!(", {other}"),
    };
    page.strong_row("user", &format!("{}{full_name}{kind}", identity.user));
    page.strong_row("role", &role_name(identity));
    if let Some(name) = &identity.token_name {
        page.row("token name", name);
    }
    if let Some(moment) = identity.created_at {
        page.row("created", &date(moment));
    }
    let (end, is_renewed) = end;
    let expires = end.map_or_else(
        || "never, according to the Hub".to_owned(),
        |moment| {
            let renewed = if is_renewed { ", renewed before" } else { "" };
            format!("{} ({}){renewed}", date(moment), distance(moment, now))
        },
    );
    page.row("expires", &expires);
    let organizations: Vec<_> = identity
        .organizations
        .iter()
        .map(|organization| (organization.name.clone(), membership(organization)))
        .collect();
    page.list("organizations", &organizations);
    if identity.role == Some(TokenRole::FineGrained) {
        page.list("may", &rights(identity));
    }
}

fn membership(organization: &Organization) -> String {
    let role = organization
        .role_in_org
        .as_ref()
        .map_or("role not reported", OrganizationRole::name);
    if organization.security_restrictions.is_empty() {
        role.to_owned()
    } else {
        format!(
            "{role}, blocked by {}",
            organization.security_restrictions.join(", ")
        )
    }
}

fn rights(identity: &Identity) -> Vec<(String, String)> {
    let mut rights: Vec<(String, String)> = identity
        .scopes
        .iter()
        .map(|scope| {
            let entity = match (&scope.entity_type, &scope.entity_name) {
                (Some(kind), Some(name)) => format!("{kind} {name}"),
                (None, Some(name)) => name.clone(),
                _ => "(no entity)".to_owned(),
            };
            (entity, scope.permissions.join(", "))
        })
        .collect();
    if !identity.global_permissions.is_empty() {
        rights.push((
            "everywhere".to_owned(),
            identity.global_permissions.join(", "),
        ));
    }
    if identity.can_read_gated_repos {
        rights.push((
            "gated".to_owned(),
            "read public gated repositories".to_owned(),
        ));
    }
    if rights.is_empty() {
        rights.push(("nothing".to_owned(), String::new()));
    }
    rights
}

/// A time to the minute, in UTC.
pub fn date(moment: OffsetDateTime) -> String {
    moment
        .to_offset(time::UtcOffset::UTC)
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute] UTC"
        ))
        .unwrap_or_default()
}

/// How far in the future or past a time is.
pub fn distance(moment: OffsetDateTime, now: OffsetDateTime) -> String {
    let minutes = (moment - now).whole_minutes();
    if minutes < 0 {
        return "past".to_owned();
    }
    match minutes {
        0..=119 => format!("in {minutes} minutes"),
        120..=2879 => format!("in {} hours", minutes / 60),
        _ => format!("in {} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn distances_are_told_in_the_unit_that_fits() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for (duration, text) in [
            (Duration::minutes(-5), "past"),
            (Duration::minutes(5), "in 5 minutes"),
            (Duration::hours(3), "in 3 hours"),
            (Duration::days(12), "in 12 days"),
        ] {
            assert_eq!(distance(now + duration, now), text);
        }
        assert_eq!(date(now), "1970-01-01 00:00 UTC");
    }
}
