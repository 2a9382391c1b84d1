//! Secret values: access tokens and the admin key.
//!
//! Once a value has been shown, the Hub keeps only its digest. A plain SHA-256 is enough because a
//! value carries more than 190 bits of entropy, so there is nothing to guess; passwords, which
//! people choose, use argon2.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::HubError;
use hubtoken_core::hexadecimal;

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN_PREFIX: &str = "hf_";
/// With two underscores, as the real Hub has it.
const REFRESH_TOKEN_PREFIX: &str = "hf_oauth__refresh_";
/// The length of the real Hub's tokens, so that every detector of leaked tokens recognizes them;
/// three of four such detectors accept only letters.
const TOKEN_LETTERS: usize = 34;
const APP_TOKEN_PREFIX: &str = "hf_app_";
const APP_TOKEN_LETTERS: usize = 32;
const ADMIN_KEY_PREFIX: &str = "hubtoken_admin_";
const ADMIN_KEY_LETTERS: usize = 43;

/// The SHA-256 of a secret, which is all that the registry stores of it.
pub(crate) type Digest = [u8; 32];

/// A secret value, zeroed when dropped. `Debug` shows a mask; [`Secret::reveal`] is the only way to
/// read the value.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps an existing value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    pub(crate) fn access_token() -> Result<Self, HubError> {
        Self::random(TOKEN_PREFIX, TOKEN_LETTERS)
    }

    /// A token of a service account.
    pub(crate) fn app_token() -> Result<Self, HubError> {
        Self::random(APP_TOKEN_PREFIX, APP_TOKEN_LETTERS)
    }

    pub(crate) fn admin_key() -> Result<Self, HubError> {
        Self::random(ADMIN_KEY_PREFIX, ADMIN_KEY_LETTERS)
    }

    /// A refresh token from a pseudo-random function, which gives a block of bytes for each number:
    /// the same function gives the same token.
    pub(crate) fn refresh_token(
        mut block: impl FnMut(u32) -> Zeroizing<[u8; 32]>,
    ) -> Result<Self, HubError> {
        let mut number = 0;
        Self::from_bytes(REFRESH_TOKEN_PREFIX, TOKEN_LETTERS, |bytes| {
            for chunk in bytes.chunks_mut(32) {
                chunk.copy_from_slice(&block(number)[..chunk.len()]);
                number += 1;
            }
            Ok(())
        })
    }

    fn random(prefix: &str, letters: usize) -> Result<Self, HubError> {
        Self::from_bytes(prefix, letters, |bytes| {
            getrandom::fill(bytes).map_err(|_| HubError::Random)
        })
    }

    /// A value of letters, from uniformly distributed bytes.
    fn from_bytes(
        prefix: &str,
        letters: usize,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), HubError>,
    ) -> Result<Self, HubError> {
        let mut value = Zeroizing::new(String::with_capacity(prefix.len() + letters));
        value.push_str(prefix);
        let mut bytes = Zeroizing::new([0_u8; 64]);
        while value.len() < prefix.len() + letters {
            fill(bytes.as_mut_slice())?;
            for byte in bytes.iter() {
                // Discard bytes from 208 on: 256 is not a multiple of 52, and the remainder would
                // favor some letters.
                if *byte < 208 && value.len() < prefix.len() + letters {
                    value.push(char::from(LETTERS[usize::from(*byte % 52)]));
                }
            }
        }
        Ok(Self(value))
    }

    /// 256 random bits in hexadecimal, for a cookie or a form.
    pub(crate) fn random_id() -> Result<Self, HubError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| HubError::Random)?;
        Ok(Self(Zeroizing::new(hexadecimal::encode(bytes.as_slice()))))
    }

    /// The value itself. Callers must neither log nor store it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The last four characters, by which users recognize a token in a list.
    pub(crate) fn last4(&self) -> String {
        let mut last: Vec<char> = self.0.chars().rev().take(4).collect();
        last.reverse();
        last.into_iter().collect()
    }

    pub(crate) fn digest(&self) -> Digest {
        digest(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(...)")
    }
}

pub(crate) fn digest(value: &str) -> Digest {
    Sha256::digest(value.as_bytes()).into()
}

/// Compares digests rather than values, so that the time taken reveals neither the length nor a
/// common prefix.
pub(crate) fn constant_time_eq(left: &Digest, right: &Digest) -> bool {
    left.ct_eq(right).into()
}

/// A 24-digit hexadecimal id, the format of every id on the Hub.
pub(crate) fn object_id() -> Result<String, HubError> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|_| HubError::Random)?;
    Ok(hexadecimal::encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_that_detectors_know() {
        let token = Secret::access_token().unwrap();
        let letters = token.reveal().strip_prefix("hf_").unwrap();
        assert_eq!(letters.len(), 34);
        assert!(letters.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let app = Secret::app_token().unwrap();
        assert_eq!(app.reveal().strip_prefix("hf_app_").unwrap().len(), 32);
        let key = Secret::admin_key().unwrap();
        assert_eq!(
            key.reveal().strip_prefix("hubtoken_admin_").unwrap().len(),
            43
        );
        assert_ne!(token.reveal(), Secret::access_token().unwrap().reveal());
    }

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let token = Secret::access_token().unwrap();
        let shown = format!("{token:?}");
        assert!(!shown.contains(&token.last4()));
        assert!(!shown.contains("hf_"));
    }

    #[test]
    fn every_letter_turns_up_about_as_often() {
        let mut counts = std::collections::HashMap::new();
        for _ in 0..2000 {
            for letter in Secret::access_token().unwrap().reveal()[3..].chars() {
                *counts.entry(letter).or_insert(0_u32) += 1;
            }
        }
        // 68,000 letters over 52 of them: about 1,308 each, with a standard deviation of 36.
        assert_eq!(counts.len(), 52);
        assert!(
            counts.values().all(|count| (1000..1620).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn digests_are_compared_whole() {
        assert!(constant_time_eq(&digest("a"), &digest("a")));
        assert!(!constant_time_eq(&digest("a"), &digest("b")));
        assert_eq!(object_id().unwrap().len(), 24);
    }
}
