//! What `stored_tokens` has no field for: the Hub, the user and the role of a stored token.
//!
//! `huggingface_hub` drops fields that it does not know, so they are kept in a file of ours beside
//! it, by the token's digest and without a token. Losing an entry makes a token the ambient
//! endpoint's again, as a token that `huggingface_hub` stored is; a file that cannot be understood
//! is an error, since a token could go to the wrong Hub without it.
//!
//! Most who read it change nothing, so it is read into records at first, and into a document only
//! when it is edited: fields that are not known stay.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::records::{Record, Records};
use crate::error::Error;
use crate::file;
use crate::printable::printable_path;
use crate::token::Digest;

/// The largest file that is read, in bytes.
const MAXIMUM_SIZE: u64 = 8 * 1024 * 1024;

/// The file's content.
#[derive(Default)]
pub struct Endpoints {
    text: String,
    records: Records,
    /// What was added since.
    added: HashMap<Digest, Record>,
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
                printable_path(&path)
            ))
        };
        let bytes = file::read_bytes(&path, MAXIMUM_SIZE)
            .map_err(|problem| broken(&format!("cannot be read: {problem}")))?;
        let Some(mut bytes) = bytes else {
            return Ok(Self::default());
        };
        // No secret is in it, so that it need not be wiped.
        let text = String::from_utf8(std::mem::take(&mut *bytes))
            .map_err(|_| broken("is not text (UTF-8)"))?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let records = Records::parse(&text).ok_or_else(|| broken("is no JSON object"))?;
        Ok(Self {
            text,
            records,
            added: HashMap::new(),
        })
    }

    /// What is known of a token.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`] when the entry names no place for a token.
    pub fn get(&self, digest: Digest) -> Result<Option<Record>, Error> {
        match self.added.get(&digest) {
            Some(added) => Ok(Some(added.clone())),
            None => self.records.get(digest),
        }
    }

    /// Whether nothing is known of any token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.records.is_empty()
    }

    /// Keeps what is known of a token.
    pub fn set(&mut self, digest: Digest, record: &Record) {
        if !matches!(self.records.get(digest), Ok(Some(known)) if known == *record) {
            self.added.insert(digest, record.clone());
        }
    }

    /// Whether something was added since it was read.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.added.is_empty()
    }

    /// The file's text, with what was added.
    #[must_use]
    pub fn text(&self) -> String {
        print(self.content())
    }

    /// The file's text with the tokens of these digests alone; `None` when no other is known, and
    /// an empty one when nothing is left to be told.
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
        // It was an object when it was read; an empty text is no JSON, and an empty object here.
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

fn to_json(record: &Record) -> Value {
    json!({
        "endpoint": record.endpoint.as_str(),
        "user": record.user,
        "role": record.role,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    })
}

fn print(content: Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(content))
}
