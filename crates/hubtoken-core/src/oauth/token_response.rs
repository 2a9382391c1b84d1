//! The answer of a token endpoint.

use serde::Deserialize;

use super::field::Field;
use crate::token::{RefreshToken, Token};

/// The maximum size of an answer, in bytes.
pub(super) const MAXIMUM_SIZE: usize = 64 * 1024;
/// The longest code that is kept of an error, in characters. Those of the RFCs have at most 23.
const LONGEST_CODE: usize = 64;

/// Tokens that were issued (RFC 6749, section 5.1). Every field but the access token may be missing,
/// and one that has an unexpected type counts as missing.
///
/// ```
/// use hubtoken_core::oauth::TokenResponse;
///
/// let answer = br#"{"access_token": "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", "expires_in": "3600"}"#;
/// let response = TokenResponse::parse(answer).ok_or("not an answer of a token endpoint")?;
/// assert_eq!(response.expires_in, Some(3600));
/// assert_eq!(format!("{:?}", response.access_token), "Token(hf_…keXX)");
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: Token,
    /// The kind of the access token, which is `bearer`.
    pub token_type: Option<String>,
    /// How long the access token is valid, in seconds.
    pub expires_in: Option<u64>,
    /// What renews the access token. After a renewal without one, the previous one stays valid.
    pub refresh_token: Option<RefreshToken>,
    /// What the access token is for, separated by spaces.
    pub scope: Option<String>,
}

impl TokenResponse {
    /// Parses an answer; `None` if it has no access token, or is longer than 64 KiB.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > MAXIMUM_SIZE {
            return None;
        }
        let raw: RawResponse = serde_json::from_slice(body).ok()?;
        let access_token = Token::take(raw.access_token.text()?).ok()??;
        // A token endpoint answers with the token alone.
        if access_token.pasted_line().is_some() {
            return None;
        }
        Some(Self {
            access_token,
            token_type: raw.token_type.text().map(|text| text.to_string()),
            expires_in: raw.expires_in.seconds(),
            refresh_token: raw
                .refresh_token
                .text()
                .and_then(|text| RefreshToken::parse(&text)),
            scope: raw.scope.text().map(|text| text.to_string()),
        })
    }

    /// When the access token expires, in Unix seconds, if it was issued at `now`.
    #[must_use]
    pub fn expires_at(&self, now: i64) -> Option<i64> {
        Some(now.saturating_add_unsigned(self.expires_in?))
    }
}

/// The code and the description of an error (RFC 6749, section 5.2), not yet safe to show.
pub(super) fn error(body: &[u8]) -> Option<(String, Option<String>)> {
    if body.len() > MAXIMUM_SIZE {
        return None;
    }
    let raw: RawError = serde_json::from_slice(body).ok()?;
    let code = raw.error.text()?;
    let code: String = code.trim().chars().take(LONGEST_CODE).collect();
    let description = raw.error_description.text();
    (!code.is_empty()).then(|| (code, description.map(|text| text.to_string())))
}

#[derive(Deserialize)]
struct RawResponse {
    #[serde(default)]
    access_token: Field,
    #[serde(default)]
    token_type: Field,
    #[serde(default)]
    expires_in: Field,
    #[serde(default)]
    refresh_token: Field,
    #[serde(default)]
    scope: Field,
}

#[derive(Deserialize)]
struct RawError {
    #[serde(default)]
    error: Field,
    #[serde(default)]
    error_description: Field,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ACCESS: &str = "hf_oauth_eyFakeFakeFakeFakeFake.eyFake.Fake";

    fn parse(fields: &str) -> Option<TokenResponse> {
        TokenResponse::parse(format!(r#"{{"access_token": "{ACCESS}"{fields}}}"#).as_bytes())
    }

    #[test]
    fn every_field_but_the_access_token_may_be_missing_or_junk() {
        let whole = parse(
            r#", "token_type": "bearer", "expires_in": 28800, "scope": "openid profile",
               "refresh_token": "hf_oauth__refresh_FakeFakeFakeFakeFake", "id_token": "x""#,
        )
        .unwrap();
        assert_eq!(whole.access_token.expose(), ACCESS);
        assert_eq!(
            whole.refresh_token.as_ref().unwrap().expose(),
            "hf_oauth__refresh_FakeFakeFakeFakeFake"
        );
        assert_eq!(whole.expires_at(1_000), Some(29_800));
        assert_eq!(whole.scope.as_deref(), Some("openid profile"));
        for junk in [
            "",
            r#", "expires_in": null, "refresh_token": 7, "scope": ["openid"], "token_type": {}"#,
            r#", "expires_in": -1, "refresh_token": "two\nlines""#,
            r#", "expires_in": "soon", "refresh_token": """#,
            r#", "expires_in": 1e300"#,
        ] {
            let bare = parse(junk).unwrap();
            assert!(bare.refresh_token.is_none(), "{junk}");
            assert_eq!((bare.expires_in, bare.scope), (None, None), "{junk}");
        }
        for (seconds, expected) in [("0", 0), ("59.9", 59), ("\" 60 \"", 60)] {
            let response = parse(&format!(r#", "expires_in": {seconds}"#)).unwrap();
            assert_eq!(response.expires_in, Some(expected));
        }
        let long = parse(r#", "expires_in": 18446744073709551615"#).unwrap();
        assert_eq!(long.expires_at(1_000), Some(i64::MAX));
    }

    #[test]
    fn an_answer_without_a_usable_access_token_is_none() {
        let long = format!(
            r#"{{"access_token": "{ACCESS}", "x": "{}"}}"#,
            "x".repeat(MAXIMUM_SIZE)
        );
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            r#"{"access_token": ""}"#,
            r#"{"access_token": 7}"#,
            r#"{"access_token": "two words"}"#,
            r#"{"access_token": "Bearer hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"}"#,
            r#"{"error": "invalid_grant"}"#,
            &long,
        ] {
            assert!(TokenResponse::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_value() {
        let response = parse(r#", "refresh_token": "hf_oauth__refresh_FakeFakeFakeFakeFake""#);
        let shown = format!("{response:?}");
        assert!(!shown.contains("FakeFakeFake"), "{shown}");
    }

    #[test]
    fn an_error_is_its_code_and_its_description() {
        for (body, expected) in [
            (r#"{"error": "slow_down"}"#, Some(("slow_down", None))),
            (
                r#"{"error": "invalid_grant", "error_description": "ended"}"#,
                Some(("invalid_grant", Some("ended"))),
            ),
            (
                r#"{"error": "x", "error_description": 7}"#,
                Some(("x", None)),
            ),
            (r#"{"error": ["x"]}"#, None),
            (r#"{"error": " "}"#, None),
            ("{}", None),
            ("oops", None),
        ] {
            let found = error(body.as_bytes());
            let found = found.as_ref();
            let found = found.map(|(code, text)| (code.as_str(), text.as_deref()));
            assert_eq!(found, expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>, text in "\\{\"(access_token|error)\": .{0,40}\\}?") {
            for body in [&body[..], text.as_bytes()] {
                let _ = (TokenResponse::parse(body), error(body));
            }
        }
    }
}
