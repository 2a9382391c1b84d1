//! Signed links, each of which allows a client to upload or download one large file and nothing
//! else.
//!
//! Clients follow them without credentials. A link is [sealed](crate::seal), and bound to a
//! repository, an object, its size, an operation and an expiry one hour later. It is passed in the
//! query, which is not logged.

use std::io;

use time::{Duration, OffsetDateTime};

use crate::registry::Repository;
use crate::repository::lfs::ObjectId;
use crate::seal::{SealingKey, Subject};
use crate::secret::Digest;

/// How long a link is valid, in seconds.
pub(super) const LIFETIME: i64 = 3600;

/// The operation that a link allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Download,
    Upload,
}

/// What a link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedUrl {
    pub operation: Operation,
    pub oid: ObjectId,
    pub size: u64,
    /// The digest of the token that it was made for, if one was needed.
    pub token: Option<Digest>,
}

impl SignedUrl {
    /// Signs the link and returns its query.
    pub(super) fn sign(
        &self,
        key: &SealingKey,
        repository: &Repository,
        now: OffsetDateTime,
    ) -> io::Result<String> {
        let mut content = [0; 9];
        content[0] = match (self.operation, self.token) {
            (Operation::Download, None) => 0,
            (Operation::Download, Some(_)) => 1,
            (Operation::Upload, _) => 2,
        };
        content[1..].copy_from_slice(&self.size.to_be_bytes());
        let until = now + Duration::seconds(LIFETIME);
        with_subject(repository, self.oid, |subject| {
            key.seal(subject, &content, self.token.as_ref(), until)
        })
    }

    /// What a link allows, if it is authentic, for this object, and not expired.
    pub(super) fn verify(
        key: &SealingKey,
        repository: &Repository,
        oid: ObjectId,
        link: &str,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let (content, digest) =
            with_subject(repository, oid, |subject| key.open::<9>(subject, link, now))?;
        let (operation, size) = content.split_first()?;
        let (operation, token) = match operation {
            0 => (Operation::Download, None),
            1 => (Operation::Download, Some(digest)),
            2 => (Operation::Upload, Some(digest)),
            _ => return None,
        };
        Some(Self {
            operation,
            oid,
            size: u64::from_be_bytes(size.try_into().ok()?),
            token,
        })
    }
}

fn with_subject<T>(
    repository: &Repository,
    oid: ObjectId,
    work: impl FnOnce(&Subject<'_>) -> T,
) -> T {
    work(&Subject {
        purpose: "lfs link",
        parts: &[
            repository.kind.plural().as_bytes(),
            repository.id.as_bytes(),
            &oid.0,
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_one_thing() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SealingKey::open_or_create(data.path()).unwrap();
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let oid = ObjectId([7; 32]);
        for (operation, token) in [
            (Operation::Upload, Some([9; 32])),
            (Operation::Download, Some([9; 32])),
            (Operation::Download, None),
        ] {
            let signed_url = SignedUrl {
                operation,
                oid,
                size: 5,
                token,
            };
            let link = signed_url
                .sign(&key, &Repository::example("a"), at(0))
                .unwrap();
            let verify = |id: &str, oid, now| {
                SignedUrl::verify(&key, &Repository::example(id), oid, &link, at(now))
            };
            assert_eq!(verify("a", oid, LIFETIME - 1), Some(signed_url));
            assert_eq!(verify("a", oid, LIFETIME), None);
            assert_eq!(verify("b", oid, 0), None);
            assert_eq!(verify("a", ObjectId([8; 32]), 0), None);
        }
        let verify = |link| SignedUrl::verify(&key, &Repository::example("a"), oid, link, at(0));
        assert_eq!(verify(""), None);
    }
}
