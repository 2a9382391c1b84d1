//! Seals what a client carries for the Hub: links to large files, and the tokens of Xet.
//!
//! Whoever presents such a text needs nothing else, so it is self-contained: signed with a key of
//! this Hub, bound to a purpose and a subject, and valid for a limited time. It contains not the
//! access token that it was made for but the token's digest, blinded; when it is used, the Hub checks
//! that token's rights again, so it stops working when its token does. Until it expires, it is a
//! secret.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hubtoken_core::sync::lock_ignoring_poison;
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::secret::Digest;

const KEY_FILE: &str = "lfs-key";
const KEY_BYTES: usize = 32;
/// The expiry, nonce, blinded digest and signature.
const SEAL_BYTES: usize = 8 + 16 + 32 + 32;

/// What a sealed text is for: a purpose, and whatever it is bound to.
pub(crate) struct Subject<'a> {
    pub purpose: &'static str,
    pub parts: &'a [&'a [u8]],
}

/// The signing key of one Hub, created on first use.
#[derive(Debug)]
pub(crate) struct Seals {
    data: PathBuf,
    key: Mutex<Option<Arc<SealingKey>>>,
}

impl Seals {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            key: Mutex::default(),
        }
    }

    pub(crate) fn key(&self) -> io::Result<Arc<SealingKey>> {
        let mut key = lock_ignoring_poison(&self.key);
        if let Some(key) = &*key {
            return Ok(Arc::clone(key));
        }
        let opened = Arc::new(SealingKey::open_or_create(&self.data)?);
        *key = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

/// A signing key.
pub(crate) struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealingKey(...)")
    }
}

impl SealingKey {
    /// Reads the key in a data folder, or creates one.
    pub(crate) fn open_or_create(data: &Path) -> io::Result<Self> {
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

    /// Seals a short content and the digest of the token that it is for, until a time. `None` stands
    /// for an anonymous client, which the content has to say as well.
    pub(crate) fn seal(
        &self,
        subject: &Subject<'_>,
        content: &[u8],
        token: Option<&Digest>,
        until: OffsetDateTime,
    ) -> io::Result<String> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let mut sealed = Vec::with_capacity(content.len() + SEAL_BYTES);
        sealed.extend_from_slice(content);
        sealed.extend_from_slice(&until.unix_timestamp().to_be_bytes());
        sealed.extend_from_slice(&nonce);
        let digest = token.copied().unwrap_or_default();
        sealed.extend_from_slice(&xor(&digest, &self.mask(subject, &nonce)));
        let signature = self.signature(subject, &sealed).finalize();
        sealed.extend_from_slice(&signature.into_bytes());
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Returns content and digest of a sealed text, if it is authentic, for this subject, and not
    /// expired.
    pub(crate) fn open<const N: usize>(
        &self,
        subject: &Subject<'_>,
        sealed: &str,
        now: OffsetDateTime,
    ) -> Option<([u8; N], Digest)> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        if sealed.len() != N + SEAL_BYTES {
            return None;
        }
        let (payload, signature) = sealed.split_at(sealed.len() - 32);
        self.signature(subject, payload)
            .verify_slice(signature)
            .ok()?;
        let (content, rest) = payload.split_at(N);
        let until = i64::from_be_bytes(rest.get(..8)?.try_into().ok()?);
        if now.unix_timestamp() >= until {
            return None;
        }
        let blinded: Digest = rest.get(24..)?.try_into().ok()?;
        let mask = self.mask(subject, rest.get(8..24)?);
        Some((content.try_into().ok()?, xor(&blinded, &mask)))
    }

    fn signature(&self, subject: &Subject<'_>, payload: &[u8]) -> Hmac<Sha256> {
        let keyed = self.keyed(subject.purpose, b"signature");
        let parts = subject.parts.iter().fold(keyed, |keyed, part| {
            keyed
                .chain_update((part.len() as u64).to_be_bytes())
                .chain_update(part)
        });
        parts.chain_update(payload)
    }

    fn mask(&self, subject: &Subject<'_>, nonce: &[u8]) -> Digest {
        let mask = self.keyed(subject.purpose, b"mask").chain_update(nonce);
        mask.finalize().into_bytes().into()
    }

    fn keyed(&self, purpose: &str, use_: &[u8]) -> Hmac<Sha256> {
        // Zero-padded to HMAC's block length, as HMAC itself does with a shorter key.
        let key: &[u8; KEY_BYTES] = &self.0;
        let mut block = Zeroizing::new([0_u8; 64]);
        block[..KEY_BYTES].copy_from_slice(key);
        Hmac::<Sha256>::new((&*block).into())
            .chain_update(b"hubtoken seal 1\0")
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(use_)
            .chain_update([0])
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

    fn subject<'a>(purpose: &'static str, parts: &'a [&'a [u8]]) -> Subject<'a> {
        Subject { purpose, parts }
    }

    #[test]
    fn a_seal_holds_for_one_purpose_and_subject_until_its_end() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SealingKey::open_or_create(data.path()).unwrap();
        let parts: [&[u8]; 2] = [b"ab", b"c"];
        let sealed = key
            .seal(&subject("one", &parts), b"xy", Some(&[9; 32]), at(10))
            .unwrap();
        let again = SealingKey::open_or_create(data.path()).unwrap();
        let open = |purpose, parts: &[&[u8]], now| {
            again.open::<2>(&subject(purpose, parts), &sealed, at(now))
        };
        assert_eq!(open("one", &parts, 9), Some((*b"xy", [9; 32])));
        assert_eq!(open("one", &parts, 10), None);
        assert_eq!(open("two", &parts, 0), None);
        assert_eq!(open("one", &[b"a", b"bc"], 0), None);
        assert_eq!(
            again.open::<3>(&subject("one", &parts), &sealed, at(0)),
            None
        );
        for index in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[index] = if other[index] == b'A' { b'B' } else { b'A' };
            let other = std::str::from_utf8(&other).unwrap();
            assert_eq!(again.open::<2>(&subject("one", &parts), other, at(0)), None);
        }
        let elsewhere = tempfile::TempDir::new().unwrap();
        let other = SealingKey::open_or_create(elsewhere.path()).unwrap();
        assert_eq!(
            other.open::<2>(&subject("one", &parts), &sealed, at(0)),
            None
        );
    }

    #[test]
    fn a_seal_does_not_show_the_digest() {
        let data = tempfile::TempDir::new().unwrap();
        let key = SealingKey::open_or_create(data.path()).unwrap();
        let seal = || {
            let sealed = key
                .seal(&subject("one", &[]), b"", Some(&[9; 32]), at(10))
                .unwrap();
            URL_SAFE_NO_PAD.decode(sealed).unwrap()
        };
        let (one, other) = (seal(), seal());
        assert_ne!(one[24..56], other[24..56]);
        assert!([one, other].iter().all(|sealed| sealed[24..56] != [9; 32]));
        assert_eq!(format!("{key:?}"), "SealingKey(...)");
    }
}
