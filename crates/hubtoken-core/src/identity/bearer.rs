//! The token that a caller of a server has sent along.
//!
//! It is somebody else's. So nothing around it is looked for when it is missing, nothing about it
//! is kept on the disk, and it is sent to the Hub only if it looks like one of the Hub's tokens: a
//! caller may have sent the key of quite another service.

use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::freshness::Freshness;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::known_end::KnownEnd;
use crate::recipient::caller_objection;
use crate::source::Source;
use crate::token::Token;

impl Options {
    /// For questions about the tokens of others: an old answer lets nobody in, and a caller who is
    /// refused may come back as often as they like.
    #[must_use]
    pub fn for_bearers() -> Self {
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
/// [`Error::TokenFormat`] for what cannot be a token of the Hub. The message never shows the
/// value.
///
/// ```
/// use hubtoken_core::endpoint::Endpoint;
/// use hubtoken_core::identity::bearer;
///
/// let read = |value| bearer::read(value, Endpoint::default_hub());
/// assert!(read("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").is_ok());
/// for bad in ["", "Bearer hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", "eyJhbGciOi.FakeFakeFake"] {
///     assert!(read(bad).is_err());
/// }
/// ```
pub fn read(value: &str, endpoint: Endpoint) -> Result<Arc<Credential>, Error> {
    let token = Token::parse(value)?
        .ok_or_else(|| Error::TokenFormat("the caller's token is blank".to_owned()))?;
    if let Some(objection) = caller_objection(&token) {
        return Err(Error::TokenFormat(objection));
    }
    Ok(Arc::new(Credential {
        token,
        source: Source::Argument,
        endpoint,
        expires_at: KnownEnd::default(),
    }))
}
