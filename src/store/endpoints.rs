//! What `stored_tokens` has no field for: the Hub, the user and the role of a stored token.
//!
//! `huggingface_hub` drops fields that it does not know, so they are kept in a file of ours beside
//! it, by the token's digest and without a token. Losing an entry makes a token the ambient
//! endpoint's again, as a token that `huggingface_hub` stored is; a file that cannot be understood
//! is an error, since a token could go to the wrong Hub without it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::file;
use crate::token::Digest;

/// The largest file that is read, in bytes.
const MAXIMUM_SIZE: u64 = 8 * 1024 * 1024;

/// What is known of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The Hub that it was checked at.
    pub endpoint: Endpoint,
    /// The account.
    pub user: Option<String>,
    /// The role's name.
    pub role: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<i64>,
}

/// The file's content; fields that are not known stay.
#[derive(Default)]
pub struct Endpoints {
    content: Map<String, Value>,
}

/// The file beside `stored_tokens`.
#[must_use]
pub fn path(stored_tokens: &Path) -> PathBuf {
    stored_tokens.with_file_name("hubtoken_endpoints.json")
}

impl Endpoints {
    /// Reads the file beside `stored_tokens`; a missing one is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn read(stored_tokens: &Path) -> Result<Self, Error> {
        let path = path(stored_tokens);
        let broken = |what: &str| {
            Error::Store(format!(
                "{} says which Hub a token belongs to, and {what}. Mend it or move it away",
                path.display()
            ))
        };
        let text = file::read_secret(&path, MAXIMUM_SIZE)
            .map_err(|problem| broken(&format!("cannot be read: {problem}")))?;
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self::default());
        };
        match serde_json::from_str(&text) {
            Ok(content) => Ok(Self { content }),
            Err(_) => Err(broken("is no JSON object")),
        }
    }

    /// What is known of a token.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] when the entry names no place for a token.
    pub fn get(&self, digest: Digest) -> Result<Option<Record>, Error> {
        if self.content.is_empty() {
            return Ok(None);
        }
        let Some(entry) = self.tokens().and_then(|tokens| tokens.get(&digest.hex())) else {
            return Ok(None);
        };
        let text = |key: &str| entry.get(key)?.as_str();
        let endpoint = Endpoint::parse(text("endpoint").unwrap_or_default())
            .map_err(|error| error.context("hubtoken_endpoints.json"))?;
        Ok(Some(Record {
            endpoint,
            user: text("user").map(str::to_owned),
            role: text("role").map(str::to_owned),
            created_at: entry.get("created_at").and_then(Value::as_i64),
            expires_at: entry.get("expires_at").and_then(Value::as_i64),
        }))
    }

    /// Keeps what is known of a token.
    pub fn set(&mut self, digest: Digest, record: &Record) {
        let tokens = self
            .content
            .entry("tokens")
            .or_insert_with(|| Value::Object(Map::new()));
        if !tokens.is_object() {
            *tokens = Value::Object(Map::new());
        }
        if let Some(tokens) = tokens.as_object_mut() {
            tokens.insert(
                digest.hex(),
                json!({
                    "endpoint": record.endpoint.as_str(),
                    "user": record.user,
                    "role": record.role,
                    "created_at": record.created_at,
                    "expires_at": record.expires_at,
                }),
            );
        }
    }

    /// Keeps only the tokens for which `keep` says so; tells whether that changed anything.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> bool {
        let Some(Value::Object(tokens)) = self.content.get_mut("tokens") else {
            return false;
        };
        let before = tokens.len();
        tokens.retain(|digest, _| keep(digest));
        tokens.len() != before
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:#}\n", Value::Object(self.content.clone()))
    }

    fn tokens(&self) -> Option<&Map<String, Value>> {
        self.content.get("tokens")?.as_object()
    }
}
