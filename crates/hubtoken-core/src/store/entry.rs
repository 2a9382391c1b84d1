//! A stored token, and what is known of it.

use zeroize::Zeroizing;

use super::name;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::printable::{holds_secret, printable};
use crate::token::{Digest, Token};

/// One stored token.
pub struct StoredToken {
    /// The name: what the Hub calls the token.
    pub name: String,
    /// The value as it stands in the file.
    pub value: Zeroizing<String>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<i64>,
}

/// A stored token and what is known of it.
pub struct Entry {
    /// The name.
    pub name: String,
    /// The token, or why the stored value is none.
    pub token: Result<Token, Error>,
    /// The Hub that it belongs to.
    pub endpoint: Endpoint,
    /// The account; `None` when `huggingface_hub` stored it.
    pub user: Option<String>,
    /// The role's name.
    pub role: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether the token file holds the same value.
    pub active: bool,
}

impl StoredToken {
    /// The stored value as a token.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`], or [`Error::Store`] when it is blank.
    pub(super) fn token(&self) -> Result<Token, Error> {
        judged(Token::parse(&self.value), &self.name)
    }

    /// The name, and the stored value as a token.
    pub(super) fn into_parts(self) -> (String, Result<Token, Error>) {
        let token = judged(Token::take(self.value), &self.name);
        (self.name, token)
    }

    /// What the stored value is known by, also when it is no token.
    pub(super) fn digest(&self) -> Digest {
        self.token()
            .map_or_else(|_| Digest::of(self.value.trim()), |token| token.digest())
    }
}

fn judged(token: Result<Option<Token>, Error>, name: &str) -> Result<Token, Error> {
    let what = || format!("the stored token `{}`", printable(name));
    token
        .map_err(|error| error.context(&what()))?
        .ok_or_else(|| Error::Store(format!("{} is blank", what())))
}

/// The stored token of a name; one that holds a token goes by its safe form as well.
pub(crate) fn by_name<'a>(stored: &'a [StoredToken], name: &str) -> Option<&'a StoredToken> {
    let named = |wanted: &str| stored.iter().find(|entry| entry.name == wanted);
    named(name).or_else(|| {
        let mut secret = stored.iter().filter(|entry| holds_secret(&entry.name));
        secret.find(|entry| name::safe(&entry.name) == name)
    })
}

/// The entry of a name.
///
/// # Errors
///
/// [`Error::InvalidArgument`] that lists the names when there is none.
pub(super) fn find<'a>(stored: &'a [StoredToken], name: &str) -> Result<&'a StoredToken, Error> {
    let named = |wanted: &str| by_name(stored, wanted);
    // The Hub's own name for it will do as well, where the file could not carry that.
    named(name)
        .or_else(|| named(&name::safe(name)))
        .ok_or_else(|| {
            let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
            Error::InvalidArgument(format!(
                "there is no stored token `{}`: {}",
                printable(name),
                if known.is_empty() {
                    "no token is stored".to_owned()
                } else {
                    printable(&format!("stored are: {}", known.join(", ")))
                }
            ))
        })
}
