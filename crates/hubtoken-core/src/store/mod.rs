//! Stores named tokens in files shared with `huggingface_hub`.
//!
//! Both libraries read and write the same `stored_tokens`, so each can use tokens that the other
//! stored. Metadata that does not fit those files is in a separate file ([`metadata_file`]). This
//! module reads the store and never writes; [`machine`] has the operations that change it.

pub mod addition;
mod atomic_write;
mod files;
mod folder;
pub mod ini;
pub mod ini_document;
mod ini_lines;
pub mod keyring;
mod keyring_items;
mod lock;
pub mod logout;
pub mod metadata_file;
mod moving;
pub mod name;
pub mod rename;
mod renewal;
mod stored_token;
#[cfg(test)]
mod tests;
mod token_metadata;
pub mod token_store;
mod transaction;

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use self::ini_lines::{DEFAULT, IniLine, estimated_tokens, ini_lines};
use self::keyring::KeyringItem;
pub use self::moving::Moved;
pub use self::renewal::{IssuedToken, RenewError, RenewedToken};
pub(crate) use self::stored_token::by_name;
pub use self::stored_token::{Entry, IssuedFields, StoredToken};
pub use self::token_metadata::TokenMetadata;
use crate::bounded_file;
use crate::error::Error;
use crate::sanitize::redacted_path;

/// The maximum size of `stored_tokens`, in bytes.
const MAXIMUM_SIZE: u64 = 8 * 1024 * 1024;
/// A file modified more recently than this may be incomplete: `huggingface_hub` truncates the file
/// before writing it, and does not take the lock to log in or out.
const SETTLED: Duration = Duration::from_millis(50);
/// The pause before such a file is read again.
const PAUSE: Duration = Duration::from_millis(2);

/// Reads the stored tokens whose values are in the file. A missing file counts as empty.
///
/// # Errors
///
/// [`Error::Store`] if the file exists and cannot be read or parsed. The message gives the line
/// number and never quotes the line.
pub fn read(path: &Path) -> Result<Vec<StoredToken>, Error> {
    read_by(path, entries)
}

/// Reads all stored tokens, with those whose values are in the system's keyring.
///
/// # Errors
///
/// As for [`read`].
pub fn read_all(path: &Path) -> Result<Vec<StoredToken>, Error> {
    read_by(path, all_entries)
}

fn read_by(
    path: &Path,
    parse: impl Fn(&str) -> Result<Vec<StoredToken>, String>,
) -> Result<Vec<StoredToken>, Error> {
    settled(path, parse)?.map_err(|problem| {
        Error::Store(format!(
            "the stored tokens in {} cannot be understood: {problem}. Fix the file or move it \
             away; nothing was changed",
            redacted_path(path)
        ))
    })
}

/// Reads and parses `stored_tokens` once it is not being written. The outer error is about disk
/// access, the inner one about the content.
fn settled<T>(
    path: &Path,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Result<T, String>, Error> {
    settled_by(SystemTime::now, path, parse)
}

/// The same, with a given clock.
fn settled_by<T>(
    now: impl Fn() -> SystemTime,
    path: &Path,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Result<T, String>, Error> {
    loop {
        let bytes = bounded_file::read_bytes(path, MAXIMUM_SIZE).map_err(|problem| {
            Error::Store(format!("the stored tokens cannot be read: {problem}"))
        })?;
        let Some(bytes) = bytes else {
            return Ok(parse(""));
        };
        let (parsed, ends) = match bounded_file::into_utf8(bytes) {
            // `huggingface_hub` and hubtoken end each section with a blank line.
            Some(text) => (parse(&text), text.ends_with("\n\n")),
            None => (Err("it is not text (UTF-8)".to_owned()), false),
        };
        if (parsed.is_ok() && ends) || !changed_lately(path, now()) {
            return Ok(parsed);
        }
        thread::sleep(PAUSE);
    }
}

fn changed_lately(path: &Path, now: SystemTime) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    // A time in the future means that the clock was changed, not that the file is being written.
    modified
        .ok()
        .and_then(|modified| now.duration_since(modified).ok())
        .is_some_and(|age| age < SETTLED)
}

/// The stored tokens in a text whose values are in it.
fn entries(text: &str) -> Result<Vec<StoredToken>, String> {
    let mut stored = all_entries(text)?;
    stored.retain(|entry| !entry.is_in_keyring());
    Ok(stored)
}

/// All stored tokens in a text.
fn all_entries(text: &str) -> Result<Vec<StoredToken>, String> {
    if let Some(stored) = plain_entries(text)? {
        return Ok(stored);
    }
    let sections = ini::parse(text)?;
    Ok(sections
        .into_iter()
        .filter_map(|mut section| {
            let keyring = section.get(keyring::FIELD);
            let keyring = keyring.and_then(|text| KeyringItem::parse(text));
            let value = section.take("hf_token");
            if value.is_none() && keyring.is_none() {
                return None;
            }
            Some(StoredToken {
                expires_at: section
                    .get("expires_at")
                    .and_then(|text| unix_seconds(text)),
                has_refresh_token: section
                    .get("refresh_token")
                    .is_some_and(|value| !value.trim().is_empty()),
                value: value.unwrap_or_default(),
                name: section.name,
                keyring: keyring.map(Box::new),
            })
        })
        .collect())
}

/// The stored tokens in a text without inheritance or continuation lines, which includes everything
/// that `huggingface_hub` writes. `None` for other texts, which need the full parser.
fn plain_entries(text: &str) -> Result<Option<Vec<StoredToken>>, String> {
    let mut stored: Vec<StoredToken> = Vec::with_capacity(estimated_tokens(text));
    let mut name = "";
    let (mut expires_at, mut has_refresh_token) = (None, false);
    // Whether the last stored token belongs to the current section.
    let mut has_token = false;
    for line in ini_lines(text) {
        match line?.1 {
            IniLine::Section(DEFAULT) | IniLine::Continuation(_) => return Ok(None),
            IniLine::Section(next) => {
                (name, expires_at, has_token) = (next, None, false);
                has_refresh_token = false;
            }
            IniLine::Field { key, value, .. } if key == "hf_token" => {
                if !has_token {
                    stored.push(StoredToken::empty(name, expires_at));
                }
                has_token = true;
                if let Some(last) = stored.last_mut() {
                    last.value = Zeroizing::new(value.to_owned());
                    last.has_refresh_token = has_refresh_token;
                }
            }
            IniLine::Field { key, value, .. } if key == keyring::FIELD => {
                let Some(item) = KeyringItem::parse(value) else {
                    continue;
                };
                if !has_token {
                    stored.push(StoredToken::empty(name, expires_at));
                }
                has_token = true;
                if let Some(last) = stored.last_mut() {
                    last.keyring = Some(Box::new(item));
                    last.has_refresh_token = has_refresh_token;
                }
            }
            IniLine::Field { key, value, .. } if key == "expires_at" => {
                expires_at = unix_seconds(value);
                if let Some(last) = stored.last_mut().filter(|_| has_token) {
                    last.expires_at = expires_at;
                }
            }
            IniLine::Field { key, value, .. } if key == "refresh_token" => {
                has_refresh_token = !value.trim().is_empty();
                if let Some(last) = stored.last_mut().filter(|_| has_token) {
                    last.has_refresh_token = has_refresh_token;
                }
            }
            IniLine::Field { .. } => {}
        }
    }
    Ok(Some(stored))
}

fn unix_seconds(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}
