//! The first step of a login by browser: a code that a user types on a page of the Hub (RFC 8628,
//! sections 3.1 and 3.2).
//!
//! The code and the address are shown to the user, so a Hub must not be able to steer a terminal or
//! a page with them, or to send the user to an address that is not one of the web. The device code
//! is a secret: whoever has it receives the tokens.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::field::Field;
use super::token_endpoint::{Encoding, TokenEndpoint};
use super::token_failure::TokenFailure;
use crate::endpoint::Endpoint;
use crate::interrupt::Interrupt;

/// The path of the device authorization endpoint.
const PATH: &str = "/oauth/device";
/// The interval between two requests if the Hub names none (RFC 8628, section 3.2).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// No Hub is asked more often, whatever it says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);
/// How long a code is valid if the Hub does not say it, as in `huggingface_hub`.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);
/// The maximum size of an answer, in bytes.
const MAXIMUM_SIZE: usize = 16 * 1024;
/// The longest code that somebody types, in characters.
const LONGEST_USER_CODE: usize = 32;
/// The longest address that is shown, in bytes.
const LONGEST_ADDRESS: usize = 500;

/// A login that waits for its user.
///
/// ```
/// use hubtoken_core::oauth::DeviceAuthorization;
///
/// let answer = br#"{"device_code": "c0ffeec0ffee", "user_code": "ABCD-EFGH",
///     "verification_uri": "https://hub.example/oauth/device", "expires_in": 900}"#;
/// let login = DeviceAuthorization::parse(answer).ok_or("not an answer")?;
/// assert_eq!(login.user_code, "ABCD-EFGH");
/// assert_eq!(login.interval.as_secs(), 5);
/// assert!(!format!("{login:?}").contains("c0ffee"));
/// # Ok::<(), &str>(())
/// ```
pub struct DeviceAuthorization {
    /// The secret by which the tokens are requested.
    pub(super) device_code: Zeroizing<String>,
    /// What the user types on the page. It is safe to show.
    pub user_code: String,
    /// The address of the page. It is safe to show.
    pub verification_uri: String,
    /// The address with the code filled in, if the Hub has one. It is safe to show.
    pub verification_uri_complete: Option<String>,
    /// How long to wait between two requests.
    pub interval: Duration,
    /// How long the codes are valid.
    pub expires_in: Duration,
}

