//! Parses the response of `GET /api/whoami-v2`.
//!
//! Parsing is lenient: fields may be missing, `null` or new, and a list may hold entries of an
//! unknown shape. Only a response that names no account is rejected, since it does not answer the
//! request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::endpoint::Endpoint;
use crate::role::{OrganizationRole, TokenRole};
use crate::sanitize::replace_controls;
use crate::timestamp;

/// The account that a token belongs to, and what the token may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The Hub that answered.
    pub endpoint: Endpoint,
    /// The account's name.
    pub user: String,
    /// `user`, `org` or `app`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The display name.
    pub full_name: Option<String>,
    /// The e-mail address, if the token may see it.
    pub email: Option<String>,
    /// Whether the account has a paid PRO subscription.
    pub is_pro: Option<bool>,
    /// The organizations that the account belongs to.
    #[serde(default)]
    pub organizations: Vec<Organization>,
    /// How the request was authenticated: `access_token`, `oauth`, `app_token`, …
    pub authentication: Option<String>,
    /// The token's name on the Hub.
    pub token_name: Option<String>,
    /// The token's role; `None` for OAuth, OIDC and app tokens, which have none.
    pub role: Option<TokenRole>,
    /// When the token was created.
    #[serde(default, with = "timestamp::optional")]
    pub created_at: Option<OffsetDateTime>,
    /// When the token expires.
    #[serde(default, with = "timestamp::optional")]
    pub expires_at: Option<OffsetDateTime>,
    /// What a fine-grained token may do on specific entities.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// What a fine-grained token may do everywhere.
    #[serde(default)]
    pub global_permissions: Vec<String>,
    /// Whether a fine-grained token may read public gated repositories.
    #[serde(default)]
    pub can_read_gated_repos: bool,
}

/// A membership in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Organization {
    /// The organization's name.
    pub name: String,
    /// The display name.
    pub full_name: Option<String>,
    /// The account's role in it; `None` when the Hub did not say.
    pub role_in_org: Option<OrganizationRole>,
    /// Why the organization blocks this token: `token-policy`, `token-revoked`, `mfa`, `sso`, `ip`,
    /// …
    #[serde(default)]
    pub security_restrictions: Vec<String>,
    /// Whether the account has a role in some resource group, which may exceed its role in the
    /// organization.
    #[serde(default)]
    pub has_resource_groups: bool,
}

/// What a fine-grained token may do on one entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// `user`, `org`, `model`, `dataset`, `space`, …; `None` for scopes without an entity.
    pub entity_type: Option<String>,
    /// `alice`, `acme`, `alice/tiny`, …
    pub entity_name: Option<String>,
    /// The Hub's permission strings.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// The response as sent. Every field is optional, and unknown fields are accepted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    name: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fullname: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    email: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    is_pro: Option<bool>,
    #[serde(default)]
    orgs: Value,
    #[serde(default, deserialize_with = "lenient")]
    auth: Option<Auth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrgAnswer {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    fullname: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    role_in_org: Option<String>,
    #[serde(default)]
    security_restrictions: Value,
    #[serde(default)]
    resource_groups: Value,
    // Two flags of older Hubs, since replaced by `securityRestrictions`.
    #[serde(rename = "pendingSSO", default, deserialize_with = "lenient")]
    pending_sso: Option<bool>,
    #[serde(rename = "missingMFA", default, deserialize_with = "lenient")]
    missing_mfa: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    access_token: Option<AccessToken>,
    #[serde(default, deserialize_with = "lenient")]
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    #[serde(default, deserialize_with = "lenient")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    role: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fine_grained: Option<FineGrained>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FineGrained {
    #[serde(default)]
    scoped: Value,
    #[serde(default)]
    global: Value,
    #[serde(default, deserialize_with = "lenient")]
    can_read_gated_repos: Option<bool>,
}

/// Removes terminal control characters from every string of the response, since messages show them.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(plain) = replace_controls(text) {
                *text = plain;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        _ => {}
    }
}

/// Treats a field of an unexpected type as missing: one odd field must not hide all the others.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// The readable entries of a list. The others are skipped.
fn entries<T: serde::de::DeserializeOwned>(value: Value) -> Vec<T> {
    match value {
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| serde_json::from_value(item).ok())
            .collect(),
        _ => Vec::new(),
    }
}

