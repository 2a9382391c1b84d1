//! Decides which values may be sent to which Hub.
//!
//! A variable that should hold a Hub token may hold a password or the key of another service.
//! Sending it would disclose it to the Hub, and the response (401) would suggest the wrong cause:
//! "deleted, refreshed, expired". Hugging Face's own hosts therefore receive only values that begin
//! like a Hub token. Other Hubs may use tokens of any format, so they receive everything except
//! recognizable keys of other services.
//!
//! A value that cannot be a token by its form alone, such as a password with a `$`, is sent nowhere.
//!
//! All of these values still count as found, because skipping one would silently use another token.
//! Instead, sending it fails in [`Credential::check_sendable`].
//!
//! [`Credential::check_sendable`]: crate::credential::Credential::check_sendable

use crate::endpoint::Endpoint;
use crate::token::{Token, TokenKind};

/// Why a value is not sent to a Hub, phrased to follow its name; `None` if it may be sent.
///
/// ```
/// use hubtoken_core::endpoint::Endpoint;
/// use hubtoken_core::recipient::objection;
/// use hubtoken_core::token::Token;
///
/// let key = Token::parse("sk-proj-FakeFakeFakeFakeFakeFake")?.ok_or("blank")?;
/// assert_eq!(
///     objection(&key, &Endpoint::default_hub()).as_deref(),
///     Some("looks like an API key of OpenAI and is not sent to https://huggingface.co"),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn objection(token: &Token, endpoint: &Endpoint) -> Option<String> {
    if let Some(other) = token.other_secret() {
        return Some(format!(
            "{} and is not sent to {endpoint}",
            other.describe()
        ));
    }
    if token.kind() != TokenKind::Opaque {
        return None;
    }
    match token.foreign_service() {
        Some(what) => Some(format!("looks like {what} and is not sent to {endpoint}")),
        None if endpoint.is_hugging_face() => Some(format!(
            "does not begin like a token of the Hub (hf_...) and is not sent to {endpoint}"
        )),
        None => None,
    }
}

/// Why a caller's token, which belongs to another user, is not sent to any Hub; `None` if it may be
/// sent. Unlike in [`objection`], token formats of other Hubs are rejected too, since the caller
/// may have meant another service.
#[must_use]
pub fn caller_objection(token: &Token) -> Option<String> {
    if token.kind() != TokenKind::Opaque {
        return None;
    }
    Some(match token.foreign_service() {
        Some(what) => format!("the caller's token looks like {what}, so it is not sent to any Hub"),
        None => "the caller's token does not begin like a token of the Hub (hf_...), so it is not \
                 sent to any Hub: it may be meant for another service"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::Credential;
    use crate::expiry::Expiry;
    use crate::source::Source;

    const FOREIGN: [&str; 6] = [
        "sk-proj-FakeFakeFakeFakeFakeFakeFakeFakeFake",
        "sk-ant-api03-FakeFakeFakeFakeFakeFakeFakeFake",
        "ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake",
        "glpat-FakeFakeFakeFakeFake",
        "AKIAFAKEFAKEFAKEFAKE",
        "AIzaFakeFakeFakeFakeFakeFakeFakeFakeFakeFak",
    ];
    const OWN: [&str; 3] = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.FakeFakeFakeFake",
        "cmVmdGtuOjAxFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake",
        "hunter2-and-some-more",
    ];
    const HUBS: [&str; 7] = [
        "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
        "hf_oauth_eyFake.eyFake.Fake",
        "hf_jwt_eyFake.eyFake.Fake",
        "hf_s3_eyFake.eyFake.Fake",
        "hf_app_FakeFakeFakeFakeFakeFakeFakeFa",
        "api_org_FakeFakeFakeFakeFakeFakeFakeFakeXX",
        "api_FakeFakeFakeFakeFakeFakeFakeFakeXX",
    ];

    fn credential(value: &str, endpoint: &str) -> Credential {
        Credential {
            token: Token::parse(value).unwrap().unwrap(),
            source: Source::Environment("HF_TOKEN".to_owned()),
            endpoint: Endpoint::parse(endpoint).unwrap(),
            expires_at: Expiry::UNKNOWN,
            renewal: None,
        }
    }

    #[test]
    fn hugging_face_gets_tokens_of_the_hub_alone() {
        for endpoint in [
            "https://huggingface.co",
            "https://hub-ci.huggingface.co",
            "https://huggingface.co:8443/prefix",
            "https://router.huggingface.co",
            "https://hf.co",
            "https://api.endpoints.huggingface.cloud",
        ] {
            for value in FOREIGN.into_iter().chain(OWN) {
                assert!(credential(value, endpoint).check_sendable().is_err());
            }
            for value in HUBS {
                assert!(credential(value, endpoint).check_sendable().is_ok());
            }
        }
    }

    #[test]
    fn another_hub_gets_tokens_of_any_shape_but_no_key_of_another_service() {
        for endpoint in [
            "http://127.0.0.1:1",
            "https://mirror.example",
            "https://nothuggingface.co",
        ] {
            for value in FOREIGN {
                assert!(credential(value, endpoint).check_sendable().is_err());
            }
            for value in HUBS.into_iter().chain(OWN) {
                assert!(credential(value, endpoint).check_sendable().is_ok());
            }
        }
    }

    #[test]
    fn a_refusal_names_the_service_and_the_source_and_never_the_value() {
        for value in FOREIGN.into_iter().chain(OWN) {
            let credential = credential(value, "https://huggingface.co");
            let message = credential.check_sendable().unwrap_err().to_string();
            assert!(
                message.contains("the environment variable HF_TOKEN"),
                "{message}"
            );
            assert!(message.contains("https://huggingface.co"), "{message}");
            assert!(!message.contains("Fake") && !message.contains(&value[value.len() - 4..]));
            assert!(credential.bearer().is_err() && credential.basic("x").is_err());
        }
        let key = credential(FOREIGN[2], "http://127.0.0.1:1");
        assert!(
            key.check_sendable()
                .unwrap_err()
                .to_string()
                .contains("a token of GitHub")
        );
    }

    #[test]
    fn a_callers_token_must_be_the_hubs_own() {
        for value in FOREIGN.into_iter().chain(OWN) {
            let token = Token::parse(value).unwrap().unwrap();
            assert!(caller_objection(&token).unwrap().contains("to any Hub"));
        }
        for value in HUBS {
            assert_eq!(
                caller_objection(&Token::parse(value).unwrap().unwrap()),
                None
            );
        }
    }
}
