//! Parses the records of `hubtoken_endpoints.json` in one pass.
//!
//! Listing the stored tokens may read a thousand records, so only what is needed is built, and each
//! distinct endpoint is validated once. A file that is an object but has unexpected fields, for
//! example after a manual edit, is read field by field.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::token::Digest;

/// The metadata of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMetadata {
    /// The Hub that it was checked against.
    pub endpoint: Endpoint,
    /// The account.
    pub user: Option<String>,
    /// The name of the role.
    pub role: Option<String>,
    /// The organizations that the account belongs to.
    pub organizations: Vec<String>,
    /// When it was created, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether the Hub has identified it. If not, only the endpoint is known.
    pub verified: bool,
    /// Whether it was handed to git's own credential helpers, which keep a copy.
    pub in_git: bool,
    /// The token that it has replaced in a renewal, which the token file may still hold if the
    /// process that renewed it was killed.
    pub replaces: Option<Digest>,
}

impl TokenMetadata {
    /// The record of a token that was stored without asking its Hub.
    #[must_use]
    pub fn unverified(endpoint: Endpoint) -> Self {
        Self {
            verified: false,
            ..Self::unknown(endpoint)
        }
    }

    /// The record of a token without metadata, for the Hub it would be sent to.
    pub(super) fn unknown(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            user: None,
            role: None,
            organizations: Vec::new(),
            created_at: None,
            expires_at: None,
            verified: true,
            in_git: false,
            replaces: None,
        }
    }

    /// What is known after a login: nothing that was verified is lost to a login that was not, and
    /// what git's helpers were given they still have.
    pub(super) fn after(&self, known: Option<&Self>) -> Self {
        let Some(known) = known else {
            return self.clone();
        };
        let is_downgrade = !self.verified && known.verified && known.endpoint == self.endpoint;
        let latest = if is_downgrade { known } else { self };
        Self {
            in_git: self.in_git || known.in_git,
            replaces: self.replaces.or(known.replaces),
            ..latest.clone()
        }
    }
}

/// Records by token digest.
#[derive(Default)]
pub(super) struct MetadataIndex {
    entries: HashMap<Digest, Entry>,
    /// The distinct endpoints that the records name.
    endpoints: Vec<(String, Result<Endpoint, Error>)>,
}

struct Entry {
    /// The index of its endpoint in `places`.
    endpoint_index: usize,
    user: Option<String>,
    role: Option<String>,
    organizations: Vec<String>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    verified: bool,
    in_git: bool,
    replaces: Option<Digest>,
}

impl MetadataIndex {
    /// Parses a text; `None` if it is not a JSON object.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut records = Self::default();
        // serde would also accept a list for a struct.
        if !text.trim_start().starts_with('{') {
            return None;
        }
        if let Ok(file) = serde_json::from_str::<File>(text) {
            records.entries.reserve(file.tokens.0.len());
            for (digest, raw) in file.tokens.0 {
                records.add(digest, raw);
            }
            return Some(records);
        }
        let content: Map<String, Value> = serde_json::from_str(text).ok()?;
        let tokens = content.get("tokens").and_then(Value::as_object);
        for (key, entry) in tokens.into_iter().flatten() {
            if let Some(digest) = Digest::from_hex(key) {
                records.add(digest, RawMetadata::of(entry));
            }
        }
        Some(records)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The record of a token.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] if its endpoint is one that tokens must not be sent to.
    pub(super) fn get(&self, digest: Digest) -> Result<Option<TokenMetadata>, Error> {
        let Some(entry) = self.entries.get(&digest) else {
            return Ok(None);
        };
        Ok(Some(TokenMetadata {
            endpoint: self.endpoints[entry.endpoint_index].1.clone()?,
            user: entry.user.clone(),
            role: entry.role.clone(),
            organizations: entry.organizations.clone(),
            created_at: entry.created_at,
            expires_at: entry.expires_at,
            verified: entry.verified,
            in_git: entry.in_git,
            replaces: entry.replaces,
        }))
    }

    /// The token that has replaced another one.
    pub(super) fn successor(&self, digest: Digest) -> Option<Digest> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| entry.replaces == Some(digest));
        found.map(|(successor, _)| *successor)
    }

    fn add(&mut self, digest: Digest, raw: RawMetadata<'_>) {
        let text = raw.endpoint.as_deref().unwrap_or_default();
        let known = self.endpoints.iter().position(|(known, _)| known == text);
        let endpoint_index = known.unwrap_or_else(|| {
            // Whether its host is still named is checked when the token is used.
            let endpoint = Endpoint::parse_recorded(text);
            let endpoint = endpoint.map_err(|error| error.context("hubtoken_endpoints.json"));
            self.endpoints.push((text.to_owned(), endpoint));
            self.endpoints.len() - 1
        });
        let entry = Entry {
            endpoint_index,
            user: raw.user.map(Cow::into_owned),
            role: raw.role.map(Cow::into_owned),
            organizations: raw.organizations,
            created_at: raw.created_at,
            expires_at: raw.expires_at,
            // Written only if it is not so.
            verified: raw.verified.unwrap_or(true),
            in_git: raw.in_git.unwrap_or_default(),
            replaces: raw.replaces.as_deref().and_then(Digest::from_hex),
        };
        self.entries.insert(digest, entry);
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    tokens: Tokens<'a>,
}

