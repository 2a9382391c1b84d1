//! Password rules, hashing and verification.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use super::blocking::run_blocking;
use super::error::HubError;
use super::secret::Secret;

const MIN_LENGTH: usize = 12;
/// The time to hash grows with the length, and no real password is longer.
const MAX_BYTES: usize = 1024;
const MIN_DISTINCT_CHARACTERS: usize = 5;
/// The hash that is checked when there is none, so that an unknown user takes as long as a known
/// one. It has the same form and cost as real hashes; that any password matches it is as unlikely
/// as guessing a token.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Password hashing is deliberately expensive, so at most two run at once; guessing cannot exhaust
/// CPU or memory.
static HASH_PERMITS: Semaphore = Semaphore::const_new(2);

/// Rejects a password that is easy to guess.
pub(crate) fn check(password: &Secret, user: &str) -> Result<(), HubError> {
    let text = password.reveal();
    let mut different: Vec<char> = text.chars().collect();
    let length = different.len();
    different.sort_unstable();
    different.dedup();
    let named = text.to_lowercase().contains(&user.to_lowercase());
    let reason = if length < MIN_LENGTH {
        "it has fewer than 12 characters"
    } else if text.len() > MAX_BYTES {
        "it has more than 1024 bytes"
    } else if different.len() < MIN_DISTINCT_CHARACTERS {
        "it has fewer than 5 different characters"
    } else if named && length < MIN_LENGTH + user.chars().count() {
        "it is too similar to the user's name"
    } else {
        return Ok(());
    };
    Err(HubError::WeakPassword { reason })
}

/// Hashes a password for the registry.
pub(crate) async fn hash(password: Secret) -> Result<String, HubError> {
    let _permit = HASH_PERMITS.acquire().await;
    run_blocking(move || hash_blocking(&password)).await?
}

/// Whether a password matches a stored hash. Without a hash it takes as long and returns `false`.
pub(crate) async fn verify(password: Secret, stored: Option<String>) -> Result<bool, HubError> {
    let _permit = HASH_PERMITS.acquire().await;
    run_blocking(move || {
        let known = stored.is_some();
        let stored = stored.as_deref().unwrap_or(DUMMY_HASH);
        let matches = Argon2::default()
            .verify_password(password.reveal().as_bytes(), stored)
            .is_ok();
        matches && known
    })
    .await
}

fn hash_blocking(password: &Secret) -> Result<String, HubError> {
    Argon2::default()
        .hash_password(password.reveal().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| HubError::Password {
            detail: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(ToOwned::to_owned);
        let real = hash_blocking(&Secret::new("a password".to_owned())).unwrap();
        assert_eq!(cost(&real), cost(DUMMY_HASH));
        assert_eq!(real.len(), DUMMY_HASH.len());
    }

    #[test]
    fn weak_passwords_are_refused_and_not_repeated() {
        for weak in [
            "",
            "short",
            "elevenchars",
            "aaaaaaaaaaaaaaaaaaaa",
            "ababcdcdabab",
            "Alice1234567",
        ] {
            let error = check(&Secret::new(weak.to_owned()), "alice").unwrap_err();
            assert!(
                weak.is_empty() || !error.to_string().contains(weak),
                "{error}"
            );
        }
        assert!(check(&Secret::new("ab1".repeat(400)), "alice").is_err());
        for good in ["correct horse", "ÄÖÜäöüßéèêëñ", "for alice: battery staple"] {
            assert!(
                check(&Secret::new(good.to_owned()), "alice").is_ok(),
                "{good}"
            );
        }
    }
}
