//! Looks up when a stored token expires, wherever its value was found this time.
//!
//! The same value may come from a variable, from an argument, or from `huggingface_hub`'s token
//! file, and only the store knows when it expires: from a login here, or from an OAuth login of
//! `huggingface_hub`. The files are read again only when they have changed.

use std::path::{Path, PathBuf};

use super::cache::FileStamp;
use crate::endpoint::Endpoint;
use crate::expiry::Expiry;
use crate::store;
use crate::store::metadata_file::{self, MetadataFile};
use crate::token::{Digest, Token};

/// The expiries in the store that was read last.
#[derive(Default)]
pub(super) struct StoredExpiries(Option<Known>);

struct Known {
    stored_tokens: PathBuf,
    stamps: [Option<FileStamp>; 2],
    metadata: MetadataFile,
    /// Those in the file of the named tokens itself.
    expiries: Vec<(Digest, Expiry)>,
}

impl StoredExpiries {
    /// When a token of a Hub expires, as far as the store knows.
    ///
    /// Files that cannot be read are not an error here, because the caller has the token already.
    pub(super) fn of(
        &mut self,
        stored_tokens: &Path,
        token: &Token,
        endpoint: &Endpoint,
    ) -> Expiry {
        let stamps = [
            FileStamp::of(stored_tokens),
            FileStamp::of(&metadata_file::path(stored_tokens)),
        ];
        if stamps.iter().all(Option::is_none) {
            return Expiry::UNKNOWN;
        }
        let is_settled = stamps.iter().flatten().all(FileStamp::is_settled);
        let known = match self.0.take() {
            Some(known)
                if is_settled && known.stored_tokens == stored_tokens && known.stamps == stamps =>
            {
                known
            }
            _ => Known::read(stored_tokens, stamps),
        };
        let expiry = known.of(token, endpoint);
        self.0 = Some(known);
        expiry
    }
}

impl Known {
    fn read(stored_tokens: &Path, stamps: [Option<FileStamp>; 2]) -> Self {
        let expiries = store::read(stored_tokens)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| {
                let expires_at = Expiry::at_unix_seconds(entry.expires_at?);
                let token = Token::parse(&entry.value).ok()??;
                Some((token.digest(), expires_at))
            });
        Self {
            stored_tokens: stored_tokens.to_owned(),
            stamps,
            metadata: MetadataFile::read(stored_tokens).unwrap_or_default(),
            expiries: expiries.collect(),
        }
    }

    fn of(&self, token: &Token, endpoint: &Endpoint) -> Expiry {
        if self.metadata.is_empty() && self.expiries.is_empty() {
            return Expiry::UNKNOWN;
        }
        let digest = token.digest();
        let record = self.metadata.get(digest).ok().flatten();
        // What another Hub said about the same value says nothing here.
        if record
            .as_ref()
            .is_some_and(|record| record.endpoint != *endpoint)
        {
            return Expiry::UNKNOWN;
        }
        let recorded = Expiry::from_unix_seconds(record.and_then(|record| record.expires_at));
        self.expiries
            .iter()
            .filter(|(known, _)| *known == digest)
            .fold(recorded, |earliest, (_, expiry)| earliest.earlier(*expiry))
    }
}
