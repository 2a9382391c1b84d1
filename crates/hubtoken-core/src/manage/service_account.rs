//! Service accounts as a Hub describes them.
//!
//! Parsing is as lenient as for an identity: fields may be missing or new. An entry without a usable
//! ID is left out, since nothing could be done with it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::name_lookup::only;
use crate::error::Error;
use crate::sanitize::replace_controls;
use crate::timestamp;

/// The longest ID that is used in a path. The Hub's have 24 characters.
const MAXIMUM_ID: usize = 64;
/// How many of a value's last characters may be shown.
const LAST: usize = 4;

/// An account of an organization that no person signs in to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its ID on the Hub.
    pub id: String,
    /// The name by which logs and commits refer to it.
    pub user: String,
    /// The display name, which need not be unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    #[serde(default, with = "timestamp::optional")]
    pub created_at: Option<OffsetDateTime>,
    /// Its tokens, oldest first; `None` in a list of accounts, which has none.
    #[serde(default)]
    pub tokens: Option<Vec<AccountToken>>,
}

/// A token of a service account, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountToken {
    /// Its ID on the Hub, which stays when the token is rotated.
    pub id: String,
    /// The display name, which need not be unique.
    pub name: String,
    /// When it was created.
    #[serde(default, with = "timestamp::optional")]
    pub created_at: Option<OffsetDateTime>,
    /// When it was last used.
    #[serde(default, with = "timestamp::optional")]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it expires.
    #[serde(default, with = "timestamp::optional")]
    pub expires_at: Option<OffsetDateTime>,
    /// The permissions on the whole organization.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The IDs of the repositories for which other permissions apply.
    #[serde(default)]
    pub repo_ids: Vec<String>,
    /// Those other permissions.
    #[serde(default)]
    pub repo_permissions: Vec<String>,
    /// The inference endpoints that the permissions for endpoints are limited to.
    #[serde(default)]
    pub endpoint_patterns: Vec<String>,
    /// The last characters of the value, if the Hub shows them.
    pub last4: Option<String>,
    /// Whether it is exempt from the organization's network security.
    #[serde(default)]
    pub skip_network_security: bool,
}

impl ServiceAccount {
    /// Parses an account. The answer to a creation has the display name in another field.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let user = text(value, "user")?;
        let name = text(value, "name").or_else(|| text(value, "fullname"));
        Some(Self {
            id: id(value)?,
            name: name.unwrap_or_else(|| user.clone()),
            user,
            description: text(value, "description"),
            created_at: moment(value, "createdAt"),
            tokens: value
                .get("accessTokens")
                .and_then(Value::as_array)
                .map(|tokens| tokens.iter().filter_map(AccountToken::parse).collect()),
        })
    }

    /// One of its tokens, by ID or by the display name that no other one has.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] if there is none, or more than one.
    pub fn token(&self, wanted: &str) -> Result<&AccountToken, Error> {
        let tokens = self.tokens.as_deref().unwrap_or_default();
        let by_id = |id: &str| {
            tokens
                .iter()
                .find(|token| token.id.eq_ignore_ascii_case(id))
        };
        if let Some(token) = by_id(wanted) {
            return Ok(token);
        }
        let known = tokens.iter().map(|token| (&token.name, &token.id));
        let what = format!("token of the service account `{}`", self.name);
        let id = only(&what, wanted, known)?;
        by_id(&id).ok_or_else(|| Error::hub(format!("there is no {what} with the ID {id}")))
    }
}

impl AccountToken {
    pub(super) fn parse(value: &Value) -> Option<Self> {
        Some(Self {
            id: id(value)?,
            name: text(value, "displayName").unwrap_or_default(),
            created_at: moment(value, "createdAt"),
            last_used_at: moment(value, "lastUsedAt"),
            expires_at: moment(value, "expiration"),
            permissions: texts(value, "permissions"),
            repo_ids: texts(value, "repoIds"),
            repo_permissions: texts(value, "repoPermissions"),
            endpoint_patterns: texts(value, "endpointPatterns"),
            last4: text(value, "last4").map(|text| last_characters(&text)),
            skip_network_security: value
                .get("skipNetworkSecurity")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
        })
    }

