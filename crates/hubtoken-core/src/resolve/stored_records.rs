//! Looks up what the store records about a value, wherever that was found this time: the Hub that it
//! belongs to, and when it expires.
//!
//! The same value may come from a variable, from an argument, or from `huggingface_hub`'s token
//! file, and only the store knows when it expires: from a login here, or from an OAuth login of
//! `huggingface_hub`. The files are read again only when they have changed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::cache::FileStamp;
use crate::credential::Renewal;
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
    ends: Cached<Vec<StoredEnd>>,
}

/// The end of a stored token, and its name if it can be renewed.
struct StoredEnd {
    digest: Digest,
    expires_at: i64,
    renewable: Option<String>,
}

/// When a token expires, as far as the store knows, and how it is renewed.
#[derive(Default)]
pub(super) struct StoredTimes {
    pub(super) expires_at: Expiry,
    pub(super) renewal: Option<Renewal>,
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

    /// When a token of a Hub expires and is renewed, as far as the store knows.
    ///
    /// Files that cannot be read are not an error here, because the caller has the token already.
    pub(super) fn times(
        &mut self,
        stored_tokens: &Path,
        token: &Token,
        endpoint: &Endpoint,
    ) -> StoredTimes {
        let record = self.metadata(stored_tokens, token).ok().flatten();
        // What another Hub said about the same value says nothing here.
        if record
            .as_ref()
            .is_some_and(|record| record.endpoint != *endpoint)
        {
            return StoredTimes::default();
        }
        let digest = token.digest();
        let ends = self.ends.read(stored_tokens, || ends(stored_tokens));
        let ends = ends.ok().flatten().map_or(&[][..], Vec::as_slice);
        let own = || ends.iter().filter(|end| end.digest == digest);
        let recorded = Expiry::from_unix_seconds(record.as_ref().and_then(|own| own.expires_at));
        let expires_at = own()
            .map(|end| Expiry::at_unix_seconds(end.expires_at))
            .fold(recorded, Expiry::earlier);
        let renewal = own()
            .find_map(|end| Some((end.renewable.clone()?, end.expires_at)))
            .map(|(profile, end)| renewal(profile, end, token, record.as_ref()));
        StoredTimes {
            expires_at,
            renewal: renewal.or_else(|| self.replaced(digest)),
        }
    }

    /// The renewal of a token that is not stored any more, since another process has renewed it. The
    /// token file still has it if that process was killed in between.
    fn replaced(&self, digest: Digest) -> Option<Renewal> {
        let (_, _, metadata) = self.metadata.0.as_ref()?;
        let successor = metadata.successor(digest)?;
        let (_, _, ends) = self.ends.0.as_ref()?;
        let end = ends.iter().find(|end| end.digest == successor)?;
        Some(Renewal::replaced(end.renewable.clone()?))
    }
}

/// The renewal of a stored token that has a refresh token.
pub(super) fn renewal(
    profile: String,
    expires_at: i64,
    token: &Token,
    record: Option<&TokenMetadata>,
) -> Renewal {
    let issued_at = record.and_then(|record| record.created_at);
    let known = issued_at.map(|issued| expires_at.saturating_sub(issued));
    let replaces = record.and_then(|record| record.replaces);
    let lifetime = token.lifetime().or(known);
    Renewal::new(profile, expires_at, lifetime).issued(issued_at, replaces)
}

fn ends(stored_tokens: &Path) -> Result<Vec<StoredEnd>, Error> {
    let ends = store::read(stored_tokens)?.into_iter().filter_map(|entry| {
        let expires_at = entry.expires_at?;
        let token = Token::parse(&entry.value).ok()??;
        Some(StoredEnd {
            digest: token.digest(),
            expires_at,
            renewable: entry.has_refresh_token.then_some(entry.name),
        })
    });
    Ok(ends.collect())
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
