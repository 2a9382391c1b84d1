//! Defines stored tokens and their metadata.

use zeroize::Zeroizing;

use super::keyring::KeyringItem;
use super::name;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sanitize::{contains_secret, redacted};
use crate::token::{Digest, RefreshToken, Token};

/// One stored token.
pub struct StoredToken {
    /// The name, which is the token's name on the Hub.
    pub name: String,
    /// The value as it is written in the file.
    pub value: Zeroizing<String>,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether a refresh token is stored beside it. Only a change reads that one.
    pub has_refresh_token: bool,
    /// The value's place in the system's keyring. If the value is in the file as well, that counts,
    /// and the item is a copy that arrives or leaves.
    pub keyring: Option<Box<KeyringItem>>,
}

/// A stored token with its metadata.
pub struct Entry {
    /// The name.
    pub name: String,
    /// The token, or why the stored value is not a valid token, or is not in the file.
    pub token: Result<Token, Error>,
    /// The digest of the value, if that is in the system's keyring.
    pub keyring: Option<Digest>,
    /// The Hub that the token belongs to.
    pub endpoint: Endpoint,
    /// The account; `None` if `huggingface_hub` stored the token.
    pub user: Option<String>,
    /// The name of the role.
    pub role: Option<String>,
    /// When it was created, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether it is renewed before that, since it is the token of a login and has a refresh token.
    pub renewable: bool,
    /// Whether the token file holds the same value.
    pub active: bool,
    /// Whether the Hub has identified it at login; `None` if `huggingface_hub` stored the token.
    pub verified: Option<bool>,
}

/// What came with an OAuth token when it was issued, which `huggingface_hub` needs to renew it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuedFields {
    /// What renews it.
    pub refresh_token: Option<RefreshToken>,
    /// When it was issued, in Unix seconds, by this machine's clock. `stored_tokens` has no field for
    /// it, so it is in the metadata.
    pub issued_at: Option<i64>,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
}

impl StoredToken {
    /// An entry without a value yet.
    pub(super) fn empty(name: &str, expires_at: Option<i64>) -> Self {
        Self {
            name: name.to_owned(),
            value: Zeroizing::default(),
            expires_at,
            has_refresh_token: false,
            keyring: None,
        }
    }

    /// Whether its value is in the system's keyring alone.
    #[must_use]
    pub fn is_in_keyring(&self) -> bool {
        self.keyring.is_some() && self.value.trim().is_empty()
    }

    /// Its item in the system's keyring, if its value is there alone.
    pub(crate) fn only_item(&self) -> Option<&KeyringItem> {
        self.keyring.as_deref().filter(|_| self.is_in_keyring())
    }

    /// The stored value as a token.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`], or [`Error::Store`] if it is blank.
    pub(super) fn token(&self) -> Result<Token, Error> {
        self.check_place()?;
        judged(Token::parse(&self.value), &self.name)
    }

    /// Whether its value is this token.
    pub(super) fn holds(&self, token: &Token) -> bool {
        self.token().is_ok_and(|value| value == *token)
    }

    /// Splits the entry into its name and the stored value as a token.
    pub(super) fn into_parts(self) -> (String, Result<Token, Error>) {
        let token = self
            .check_place()
            .and_then(|()| judged(Token::take(self.value), &self.name));
        (self.name, token)
    }

    /// Rejects an entry whose value is not in the file.
    fn check_place(&self) -> Result<(), Error> {
        if self.is_in_keyring() {
            return Err(Error::Store(format!(
                "the value of the stored token `{}` is in the keyring",
                redacted(&self.name)
            )));
        }
        Ok(())
    }

    /// The digest of the stored value, even if that is not a valid token.
    pub(super) fn digest(&self) -> Digest {
        if let Some(item) = self.only_item() {
            return item.digest;
        }
        self.token()
            .map_or_else(|_| Digest::of(self.value.trim()), |token| token.digest())
    }
}

fn judged(token: Result<Option<Token>, Error>, name: &str) -> Result<Token, Error> {
    let what = || format!("the stored token `{}`", redacted(name));
    token
        .map_err(|error| error.context(&what()))?
        .ok_or_else(|| Error::Store(format!("{} is blank", what())))
}

/// Finds a stored token by name. A name that contains a token can also be given in its safe form.
pub(crate) fn by_name<'a>(stored: &'a [StoredToken], name: &str) -> Option<&'a StoredToken> {
    let named = |wanted: &str| stored.iter().find(|entry| entry.name == wanted);
    named(name).or_else(|| {
        let mut secret = stored.iter().filter(|entry| contains_secret(&entry.name));
        secret.find(|entry| name::safe(&entry.name) == name)
    })
}

/// Finds an entry by name.
///
/// # Errors
///
/// [`Error::TokenNotFound`], which lists the names, if there is none.
pub(super) fn find<'a>(stored: &'a [StoredToken], name: &str) -> Result<&'a StoredToken, Error> {
    let named = |wanted: &str| by_name(stored, wanted);
    // Also accepts the token's name on the Hub if the file could not represent it.
    named(name)
        .or_else(|| named(&name::safe(name)))
        .ok_or_else(|| {
            let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
            Error::not_stored(format!(
                "there is no stored token `{}`: {}",
                redacted(name),
                if known.is_empty() {
                    "no token is stored".to_owned()
                } else {
                    redacted(&format!("the stored tokens are: {}", known.join(", ")))
                }
            ))
        })
}