impl DeviceAuthorization {
    /// Asks a Hub for a code.
    ///
    /// # Errors
    ///
    /// [`TokenFailure`]. A Hub that does not answer as RFC 8628 says is
    /// [`TokenFailure::Inconclusive`].
    pub fn request(
        endpoint: &TokenEndpoint,
        client_id: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<Self, TokenFailure> {
        let fields = [("client_id", client_id)];
        let answer = endpoint.post(PATH, Encoding::Form, &fields, interrupt)?;
        let parsed = (200..300)
            .contains(&answer.status)
            .then(|| Self::parse(&answer.body))
            .flatten();
        parsed.ok_or_else(|| TokenFailure::of_answer(&answer, endpoint.endpoint(), &[]))
    }

    /// Parses an answer; `None` if it has no codes and no address that can be used, or is longer
    /// than 16 KiB. What else is missing or unusable has the default of the RFC.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > MAXIMUM_SIZE {
            return None;
        }
        let raw: RawAuthorization = serde_json::from_slice(body).ok()?;
        let duration =
            |field: &Field, default: Duration| field.seconds().map_or(default, Duration::from_secs);
        let device_code = raw.device_code.text().filter(|code| !code.is_empty())?;
        Some(Self {
            user_code: user_code(&raw.user_code.text()?)?,
            verification_uri: address(&raw.verification_uri.text()?)?,
            verification_uri_complete: raw
                .verification_uri_complete
                .text()
                .and_then(|text| address(&text)),
            interval: duration(&raw.interval, DEFAULT_INTERVAL)
                .clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            expires_in: duration(&raw.expires_in, DEFAULT_LIFETIME).min(LONGEST_LIFETIME),
            device_code,
        })
    }

    /// The address to open: the one with the code filled in, if there is one.
    #[must_use]
    pub fn address(&self) -> &str {
        let complete = self.verification_uri_complete.as_deref();
        complete.unwrap_or(&self.verification_uri)
    }

    /// The host of the page if it is not the Hub's own, so that the user is told.
    #[must_use]
    pub fn foreign_host(&self, endpoint: &Endpoint) -> Option<String> {
        let host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
        let own = host(endpoint.as_str());
        let addresses = [
            Some(&self.verification_uri),
            self.verification_uri_complete.as_ref(),
        ];
        addresses
            .into_iter()
            .flatten()
            .filter_map(|address| host(address))
            .find(|host| Some(host) != own.as_ref())
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceAuthorization")
            .field("user_code", &self.user_code)
            .field("verification_uri", &self.verification_uri)
            .field("interval", &self.interval)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// A code of letters, digits and the signs that make it readable.
fn user_code(text: &str) -> Option<String> {
    let is_readable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ' | b'.');
    let text = text.trim();
    let is_code = (1..=LONGEST_USER_CODE).contains(&text.len()) && text.bytes().all(is_readable);
    is_code.then(|| text.to_owned())
}

/// An address of the web, in ASCII, without a user name.
fn address(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
    let is_plain = url.username().is_empty() && url.password().is_none();
    let address = String::from(url);
    let fits =
        address.len() <= LONGEST_ADDRESS && address.bytes().all(|byte| byte.is_ascii_graphic());
    (is_web && is_plain && fits).then_some(address)
}

#[derive(Deserialize)]
struct RawAuthorization {
    #[serde(default)]
    device_code: Field,
    #[serde(default)]
    user_code: Field,
    #[serde(default)]
    verification_uri: Field,
    #[serde(default)]
    verification_uri_complete: Field,
    #[serde(default)]
    interval: Field,
    #[serde(default)]
    expires_in: Field,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::fake_hub::FakeHub;
    use super::*;
    use crate::identity::Settings;
    use crate::identity::client::Client;
    use crate::interrupt::NeverInterrupted;
    use proptest::prelude::*;

    fn parse(fields: &str) -> Option<DeviceAuthorization> {
        let text = format!(
            r#"{{"device_code": "c0ffee", "user_code": "ABCD-EFGH", {fields}
               "verification_uri": "https://hub.example/oauth/device"}}"#
        );
        DeviceAuthorization::parse(text.as_bytes())
    }

    #[test]
    fn what_is_missing_has_the_defaults_of_the_rfc() {
        for fields in [
            "",
            r#""interval": null, "expires_in": "soon", "verification_uri_complete": 7,"#,
            r#""interval": [5], "expires_in": -1, "verification_uri_complete": "javascript:x","#,
        ] {
            let login = parse(fields).unwrap();
            assert_eq!(login.interval, Duration::from_secs(5), "{fields}");
            assert_eq!(login.expires_in, Duration::from_mins(15), "{fields}");
            assert_eq!(login.address(), "https://hub.example/oauth/device");
        }
        let complete = parse(
            r#""interval": 2, "expires_in": 60,
               "verification_uri_complete": "https://hub.example/oauth/device?user_code=ABCD-EFGH","#,
        )
        .unwrap();
        assert_eq!(complete.interval, Duration::from_secs(2));
        assert_eq!(complete.expires_in, Duration::from_mins(1));
        assert!(complete.address().ends_with("?user_code=ABCD-EFGH"));
    }

    #[test]
    fn no_hub_sets_an_absurd_pace() {
        let eager = parse(r#""interval": 0, "expires_in": 1e30,"#).unwrap();
        assert_eq!(eager.interval, Duration::from_secs(1));
        let slow = parse(r#""interval": 86400, "expires_in": 18446744073709551615,"#).unwrap();
        assert_eq!(slow.interval, Duration::from_mins(1));
        assert_eq!(slow.expires_in, Duration::from_hours(24));
    }

    #[test]
    fn what_is_shown_steers_nothing() {
        let text = |code: &str, uri: &str| {
            serde_json::json!({"device_code": "x", "user_code": code, "verification_uri": uri})
                .to_string()
        };
        for code in [
            "",
            " ",
            "A\u{1b}[31m",
            "\u{202e}AB",
            "A<b>",
            &"A".repeat(33),
        ] {
            let body = text(code, "https://hub.example/oauth/device");
            assert!(
                DeviceAuthorization::parse(body.as_bytes()).is_none(),
                "{code:?}"
            );
        }
        for uri in [
            "",
            "oauth/device",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user:password@hub.example/",
            "data:text/html,x",
            &format!("https://hub.example/{}", "x".repeat(500)),
        ] {
            let body = text("ABCD", uri);
            assert!(
                DeviceAuthorization::parse(body.as_bytes()).is_none(),
                "{uri}"
            );
        }
        // What a parser of addresses encodes is harmless.
        let odd = text("ABCD", "https://hub.example/\u{1b}[31m\u{202e}");
        let odd = DeviceAuthorization::parse(odd.as_bytes()).unwrap();
        assert!(odd.address().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn a_page_of_another_host_is_named() {
        let login = parse("").unwrap();
        let endpoint = |text| Endpoint::parse(text).unwrap();
        assert_eq!(login.foreign_host(&endpoint("https://hub.example")), None);
        assert_eq!(
            login
                .foreign_host(&endpoint("https://other.example"))
                .as_deref(),
            Some("hub.example")
        );
        let mixed = parse(r#""verification_uri_complete": "https://evil.example/x","#).unwrap();
        assert_eq!(
            mixed
                .foreign_host(&endpoint("https://hub.example"))
                .as_deref(),
            Some("evil.example")
        );
    }

    #[test]
    fn a_hub_is_asked_with_the_client_alone() {
        let hub = FakeHub::start(|request| {
            Some(match request.field("client_id").as_deref() {
                Some("known") => (
                    200,
                    r#"{"device_code": "c0ffee", "user_code": "AB",
                        "verification_uri": "http://127.0.0.1:1/oauth/device"}"#
                        .to_owned(),
                ),
                Some("unknown") => (401, r#"{"error": "invalid_client"}"#.to_owned()),
                _ => (404, "Not Found".to_owned()),
            })
        });
        let endpoint = Client::default().token_endpoint(&hub.endpoint, &Settings::default());
        let ask = |client| DeviceAuthorization::request(&endpoint, client, &NeverInterrupted);
        assert_eq!(ask("known").unwrap().user_code, "AB");
        assert_eq!(ask("unknown").unwrap_err().code(), Some("invalid_client"));
        assert_eq!(ask("other").unwrap_err().code(), None);
        let requests = hub.requests();
        assert!(
            requests
                .iter()
                .all(|request| request.line == "POST /oauth/device")
        );
        assert_eq!(requests.first().unwrap().body, "client_id=known");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body: Vec<u8>, text in "\\{\"(device_code|user_code)\": .{0,40}\\}?") {
            for body in [&body[..], text.as_bytes()] {
                let _ = DeviceAuthorization::parse(body);
            }
        }
    }
}
