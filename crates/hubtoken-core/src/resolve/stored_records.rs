//! Looks up what the store records about a value, wherever that was found this time: the Hub that it
//! belongs to, and when it expires.
//!
//! The same value may come from a variable, from an argument, or from `huggingface_hub`'s token
//! file, and only the store knows when it expires: from a login here, or from an OAuth login of
//! `huggingface_hub`. The files are read again only when they have changed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::cache::FileStamp;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::store;
use crate::store::TokenMetadata;
use crate::store::metadata_file::{self, MetadataFile};
use crate::token::{Digest, Token};

/// The records of the store that was read last.
#[derive(Default)]
pub(super) struct StoredRecords {
    metadata: Cached<MetadataFile>,
    /// Those in the file of the named tokens itself.
    expiries: Cached<Vec<(Digest, Expiry)>>,
}

impl StoredRecords {
    /// The metadata of a token.
    ///
    /// # Errors
    ///
    /// As for [`MetadataFile::read`] and [`MetadataFile::get`].
    pub(super) fn metadata(
        &mut self,
        stored_tokens: &Path,
        token: &Token,
    ) -> Result<Option<TokenMetadata>, Error> {
        let path = metadata_file::path(stored_tokens);
        let file = self
            .metadata
            .read(&path, || MetadataFile::read(stored_tokens))?;
        match file {
            Some(file) if !file.is_empty() => file.get(token.digest()),
            _ => Ok(None),
        }
    }

    /// When a token of a Hub expires, as far as the store knows.
    ///
    /// Files that cannot be read are not an error here, because the caller has the token already.
    pub(super) fn expiry(
        &mut self,
        stored_tokens: &Path,
        token: &Token,
        endpoint: &Endpoint,
    ) -> Expiry {
        let record = self.metadata(stored_tokens, token).ok().flatten();
        // What another Hub said about the same value says nothing here.
        if record
            .as_ref()
            .is_some_and(|record| record.endpoint != *endpoint)
        {
            return Expiry::UNKNOWN;
        }
        let recorded = Expiry::from_unix_seconds(record.and_then(|record| record.expires_at));
        let expiries = self
            .expiries
            .read(stored_tokens, || expiries(stored_tokens));
        expiries
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .filter(|(known, _)| *known == token.digest())
            .fold(recorded, |earliest, (_, expiry)| earliest.earlier(*expiry))
    }
}

fn expiries(stored_tokens: &Path) -> Result<Vec<(Digest, Expiry)>, Error> {
    let expiries = store::read(stored_tokens)?.into_iter().filter_map(|entry| {
        let expires_at = Expiry::at_unix_seconds(entry.expires_at?);
        let token = Token::parse(&entry.value).ok()??;
        Some((token.digest(), expires_at))
    });
    Ok(expiries.collect())
}

/// What was read from a file, and the file's stamp from before, if that tells of every change.
struct Cached<T>(Option<(PathBuf, Option<FileStamp>, T)>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Cached<T> {
    /// The content of a file, which `read` reads if it is not known; `None` if there is no file.
    fn read(
        &mut self,
        path: &Path,
        read: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<&T>, Error> {
        let stamp = match FileStamp::read(path) {
            Ok(stamp) => Some(stamp),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // Reading it says what is wrong.
            Err(_) => None,
        };
        let is_known = stamp.is_some()
            && self
                .0
                .as_ref()
                .is_some_and(|(known, before, _)| known == path && *before == stamp);
        if !is_known {
            // A file that has just changed may change again without a change of its stamp.
            let stamp = stamp.filter(FileStamp::is_settled);
            self.0 = Some((path.to_owned(), stamp, read()?));
        }
        Ok(self.0.as_ref().map(|(_, _, content)| content))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::*;

    /// Writes a file with a given time of change, and reads it through the cache.
    fn written(
        cached: &mut Cached<String>,
        path: &Path,
        text: &str,
        changed: SystemTime,
    ) -> String {
        fs::write(path, text).unwrap();
        File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(changed)
            .unwrap();
        let content = cached.read(path, || Ok(fs::read_to_string(path).unwrap()));
        content.unwrap().unwrap().clone()
    }

    #[test]
    fn a_file_is_read_again_only_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut cached = Cached::default();
        let never = || -> Result<String, Error> { panic!("it was read") };
        assert_eq!(cached.read(&path, never).unwrap(), None);
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        assert_eq!(written(&mut cached, &path, "one", long_ago), "one");
        assert_eq!(cached.read(&path, never).unwrap().unwrap(), "one");
        assert_eq!(written(&mut cached, &path, "other", long_ago), "other");
        // What has just changed is not kept, since a second change might not show.
        let soon = SystemTime::now() + Duration::from_hours(1);
        assert_eq!(written(&mut cached, &path, "again", soon), "again");
        let content = cached.read(&path, || Ok("anew".to_owned()));
        assert_eq!(content.unwrap().unwrap(), "anew");
        fs::remove_file(&path).unwrap();
        assert_eq!(cached.read(&path, never).unwrap(), None);
    }
}
