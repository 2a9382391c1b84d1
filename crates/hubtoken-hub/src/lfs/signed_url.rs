//! Signed links, each of which allows a client to upload or download one large file and nothing
//! else.
//!
//! Clients follow them without credentials, so a link is self-contained. It is signed with a key of
//! this Hub, and bound to a repository, an object, its size, an operation and an expiry one hour
//! later. It contains not the token that it was made for but the token's digest, blinded. When the
//! link is used, the Hub checks that token's rights again, so a link stops working when its token
//! does. Until it expires, it is a secret. It is passed in the query, which is not logged.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::registry::Repository;
use crate::repository::lfs::ObjectId;
use crate::secret::Digest;

/// How long a link is valid, in seconds.
pub(super) const LIFETIME: i64 = 3600;
const KEY_FILE: &str = "lfs-key";
const KEY_BYTES: usize = 32;
/// The operation, expiry, size, nonce, blinded digest and signature.
const SIGNED_BYTES: usize = 1 + 8 + 8 + 16 + 32 + 32;

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

/// The signing key of one Hub.
pub(super) struct SigningKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey(...)")
    }
}

impl SigningKey {
    /// Reads the key, or creates one.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(KEY_FILE);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) if bytes.len() == KEY_BYTES => {
                key.copy_from_slice(&bytes);
                return Ok(Self(key));
            }
            Ok(_) => (),
            Err(error) if error.kind() == ErrorKind::NotFound => (),
            Err(error) => return Err(error),
        }
        getrandom::fill(key.as_mut_slice()).map_err(io::Error::other)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(data)?;
        file.write_all(key.as_slice())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(Self(key))
    }

    /// Signs a link and returns its query.
    pub(super) fn sign(
        &self,
        repository: &Repository,
        signed_url: &SignedUrl,
        now: OffsetDateTime,
    ) -> io::Result<String> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut link = Vec::with_capacity(SIGNED_BYTES);
        link.push(match (signed_url.operation, signed_url.token) {
            (Operation::Download, None) => 0,
            (Operation::Download, Some(_)) => 1,
            (Operation::Upload, _) => 2,
        });
        link.extend_from_slice(&(now.unix_timestamp() + LIFETIME).to_be_bytes());
        link.extend_from_slice(&signed_url.size.to_be_bytes());
        link.extend_from_slice(&nonce);
        let blinded = xor(&signed_url.token.unwrap_or_default(), &self.mask(&nonce));
        link.extend_from_slice(&blinded);
        let signature = self.signature(repository, signed_url.oid, &link).finalize();
        link.extend_from_slice(&signature.into_bytes());
        Ok(URL_SAFE_NO_PAD.encode(link))
    }

    /// Returns what a link allows, if it is authentic, for this object, and not expired.
    pub(super) fn verify(
        &self,
        repository: &Repository,
        oid: ObjectId,
        link: &str,
        now: OffsetDateTime,
    ) -> Option<SignedUrl> {
        let link: [u8; SIGNED_BYTES] = URL_SAFE_NO_PAD.decode(link).ok()?.try_into().ok()?;
        let (payload, signature) = link.split_at(SIGNED_BYTES - 32);
        self.signature(repository, oid, payload)
            .verify_slice(signature)
            .ok()?;
        let expires = i64::from_be_bytes(payload[1..9].try_into().ok()?);
        if now.unix_timestamp() >= expires {
            return None;
        }
        let mask = self.mask(&payload[17..33]);
        let digest: Digest = payload[33..65].try_into().ok()?;
        let digest = xor(&digest, &mask);
        let (operation, token) = match payload[0] {
            0 => (Operation::Download, None),
            1 => (Operation::Download, Some(digest)),
            2 => (Operation::Upload, Some(digest)),
            _ => return None,
        };
        Some(SignedUrl {
            operation,
            oid,
            size: u64::from_be_bytes(payload[9..17].try_into().ok()?),
            token,
        })
    }

    fn signature(&self, repository: &Repository, oid: ObjectId, payload: &[u8]) -> Hmac<Sha256> {
        self.keyed(b"hubtoken lfs link 1\0")
            .chain_update(repository.kind.plural())
            .chain_update([0])
            .chain_update(&repository.id)
            .chain_update([0])
            .chain_update(oid.0)
            .chain_update(payload)
    }

    fn mask(&self, nonce: &[u8]) -> Digest {
        let mask = self.keyed(b"hubtoken lfs mask 1\0").chain_update(nonce);
        mask.finalize().into_bytes().into()
    }

    fn keyed(&self, purpose: &[u8]) -> Hmac<Sha256> {
        // Zero-padded to HMAC's block length, as HMAC itself does with a shorter key.
        let key: &[u8; KEY_BYTES] = &self.0;
        let mut block = Zeroizing::new([0_u8; 64]);
        block[..KEY_BYTES].copy_from_slice(key);
        Hmac::<Sha256>::new((&*block).into()).chain_update(purpose)
    }
}

fn xor(left: &Digest, right: &Digest) -> Digest {
    let mut result = *left;
    for (byte, other) in result.iter_mut().zip(right) {
        *byte ^= other;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn a_link_is_for_one_thing() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SigningKey::open(data.path()).unwrap();
        let oid = ObjectId([7; 32]);
        let signed_url = SignedUrl {
            operation: Operation::Upload,
            oid,
            size: 5,
            token: Some([9; 32]),
        };
        let link = key
            .sign(&Repository::example("a"), &signed_url, at(0))
            .unwrap();
        let again = SigningKey::open(data.path()).unwrap();
        let verify = |id: &str, oid, link: &str, now| {
            again.verify(&Repository::example(id), oid, link, at(now))
        };
        assert_eq!(verify("a", oid, &link, LIFETIME - 1), Some(signed_url));
        assert_eq!(verify("a", oid, &link, LIFETIME), None);
        assert_eq!(verify("b", oid, &link, 0), None);
        assert_eq!(verify("a", ObjectId([8; 32]), &link, 0), None);
        assert_eq!(verify("a", oid, "", 0), None);
        for index in 0..link.len() {
            let mut other = link.clone().into_bytes();
            other[index] = if other[index] == b'A' { b'B' } else { b'A' };
            // The last character has spare bits, which an encoder sets to zero and the decoder
            // requires to be zero.
            assert_eq!(
                verify("a", oid, std::str::from_utf8(&other).unwrap(), 0),
                None
            );
        }
        let elsewhere = tempfile::TempDir::new().unwrap();
        let other = SigningKey::open(elsewhere.path()).unwrap();
        assert_eq!(
            other.verify(&Repository::example("a"), oid, &link, at(0)),
            None
        );
    }

    #[test]
    fn a_link_does_not_show_the_digest() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SigningKey::open(data.path()).unwrap();
        let signed_url = SignedUrl {
            operation: Operation::Download,
            oid: ObjectId([7; 32]),
            size: 5,
            token: Some([9; 32]),
        };
        let links: Vec<_> = (0..2)
            .map(|_| {
                key.sign(&Repository::example("a"), &signed_url, at(0))
                    .unwrap()
            })
            .map(|link| URL_SAFE_NO_PAD.decode(link).unwrap())
            .collect();
        assert_ne!(links[0][33..65], links[1][33..65]);
        assert!(links.iter().all(|link| link[33..65] != [9; 32]));
        assert_eq!(format!("{key:?}"), "SigningKey(...)");
    }
}
