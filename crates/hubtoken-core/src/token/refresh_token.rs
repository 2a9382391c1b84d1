//! The secret that renews an OAuth login.

use std::fmt;

use zeroize::Zeroizing;

use super::format::{ELLIPSIS, MAXIMUM_LENGTH};

/// A refresh token (RFC 6749, section 1.5). It is sent to the token endpoint of its own Hub and to
/// nothing else, and each one is used once.
///
/// ```
/// use hubtoken_core::token::RefreshToken;
///
/// let token = RefreshToken::parse(" hf_oauth__refresh_FakeFakeFakeFake\n").ok_or("unusable")?;
/// assert_eq!(format!("{token:?}"), "RefreshToken(…)");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// Parses a value; white space around it is removed. `None` for a value that cannot be stored
    /// as one line: a blank one, one with a character that is not visible ASCII (RFC 6749, appendix
    /// A.17, without spaces), or one that is longer than a token may be.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let is_usable = !value.is_empty()
            && value.len() <= MAXIMUM_LENGTH
            && value.bytes().all(|byte| byte.is_ascii_graphic());
        is_usable.then(|| Self(Zeroizing::new(value.to_owned())))
    }

    /// Returns the value. Nothing else does.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RefreshToken({ELLIPSIS})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_one_line_of_text_is_not_a_refresh_token() {
        let long = "x".repeat(MAXIMUM_LENGTH + 1);
        for value in ["", "  ", "a b", "a\nhf_token = b", "a\u{0}", "ä", &long] {
            assert!(RefreshToken::parse(value).is_none(), "{value:?}");
        }
        let value = "x".repeat(MAXIMUM_LENGTH);
        assert!(RefreshToken::parse(&value).is_some_and(|token| token.expose() == value));
    }
}