fn parse_time(text: Option<&str>) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text?, &Rfc3339).ok()
}

impl Identity {
    /// Whether any of the token's scopes lists a permission, for whichever entity.
    #[must_use]
    pub fn lists(&self, permission: &str) -> bool {
        self.scopes
            .iter()
            .flat_map(|scope| &scope.permissions)
            .chain(&self.global_permissions)
            .any(|listed| listed == permission)
    }

    /// Parses a response.
    ///
    /// # Errors
    ///
    /// A description of the problem, if the bytes are not JSON or name no account. It never quotes
    /// the response.
    pub fn parse(body: &[u8], endpoint: &Endpoint) -> Result<Self, String> {
        let mut value: Value =
            serde_json::from_slice(body).map_err(|_| "the answer is not JSON".to_owned())?;
        make_plain(&mut value);
        let answer: Answer = serde_json::from_value(value)
            .map_err(|_| "the answer is JSON, but not an identity".to_owned())?;
        let user = answer
            .name
            .filter(|name| !name.is_empty())
            .ok_or("the answer names no account")?;
        let auth = answer.auth.unwrap_or(Auth {
            kind: None,
            access_token: None,
            expires_at: None,
        });
        let access_token = auth.access_token;
        let expires_at = auth.expires_at.or_else(|| {
            access_token
                .as_ref()
                .and_then(|token| token.expires_at.clone())
        });
        let mut identity = Self {
            endpoint: endpoint.clone(),
            user,
            kind: answer.kind.unwrap_or_else(|| "user".to_owned()),
            full_name: answer.fullname,
            email: answer.email,
            is_pro: answer.is_pro,
            organizations: entries::<OrgAnswer>(answer.orgs)
                .into_iter()
                .map(Organization::from)
                .collect(),
            authentication: auth.kind,
            token_name: None,
            role: None,
            created_at: None,
            expires_at: parse_time(expires_at.as_deref()),
            scopes: Vec::new(),
            global_permissions: Vec::new(),
            can_read_gated_repos: false,
        };
        if let Some(token) = access_token {
            identity.token_name = token.display_name;
            identity.role = token.role.map(|role| TokenRole::from_wire(&role));
            identity.created_at = parse_time(token.created_at.as_deref());
            if let Some(fine_grained) = token.fine_grained {
                identity.scopes = entries::<Value>(fine_grained.scoped)
                    .into_iter()
                    .map(|value| Scope::from_value(&value))
                    .collect();
                identity.global_permissions = entries(fine_grained.global);
                identity.can_read_gated_repos =
                    fine_grained.can_read_gated_repos.unwrap_or_default();
            }
        }
        Ok(identity)
    }

    /// The membership in an organization. Names are compared case-insensitively, as the Hub does.
    #[must_use]
    pub fn organization(&self, name: &str) -> Option<&Organization> {
        self.organizations
            .iter()
            .find(|organization| organization.name.eq_ignore_ascii_case(name))
    }
}

impl From<OrgAnswer> for Organization {
    fn from(answer: OrgAnswer) -> Self {
        let mut security_restrictions: Vec<String> = entries(answer.security_restrictions);
        for (flag, name) in [(answer.pending_sso, "sso"), (answer.missing_mfa, "mfa")] {
            if flag == Some(true) && !security_restrictions.iter().any(|known| known == name) {
                security_restrictions.push(name.to_owned());
            }
        }
        Self {
            name: answer.name,
            full_name: answer.fullname,
            role_in_org: answer
                .role_in_org
                .as_deref()
                .map(OrganizationRole::from_wire),
            security_restrictions,
            has_resource_groups: answer
                .resource_groups
                .as_array()
                .is_some_and(|groups| !groups.is_empty()),
        }
    }
}

