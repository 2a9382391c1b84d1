//! Stores the metadata that `stored_tokens` has no fields for: the Hub, the user and the role of a
//! token.
//!
//! `huggingface_hub` drops fields that it does not know, so the metadata is in a separate file next
//! to `stored_tokens`, keyed by the digest of the token. The file contains no tokens. If an entry
//! is lost, its token belongs to the ambient endpoint again, like a token stored by
//! `huggingface_hub`. A file that cannot be parsed is an error, because a token could otherwise be
//! sent to the wrong Hub.
//!
//! Most callers only read the file, so it is parsed into records first, and into a JSON document
//! only when it is edited, which preserves unknown fields.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::token_metadata::{MetadataIndex, TokenMetadata};
use crate::bounded_file;
use crate::error::Error;
use crate::sanitize::redacted_path;
use crate::token::Digest;

/// The maximum file size, in bytes.
const MAXIMUM_SIZE: u64 = 8 * 1024 * 1024;

/// The content of the file.
#[derive(Default)]
pub struct MetadataFile {
    text: String,
    records: MetadataIndex,
    /// The records added since it was read.
    added: HashMap<Digest, TokenMetadata>,
}

/// The path of the file next to `stored_tokens`.
#[must_use]
pub fn path(stored_tokens: &Path) -> PathBuf {
    stored_tokens.with_file_name("hubtoken_endpoints.json")
}

impl MetadataFile {
    /// Reads the file next to `stored_tokens`. A missing file counts as empty.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn read(stored_tokens: &Path) -> Result<Self, Error> {
        let path = path(stored_tokens);
        let broken = |what: &str| {
            Error::Store(format!(
                "{} says which Hub a token belongs to, and {what}. Fix it or move it away",
                redacted_path(&path)
            ))
        };
        let bytes = bounded_file::read_bytes(&path, MAXIMUM_SIZE)
            .map_err(|problem| broken(&format!("cannot be read: {problem}")))?;
        let Some(mut bytes) = bytes else {
            return Ok(Self::default());
        };
        // The text contains no secret, so it does not have to be zeroed.
        let text = String::from_utf8(std::mem::take(&mut *bytes))
            .map_err(|_| broken("is not text (UTF-8)"))?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let records = MetadataIndex::parse(&text).ok_or_else(|| broken("is not a JSON object"))?;
        Ok(Self {
            text,
            records,
            added: HashMap::new(),
        })
    }

    /// The record of a token.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] if the entry names an endpoint that tokens must not be sent to.
    pub fn get(&self, digest: Digest) -> Result<Option<TokenMetadata>, Error> {
        match self.added.get(&digest) {
            Some(added) => Ok(Some(added.clone())),
            None => self.records.get(digest),
        }
    }

    /// The token that has replaced another one in a renewal.
    #[must_use]
    pub fn successor(&self, digest: Digest) -> Option<Digest> {
        self.records.successor(digest)
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.records.is_empty()
    }

    /// Adds or replaces the record of a token.
    pub fn set(&mut self, digest: Digest, record: &TokenMetadata) {
        if !matches!(self.records.get(digest), Ok(Some(known)) if known == *record) {
            self.added.insert(digest, record.clone());
        }
    }

    /// Whether records were added since the file was read.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.added.is_empty()
    }

    /// The text of the file, including added records.
    #[must_use]
    pub fn text(&self) -> String {
        print(self.content())
    }

    /// The text of the file with only the tokens of these digests. `None` if there are no others,
    /// and empty if nothing is left.
    #[must_use]
    pub fn text_of(&self, kept: &HashSet<Digest>) -> Option<String> {
        let mut content = self.content();
        let tokens = content.get_mut("tokens")?.as_object_mut()?;
        let kept: HashSet<String> = kept.iter().map(Digest::hex).collect();
        let before = tokens.len();
        tokens.retain(|digest, _| kept.contains(digest));
        if tokens.len() == before {
            return None;
        }
        if tokens.is_empty() && content.len() == 1 {
            return Some(String::new());
        }
        Some(print(content))
    }

    fn content(&self) -> Map<String, Value> {
        // The text was an object when it was read. An empty text is not JSON and counts as an empty
        // object.
        let mut content: Map<String, Value> = serde_json::from_str(&self.text).unwrap_or_default();
        if self.added.is_empty() {
            return content;
        }
        let tokens = content.entry("tokens").or_insert(Value::Null);
        if !tokens.is_object() {
            *tokens = Value::Object(Map::new());
        }
        if let Some(tokens) = tokens.as_object_mut() {
            let entries = self.added.iter();
            tokens.extend(entries.map(|(digest, record)| (digest.hex(), to_json(record))));
        }
        content
    }
}

fn to_json(record: &TokenMetadata) -> Value {
    let mut entry = json!({
        "endpoint": record.endpoint.as_str(),
        "user": record.user,
        "role": record.role,
        "organizations": record.organizations,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    });
    // Only what is unusual, so that the records of earlier versions stay as they are.
    if !record.verified {
        entry["verified"] = false.into();
    }
    if record.in_git {
        entry["in_git"] = true.into();
    }
    if let Some(replaces) = record.replaces {
        entry["replaces"] = replaces.hex().into();
    }
    entry
}

fn print(content: Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(content))
}
