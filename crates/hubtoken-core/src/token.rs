//! Holds the secret value of a token.
//!
//! A [`Token`] is a value that passed every check that needs no request: it can be sent in an
//! `Authorization` header, and it is not a mask or a placeholder that was pasted. It has no
//! `Display`, its `Debug` shows a mask, comparison takes constant time, and its buffer is
//! overwritten when it is dropped. Only [`Token::expose`] returns the value.

mod claims;
mod digest;
mod format;
mod kind;
mod pasted_line;
mod refresh_token;
pub(crate) mod service_key;

use std::fmt;
use std::sync::OnceLock;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;
pub use digest::Digest;
use format::{ByteKinds, find_problem};
pub use format::{ELLIPSIS, MAXIMUM_LENGTH, OtherSecret};
pub use kind::TokenKind;
use kind::split_prefix;
pub use pasted_line::PastedLine;
use pasted_line::strip;
pub use refresh_token::RefreshToken;
pub(crate) use service_key::recognize;

/// How many of a token's last characters a mask shows.
const SHOWN: usize = 4;

/// A token: a secret that may be sent to its endpoint.
///
/// ```
/// use hubtoken_core::token::Token;
///
/// let token = Token::parse(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX\n")?.ok_or("blank")?;
/// assert_eq!(token.mask(), "hf_…keXX");
/// assert_eq!(format!("{token:?}"), "Token(hf_…keXX)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Token {
    value: Zeroizing<String>,
    kind: TokenKind,
    pasted_line: Option<PastedLine>,
    other_secret: Option<OtherSecret>,
    /// Computed on first use.
    digest: OnceLock<Digest>,
}

impl Token {
    /// Parses a token as users and files provide it.
    ///
    /// White space around the value, line breaks, a byte order mark and quotes are removed. So is
    /// the rest of a line that holds nothing but the token: `HF_TOKEN=`, `Authorization: Bearer`;
    /// [`Token::pasted_line`] then says so. `None` is a blank value, which means "not set".
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`] if the value cannot be a token: it has white space or control
    /// characters inside, has characters that a bearer token cannot have (RFC 6750, section 2.1),
    /// is a mask or a placeholder, or is some other secret. The message never shows the value.
    pub fn parse(raw: &str) -> Result<Option<Self>, Error> {
        Self::parse_with(raw, false)
    }

    /// Like [`Token::parse`], but another secret, such as a password, is not an error: it is found,
    /// so that no other token is used in its place, and is never sent. [`Token::other_secret`] says
    /// so.
    ///
    /// # Errors
    ///
    /// As for [`Token::parse`].
    pub fn parse_ambient(raw: &str) -> Result<Option<Self>, Error> {
        Self::parse_with(raw, true)
    }

    fn parse_with(raw: &str, takes_other_secrets: bool) -> Result<Option<Self>, Error> {
        let (value, pasted_line, bytes) = strip(raw);
        // An exact copy: no reallocation leaves a part of the value behind.
        let value = Zeroizing::new(value.to_owned());
        Self::of_clean(value, bytes, pasted_line, takes_other_secrets)
    }

    /// Like [`Token::parse`], but consumes the text: a clean one is not copied.
    ///
    /// # Errors
    ///
    /// As for [`Token::parse`].
    pub fn take(raw: Zeroizing<String>) -> Result<Option<Self>, Error> {
        let (value, _, bytes) = strip(&raw);
        if value.len() == raw.len() {
            Self::of_clean(raw, bytes, None, false)
        } else {
            Self::parse(&raw)
        }
    }

    fn of_clean(
        value: Zeroizing<String>,
        bytes: ByteKinds,
        pasted_line: Option<PastedLine>,
        takes_other_secrets: bool,
    ) -> Result<Option<Self>, Error> {
        if value.is_empty() {
            return Ok(None);
        }
        let (prefix, kind) = split_prefix(&value);
        let other_secret = match find_problem(&value, prefix, bytes) {
            None => None,
            Some(problem) if takes_other_secrets && problem.other_secret.is_some() => {
                problem.other_secret
            }
            Some(problem) => return Err(Error::TokenFormat(problem.message)),
        };
        Ok(Some(Self {
            kind,
            pasted_line,
            other_secret,
            digest: OnceLock::new(),
            value,
        }))
    }

    /// Returns the value. Nothing else does.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The kind of token.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What the value was copied with, if its source held a whole line.
    #[must_use]
    pub fn pasted_line(&self) -> Option<PastedLine> {
        self.pasted_line
    }

    /// What the value is instead of a token, if its form alone says so. Such a value is never sent.
    #[must_use]
    pub fn other_secret(&self) -> Option<OtherSecret> {
        self.other_secret
    }

    /// Describes the value if it looks like the key of another service: "an API key of `OpenAI`".
    #[must_use]
    pub fn foreign_service(&self) -> Option<&'static str> {
        // A Hub token's prefix never begins another service's key.
        if self.kind == TokenKind::Opaque {
            service_key::recognize(&self.value)
        } else {
            None
        }
    }

    /// The SHA-256 of the value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.value))
    }

    /// The prefix and the last four characters, joined by U+2026, which an HTTP header cannot
    /// carry.
    ///
    /// For a short value, only the prefix is shown.
    #[must_use]
    pub fn mask(&self) -> String {
        mask(&self.value)
    }
}

/// The mask of a value, which need not be a token: see [`Token::mask`].
#[must_use]
pub fn mask(value: &str) -> String {
    let (prefix, _) = split_prefix(value);
    let rest = value.get(prefix.len()..).unwrap_or_default();
    // A token is ASCII, so any byte offset is a character boundary; of anything else, nothing may be
    // shown.
    let shown = if rest.len() >= SHOWN * 4 {
        rest.get(rest.len() - SHOWN..).unwrap_or_default()
    } else {
        ""
    };
    format!("{prefix}{ELLIPSIS}{shown}")
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.value.as_bytes().ct_eq(other.value.as_bytes()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token({})", self.mask())
    }
}

#[cfg(test)]
mod tests;
