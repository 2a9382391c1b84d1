//! Reads and validates the token that a server's caller sent.
//!
//! The token belongs to someone else. A missing one is therefore not looked up anywhere, nothing
//! about it is written to disk, and it is sent to the Hub only if it looks like a Hub token: a
//! caller may have sent the key of an unrelated service.

use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::freshness::Freshness;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::recipient::caller_objection;
use crate::source::Source;
use crate::token::Token;

impl Options {
    /// For checking other people's tokens. A stale answer never grants access, and a denied caller
    /// may retry as often as it likes.
    #[must_use]
    pub fn for_callers() -> Self {
        Self {
            max_stale: Duration::ZERO,
            freshness: Freshness::SERVER,
            ..Self::default()
        }
    }
}

/// Reads the value of a bearer header, without the word `Bearer`.
///
/// # Errors
///
/// [`Error::TokenFormat`] for a value that cannot be a Hub token. The message never shows the
/// value.
///
/// ```
/// use hubtoken_core::endpoint::Endpoint;
/// use hubtoken_core::identity::caller_token;
///
/// let read = |value| caller_token::read(value, Endpoint::default_hub());
/// assert!(read("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").is_ok());
/// for bad in ["", "Bearer hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", "eyJhbGciOi.FakeFakeFake"] {
///     assert!(read(bad).is_err());
/// }
/// ```
pub fn read(value: &str, endpoint: Endpoint) -> Result<Arc<Credential>, Error> {
    let token = Token::parse(value)?
        .ok_or_else(|| Error::TokenFormat("the caller's token is blank".to_owned()))?;
    // A caller is not warned, so nothing is stripped that a server should have.
    if let Some(line) = token.pasted_line() {
        return Err(Error::TokenFormat(format!(
            "the caller's token is {}, with more than white space around it. Hand over the token \
             alone, without the word `Bearer`",
            line.describe()
        )));
    }
    if let Some(objection) = caller_objection(&token) {
        return Err(Error::TokenFormat(objection));
    }
    Ok(Arc::new(Credential {
        token,
        source: Source::Argument,
        endpoint,
        expires_at: Expiry::default(),
        renewal: None,
    }))
}
