//! Reads how long a token is valid from the token itself, if it is a JWT.
//!
//! The claims are not verified, and decide nothing but when a renewal is due. They are the Hub's
//! times, so only the difference between them is used: this machine's clock may be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Token;
use super::kind::{TokenKind, split_prefix};

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
}

impl Token {
    /// How long the token is valid after it was issued, in seconds: the difference of the claims
    /// `exp` and `iat` (RFC 7519, section 4.1). `None` if it is not a JWT that has both.
    ///
    /// ```
    /// use hubtoken_core::token::Token;
    ///
    /// // {"iat":1000,"exp":29800}
    /// let token = Token::parse("hf_oauth_eyJhIjoxfQ.eyJpYXQiOjEwMDAsImV4cCI6Mjk4MDB9.Fake")?;
    /// assert_eq!(token.and_then(|token| token.lifetime()), Some(28_800));
    /// # Ok::<(), hubtoken_core::error::Error>(())
    /// ```
    #[must_use]
    pub fn lifetime(&self) -> Option<i64> {
        if !matches!(self.kind(), TokenKind::OAuth | TokenKind::Jwt) {
            return None;
        }
        let (prefix, _) = split_prefix(self.expose());
        let mut parts = self.expose().get(prefix.len()..)?.split('.');
        let payload = parts.nth(1)?;
        // Both a header and a signature, or it is something else.
        parts.next()?;
        let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?);
        let Claims { iat, exp } = serde_json::from_slice(&claims).ok()?;
        exp.checked_sub(iat).filter(|lifetime| *lifetime > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_without_both_times_has_no_lifetime() {
        let jwt = |claims: &str| format!("hf_oauth_eyJh.{}.Fake", URL_SAFE_NO_PAD.encode(claims));
        for (value, lifetime) in [
            (jwt(r#"{"iat":1,"exp":61}"#), Some(60)),
            (jwt(r#"{"iat":61,"exp":1}"#), None),
            (
                jwt(r#"{"iat":-9223372036854775808,"exp":9223372036854775807}"#),
                None,
            ),
            (jwt(r#"{"exp":61}"#), None),
            (jwt(r#"{"iat":"1","exp":61}"#), None),
            (jwt("[]"), None),
            ("hf_oauth_eyJh.eyJh".to_owned(), None),
            ("hf_oauth_a.!.c".to_owned(), None),
            ("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX".to_owned(), None),
        ] {
            let token = Token::parse(&value).ok().flatten();
            assert_eq!(
                token.and_then(|token| token.lifetime()),
                lifetime,
                "{value}"
            );
        }
    }
}