/// A record as written in the file.
#[derive(Deserialize)]
struct RawMetadata<'a> {
    #[serde(borrow)]
    endpoint: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    // Absent from records of earlier versions.
    #[serde(default)]
    organizations: Vec<String>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    verified: Option<bool>,
    in_git: Option<bool>,
    #[serde(borrow)]
    replaces: Option<Cow<'a, str>>,
}

impl<'a> RawMetadata<'a> {
    /// The fields of an entry that have the right type.
    fn of(entry: &'a Value) -> Self {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(Cow::from);
        let number = |key: &str| entry.get(key).and_then(Value::as_i64);
        let flag = |key: &str| entry.get(key).and_then(Value::as_bool);
        Self {
            endpoint: text("endpoint"),
            user: text("user"),
            role: text("role"),
            organizations: entry
                .get("organizations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            created_at: number("created_at"),
            expires_at: number("expires_at"),
            verified: flag("verified"),
            in_git: flag("in_git"),
            replaces: text("replaces"),
        }
    }
}

#[derive(Default)]
struct Tokens<'a>(Vec<(Digest, RawMetadata<'a>)>);

impl<'a, 'de: 'a> Deserialize<'de> for Tokens<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByDigest).map(Self)
    }
}

struct ByDigest;

impl<'de> Visitor<'de> for ByDigest {
    type Value = Vec<(Digest, RawMetadata<'de>)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("records by digest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match Digest::from_hex(&key) {
                Some(digest) => records.push((digest, map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_is_not_quite_ours_is_read_as_far_as_it_is() {
        let digest = Digest::of("hf_Fake");
        let other = Digest::of("hf_Other");
        let record = |more: &str| {
            format!(
                r#"{{"note": [1], "tokens": {{"mine": 7, "{}": {{"endpoint": "https://hub.example",
                "user": "al\u0069ce", "created_at": 5{more}}}, "{}": {{"endpoint": "ftp://x"}}}}}}"#,
                digest.hex(),
                other.hex()
            )
        };
        for (more, organizations) in [
            ("", &[][..]),
            (r#", "role": null, "x": {}"#, &[]),
            (r#", "role": 7, "organizations": ["acme", 7]"#, &["acme"]),
            (r#", "organizations": ["acme", "b"]"#, &["acme", "b"]),
            (r#", "organizations": null"#, &[]),
        ] {
            let records = MetadataIndex::parse(&record(more)).unwrap();
            let found = records.get(digest).unwrap().unwrap();
            assert_eq!(found.endpoint.as_str(), "https://hub.example");
            assert_eq!((found.user.as_deref(), found.role), (Some("alice"), None));
            assert_eq!(found.organizations, organizations);
            assert_eq!((found.created_at, found.expires_at), (Some(5), None));
            assert!(records.get(Digest::of("hf_Third")).unwrap().is_none());
            // It names an endpoint that tokens must not be sent to, which is different from a
            // missing record.
            assert!(records.get(other).is_err());
        }
        for nothing in ["{}", r#"{"tokens": []}"#, r#"{"tokens": {}}"#] {
            let records = MetadataIndex::parse(nothing).unwrap();
            assert!(records.get(digest).unwrap().is_none());
        }
        for broken in ["[]", "7", "{", r#"{"tokens": {"#] {
            assert!(MetadataIndex::parse(broken).is_none(), "{broken}");
        }
        let bare = format!(r#"{{"tokens": {{"{}": 7}}}}"#, digest.hex());
        assert!(MetadataIndex::parse(&bare).unwrap().get(digest).is_err());
    }
}