impl Scope {
    fn from_value(value: &Value) -> Self {
        let text = |pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Self {
            entity_type: text("/entity/type"),
            entity_name: text("/entity/name"),
            permissions: entries(value.get("permissions").cloned().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Identity {
        Identity::parse(text.as_bytes(), &Endpoint::default_hub()).unwrap()
    }

    #[test]
    fn a_full_answer_is_read() {
        let identity = parse(
            r#"{"type":"user","id":"64b0c0ffee0000000000a001","name":"alice","fullname":"Alice Doe",
            "email":"alice@example.invalid","isPro":false,"orgs":[{"type":"org","name":"acme",
            "fullname":"Acme Inc","roleInOrg":"read","securityRestrictions":["token-policy"]}],
            "auth":{"type":"access_token","expiresAt":"2027-01-02T03:04:05.000Z","accessToken":{
            "displayName":"ci","role":"fineGrained","createdAt":"2026-01-02T03:04:05.000Z",
            "fineGrained":{"canReadGatedRepos":true,"global":["discussion.write"],"scoped":[
            {"entity":{"_id":"1","type":"model","name":"alice/tiny"},"permissions":["repo.write"]},
            {"patterns":[{"resourceType":"inference-endpoint"}],"permissions":["x"]}]}}}}"#,
        );
        assert_eq!(identity.user, "alice");
        assert_eq!(identity.role, Some(TokenRole::FineGrained));
        assert_eq!(
            identity.organizations[0].role_in_org,
            Some(OrganizationRole::Read)
        );
        assert_eq!(identity.scopes.len(), 2);
        assert_eq!(
            identity.scopes[0].entity_name.as_deref(),
            Some("alice/tiny")
        );
        assert_eq!(identity.scopes[1].entity_type, None);
        assert!(identity.can_read_gated_repos);
        assert_eq!(identity.expires_at.unwrap().year(), 2027);
    }

    #[test]
    fn an_identity_is_the_same_after_serialization() {
        for role in ["read", "write", "fineGrained", "god", "a role of 2031"] {
            let identity = parse(&format!(
                r#"{{"type":"user","name":"alice","isPro":true,"orgs":[{{"name":"acme",
                "roleInOrg":"{role}","resourceGroups":[1]}}],"auth":{{"type":"access_token",
                "accessToken":{{"role":"{role}","createdAt":"2026-01-02T03:04:05.678Z",
                "fineGrained":{{"global":["discussion.write"],"scoped":[{{"entity":{{"type":"model",
                "name":"alice/tiny"}},"permissions":["repo.write"]}}]}}}}}}}}"#
            ));
            let text = serde_json::to_string(&identity).unwrap();
            assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), identity);
            let later = text.replacen('{', r#"{"of2031":[{}],"#, 1);
            assert_eq!(serde_json::from_str::<Identity>(&later).unwrap(), identity);
        }
    }

    #[test]
    fn a_serialized_identity_names_a_hub_that_may_receive_tokens() {
        for text in [
            r#"{"endpoint":"http://hub.example","user":"alice","type":"user"}"#,
            r#"{"user":"alice","type":"user"}"#,
            r#"{"endpoint":"https://huggingface.co","type":"user"}"#,
        ] {
            assert!(serde_json::from_str::<Identity>(text).is_err(), "{text}");
        }
        let least = r#"{"endpoint":"https://huggingface.co","user":"alice","type":"user"}"#;
        let identity: Identity = serde_json::from_str(least).unwrap();
        assert_eq!(identity, parse(r#"{"name":"alice"}"#));
    }

    #[test]
    fn the_least_answer_is_a_name() {
        let identity = parse(r#"{"name":"alice"}"#);
        assert_eq!(identity.role, None);
        assert!(identity.organizations.is_empty());
    }

    #[test]
    fn odd_fields_do_not_hide_the_others() {
        let identity = parse(
            r#"{"name":"alice","type":7,"fullname":null,"isPro":"yes","orgs":[{"x":1},{"name":"acme",
            "roleInOrg":3,"missingMFA":true}],"auth":{"type":"access_token","accessToken":{"role":"write",
            "createdAt":"yesterday","displayName":["x"]}}}"#,
        );
        assert_eq!(identity.role, Some(TokenRole::Write));
        assert_eq!(identity.organizations.len(), 1);
        assert_eq!(identity.organizations[0].security_restrictions, ["mfa"]);
        assert_eq!(identity.created_at, None);
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"name":""}"#,
            "<html>",
            r#"{"name":1}"#,
        ] {
            assert!(
                Identity::parse(body.as_bytes(), &Endpoint::default_hub()).is_err(),
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Identity::parse(&body, &Endpoint::default_hub());
        }
    }
}
