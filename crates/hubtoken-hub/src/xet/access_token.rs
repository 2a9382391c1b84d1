//! The tokens of Xet, and the links to xorbs.
//!
//! Both are [sealed](crate::seal), so that they work without the access token that they were made for
//! and stop working when it does. A token is for one repository and one right, a link for one xorb.

use std::io;

use time::{Duration, OffsetDateTime};

use crate::auth::access::Action;
use crate::registry::Repository;
use crate::repository::xet::MerkleHash;
use crate::seal::{SealingKey, Subject};
use crate::secret::Digest;

/// How long a token is valid. Clients get a new one half a minute before its end.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::minutes(15);
/// How long a link is valid: as long as a slow client may need for what it asked for at once.
pub(crate) const LINK_LIFETIME: Duration = Duration::hours(1);
/// What a token begins with, so that it is recognized.
const PREFIX: &str = "xet_";

/// What a token or a link allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Write,
}

impl Right {
    pub(super) fn action(self) -> Action {
        match self {
            Self::Read => Action::Read,
            Self::Write => Action::Write,
        }
    }
}

/// A right in a repository, and the digest of the access token that has it; `None` for an anonymous
/// client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub right: Right,
    pub token: Option<Digest>,
}

impl Grant {
    /// A token with this grant.
    pub(super) fn to_token(
        self,
        key: &SealingKey,
        repository: &Repository,
        until: OffsetDateTime,
    ) -> io::Result<String> {
        let content = [self.code()];
        let sealed = with_subject("xet token", repository, &[], |subject| {
            key.seal(subject, &content, self.token.as_ref(), until)
        })?;
        Ok(format!("{PREFIX}{sealed}"))
    }

    /// The grant of a token, if it is authentic, for this repository, and not expired.
    pub(super) fn of_token(
        key: &SealingKey,
        repository: &Repository,
        token: &str,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let sealed = token.strip_prefix(PREFIX)?;
        let (content, digest) = with_subject("xet token", repository, &[], |subject| {
            key.open::<1>(subject, sealed, now)
        })?;
        Self::parse(content, digest)
    }

    /// A link to a xorb.
    pub(super) fn to_link(
        self,
        key: &SealingKey,
        repository: &Repository,
        xorb: &MerkleHash,
        until: OffsetDateTime,
    ) -> io::Result<String> {
        let content = [self.code()];
        with_subject("xorb link", repository, xorb.as_bytes(), |subject| {
            key.seal(subject, &content, self.token.as_ref(), until)
        })
    }

    /// The grant of a link, if it is authentic, for this xorb, and not expired.
    pub(super) fn of_link(
        key: &SealingKey,
        repository: &Repository,
        xorb: &MerkleHash,
        link: &str,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let (content, digest) =
            with_subject("xorb link", repository, xorb.as_bytes(), |subject| {
                key.open::<1>(subject, link, now)
            })?;
        Self::parse(content, digest)
    }

    fn code(self) -> u8 {
        match (self.right, self.token) {
            (Right::Read, None) => 0,
            (Right::Read, Some(_)) => 1,
            (Right::Write, None) => 2,
            (Right::Write, Some(_)) => 3,
        }
    }

    fn parse([code]: [u8; 1], digest: Digest) -> Option<Self> {
        let (right, token) = match code {
            0 => (Right::Read, None),
            1 => (Right::Read, Some(digest)),
            2 => (Right::Write, None),
            3 => (Right::Write, Some(digest)),
            _ => return None,
        };
        Some(Self { right, token })
    }
}

fn with_subject<T>(
    purpose: &'static str,
    repository: &Repository,
    of: &[u8],
    work: impl FnOnce(&Subject<'_>) -> T,
) -> T {
    work(&Subject {
        purpose,
        parts: &[
            repository.kind.plural().as_bytes(),
            repository.id.as_bytes(),
            of,
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn a_token_is_for_one_repository_and_says_its_right() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SealingKey::open_or_create(data.path()).unwrap();
        let (own, other) = (Repository::example("a"), Repository::example("b"));
        for right in [Right::Read, Right::Write] {
            for digest in [None, Some([9; 32])] {
                let grant = Grant {
                    right,
                    token: digest,
                };
                let token = grant.to_token(&key, &own, at(10)).unwrap();
                assert!(token.starts_with("xet_"));
                assert_eq!(Grant::of_token(&key, &own, &token, at(9)), Some(grant));
                assert_eq!(Grant::of_token(&key, &own, &token, at(10)), None);
                assert_eq!(Grant::of_token(&key, &other, &token, at(9)), None);
                assert_eq!(Grant::of_token(&key, &own, &token[4..], at(9)), None);
            }
        }
        assert_eq!(Grant::of_token(&key, &own, "xet_", at(0)), None);
    }

    #[test]
    fn a_link_is_for_one_xorb_and_no_token() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SealingKey::open_or_create(data.path()).unwrap();
        let own = Repository::example("a");
        let grant = Grant {
            right: Right::Read,
            token: Some([9; 32]),
        };
        let (one, two) = (MerkleHash::from([1; 32]), MerkleHash::from([2; 32]));
        let link = grant.to_link(&key, &own, &one, at(10)).unwrap();
        assert_eq!(Grant::of_link(&key, &own, &one, &link, at(9)), Some(grant));
        assert_eq!(Grant::of_link(&key, &own, &two, &link, at(9)), None);
        let as_token = format!("xet_{link}");
        assert_eq!(Grant::of_token(&key, &own, &as_token, at(9)), None);
    }
}
