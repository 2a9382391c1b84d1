//! The digest that represents a token wherever its value must not appear, such as in cache keys and
//! records.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::hexadecimal;

/// The SHA-256 of a token's value, used as a cache key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// Hashes only the first bytes, which are as random as the rest.
impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0[..8]);
    }
}

impl Digest {
    /// The digest of a value.
    #[must_use]
    pub fn of(value: &str) -> Self {
        Self(Sha256::digest(value.as_bytes()).into())
    }

    /// The first eight bytes in hexadecimal: enough to tell tokens apart, too few to recover a
    /// value of 34 random characters.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hexadecimal::encode(&self.0[..8])
    }

    /// All the bytes in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        hexadecimal::encode(&self.0)
    }

    /// Parses the output of [`Digest::hex`].
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        hexadecimal::decode(text).map(Self)
    }

    /// All the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({})", self.fingerprint())
    }
}
