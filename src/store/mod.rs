//! The named tokens of this machine, in `huggingface_hub`'s own files.
//!
//! Both libraries read and write the same `stored_tokens`, so what one of them logs in the other
//! can use. What those files have no room for is in a file of ours ([`endpoints`]). This module
//! reads, and nothing is written on read; [`machine`] has the verbs.

pub mod document;
pub mod endpoints;
pub mod format;
pub mod login;
pub mod machine;
pub mod name;
#[cfg(test)]
mod tests;
pub mod write;

use std::path::Path;

use crate::error::Error;
use crate::file;

/// The largest `stored_tokens` that is read, in bytes.
pub(crate) const MAXIMUM_SIZE: u64 = 8 * 1024 * 1024;

/// One stored token.
pub struct StoredToken {
    /// The name: what the Hub calls the token.
    pub name: String,
    /// The value as it stands in the file.
    pub value: zeroize::Zeroizing<String>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<i64>,
}

/// Reads all stored tokens; a missing file has none.
///
/// # Errors
///
/// [`Error::Store`] when the file is there and cannot be read or understood. The message names
/// the line and never quotes it.
pub fn read(path: &Path) -> Result<Vec<StoredToken>, Error> {
    let Some(text) = file::read_secret(path, MAXIMUM_SIZE)
        .map_err(|problem| Error::Store(format!("the stored tokens cannot be read: {problem}")))?
    else {
        return Ok(Vec::new());
    };
    entries(&text).map_err(|problem| {
        Error::Store(format!(
            "the stored tokens in {} cannot be understood: {problem}. Mend the file or move it \
             away; nothing was changed",
            path.display()
        ))
    })
}

/// The stored tokens of a text.
fn entries(text: &str) -> Result<Vec<StoredToken>, String> {
    let sections = format::parse(text)?;
    Ok(sections
        .into_iter()
        .filter_map(|section| {
            let value = section.get("hf_token")?.clone();
            Some(StoredToken {
                expires_at: section
                    .get("expires_at")
                    .and_then(|text| text.trim().parse().ok()),
                value,
                name: section.name,
            })
        })
        .collect())
}