    /// Whether a text of it repeats a value.
    pub(super) fn holds(&self, value: &str) -> bool {
        let lists = [
            &self.permissions,
            &self.repo_ids,
            &self.repo_permissions,
            &self.endpoint_patterns,
        ];
        let texts = lists.into_iter().flatten().chain([&self.id, &self.name]);
        texts.into_iter().any(|text| text.contains(value))
    }

    /// A token of which a Hub says the value and nothing else.
    pub(super) fn unidentified(name: String) -> Self {
        Self {
            id: String::new(),
            name,
            created_at: None,
            last_used_at: None,
            expires_at: None,
            permissions: Vec::new(),
            repo_ids: Vec::new(),
            repo_permissions: Vec::new(),
            endpoint_patterns: Vec::new(),
            last4: None,
            skip_network_security: false,
        }
    }

    /// What is known after a rotation, whose answer has no more than the names and the times: it does
    /// not change what the token may do.
    pub(super) fn after(self, known: &Self) -> Self {
        Self {
            name: if self.name.is_empty() {
                known.name.clone()
            } else {
                self.name
            },
            created_at: self.created_at.or(known.created_at),
            expires_at: self.expires_at.or(known.expires_at),
            last4: self.last4,
            ..known.clone()
        }
    }
}

/// Whether a text is an ID that a path may contain.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAXIMUM_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text has the form of the Hub's own IDs, so that it is not taken for a name.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An ID, in the field that the Hub has it in.
pub(super) fn id(value: &Value) -> Option<String> {
    let id = value.get("_id")?.as_str()?;
    is_id(id).then(|| id.to_owned())
}

fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    Some(plain(text))
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    let items = value.get(field).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(plain))
        .collect()
}

/// The last four characters, of which a mask has no more either.
pub(super) fn last_characters(text: &str) -> String {
    let more = text.chars().count().saturating_sub(LAST);
    text.chars().skip(more).collect()
}

/// A text that a terminal may show.
fn plain(text: &str) -> String {
    replace_controls(text).into_owned()
}

fn moment(value: &Value, field: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.get(field)?.as_str()?, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_account_is_read_from_each_of_its_answers() {
        let id = "64b0c0ffee0000000000c001";
        let created = ServiceAccount::parse(&json!({
            "_id": id, "user": "acme--ci", "fullname": "CI", "createdAt": "2026-01-02T03:04:05.000Z",
        }))
        .unwrap();
        assert_eq!((created.name.as_str(), created.tokens), ("CI", None));
        let shown = ServiceAccount::parse(&json!({
            "_id": id, "user": "acme--ci", "name": "CI", "email": "x@y.invalid", "description": "d",
            "createdAt": "2026-01-02T03:04:05.000Z", "accessTokens": [
                { "_id": id, "displayName": "a\u{1b}[31m", "role": "fineGrained", "permissions": ["repo.write", 1],
                  "last4": "FakeFakewXyZ", "lastUsedAt": "2026-01-03T03:04:05.000Z" },
                { "displayName": "without an ID" },
                "nothing",
            ],
        }))
        .unwrap();
        assert_eq!(shown.description.as_deref(), Some("d"));
        let tokens = shown.tokens.unwrap();
        assert_eq!(tokens.len(), 1);
        assert!(!tokens[0].name.contains('\u{1b}'));
        assert_eq!(tokens[0].permissions, ["repo.write"]);
        assert_eq!(tokens[0].last4.as_deref(), Some("wXyZ"));
        assert_eq!(tokens[0].last_used_at.unwrap().day(), 3);
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        for id in ["", "../../whoami", "a/b", "a?b", "é", &"a".repeat(65)] {
            assert_eq!(
                ServiceAccount::parse(&json!({ "_id": id, "user": "x" })),
                None
            );
        }
        assert_eq!(
            ServiceAccount::parse(&json!({ "_id": 1, "user": "x" })),
            None
        );
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(text in "[\\[\\]{}\":,a-z_I0-9 \\\\]*") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = (ServiceAccount::parse(&value), AccountToken::parse(&value));
            }
        }
    }
}
