//! A login in a browser, from the request for a code to what is stored: the part that the command
//! line, a program without a terminal, and a notebook have in common.

use std::path::Path;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::{Error, UnknownKind};
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::oauth::{
    DeviceAuthorization, Pace, TokenEndpoint, TokenFailure, TokenResponse, client_id, poll,
};
use crate::store::IssuedFields;

/// Files that container engines leave in every container.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// A login that waits for its user's approval.
pub struct BrowserLogin {
    endpoint: TokenEndpoint,
    client_id: String,
    authorization: DeviceAuthorization,
}

/// Why no login by browser can begin.
#[derive(Debug)]
pub enum BrowserLoginFailure {
    /// The Hub has none. Its error says what it answered.
    Unsupported(Error),
    /// The Hub refused, or gave no answer.
    Failed(Error),
}

impl BrowserLogin {
    /// Asks a Hub for the code that the user types.
    ///
    /// # Errors
    ///
    /// [`BrowserLoginFailure`], which tells a Hub that has no login by browser from one that cannot
    /// be reached.
    pub fn begin(
        client: &Client,
        endpoint: &Endpoint,
        environment: &BrowserSettings,
        interrupt: &dyn Interrupt,
    ) -> Result<Self, BrowserLoginFailure> {
        let token_endpoint = client.token_endpoint(endpoint, &environment.client);
        let client_id = environment.client_id.clone();
        match DeviceAuthorization::request(&token_endpoint, &client_id, interrupt) {
            Ok(authorization) => Ok(Self {
                endpoint: token_endpoint,
                client_id,
                authorization,
            }),
            Err(failure) => {
                let is_unsupported = is_no_oauth(&failure);
                let error = failure.into_error("the login by browser", "Log in with a token");
                Err(if is_unsupported {
                    BrowserLoginFailure::Unsupported(error)
                } else {
                    BrowserLoginFailure::Failed(error)
                })
            }
        }
    }

    /// The code that the user types.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.authorization.user_code
    }

    /// The address to open.
    #[must_use]
    pub fn address(&self) -> &str {
        self.authorization.address()
    }

    /// What the user does, as lines of text.
    #[must_use]
    pub fn instructions(&self) -> Vec<String> {
        let address = self.address();
        let mut lines = vec![
            format!("To log in, open {address}"),
            format!("and enter the code {}", self.user_code()),
        ];
        lines.extend(self.caution());
        lines
    }

    /// What to say if the page is not the Hub's own.
    #[must_use]
    pub fn caution(&self) -> Option<String> {
        let endpoint = self.endpoint.endpoint();
        let host = self.authorization.foreign_host(endpoint)?;
        Some(format!(
            "This page is on {host}, and not on {endpoint}: check that it is your Hub's before you \
             sign in there"
        ))
    }

    /// Waits for the approval.
    ///
    /// # Errors
    ///
    /// As [`poll`].
    pub fn wait(
        &self,
        pace: &dyn Pace,
        interrupt: &dyn Interrupt,
        waiting: &mut dyn FnMut(Duration) -> Result<(), Error>,
    ) -> Result<TokenResponse, Error> {
        let Self {
            endpoint,
            client_id,
            authorization,
        } = self;
        poll(authorization, endpoint, client_id, pace, interrupt, waiting)
    }
}

/// Whether a failure means that the Hub has no login by browser, as an older Hub or a mirror: it
/// answered, and not in the words of RFC 6749.
fn is_no_oauth(failure: &TokenFailure) -> bool {
    match failure {
        TokenFailure::Refused { code, .. } => !code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
        TokenFailure::Inconclusive(Error::Unknown { kind, .. }) => {
            matches!(kind, UnknownKind::Other)
        }
        TokenFailure::Inconclusive(_) => false,
    }
}

/// What is stored with a token that was issued at a time, in Unix seconds.
#[must_use]
pub fn issued_fields(response: &TokenResponse, now: i64) -> IssuedFields {
    IssuedFields {
        refresh_token: response.refresh_token.clone(),
        issued_at: Some(now),
        expires_at: response.expires_at(now),
    }
}

/// What the environment says of a login by browser.
#[derive(Clone)]
pub struct BrowserSettings {
    client: Settings,
    client_id: String,
    can_open: bool,
}

impl BrowserSettings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        Self {
            client: Settings::read(environment),
            client_id: client_id(environment),
            can_open: can_open(environment, |path| Path::new(path).exists()),
        }
    }

    /// Whether a browser opened from here is one that the user sees.
    #[must_use]
    pub fn can_open(&self) -> bool {
        self.can_open
    }
}

/// Whether a browser that is opened here appears on the user's screen. `BROWSER` decides if it is
/// set: a blank one means none.
fn can_open(environment: &dyn Environment, exists: impl Fn(&str) -> bool) -> bool {
    let is_set = |name| env::text(environment, name).is_some();
    if environment.get(env::BROWSER).is_some() {
        return is_set(env::BROWSER);
    }
    if [env::SSH_CONNECTION, env::SSH_TTY, env::CI]
        .into_iter()
        .any(is_set)
    {
        return false;
    }
    let is_container = [env::CONTAINER, env::KUBERNETES_SERVICE_HOST]
        .into_iter()
        .any(is_set)
        || CONTAINER_FILES.into_iter().any(exists);
    if is_container {
        return false;
    }
    let has_own_screen = cfg!(any(windows, target_os = "macos"));
    has_own_screen
        || [env::DISPLAY, env::WAYLAND_DISPLAY, env::WSL_DISTRO_NAME]
            .into_iter()
            .any(is_set)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;
    use crate::interrupt::NeverInterrupted;
    use crate::oauth::fake_hub::FakeHub;

    #[cfg(not(any(windows, target_os = "macos")))]
    #[test]
    fn a_browser_is_opened_where_its_user_sees_it() {
        let screen = ("DISPLAY", ":0");
        let decided = |pairs: &[(&str, &str)], exists: bool| {
            let mut environment = StaticEnvironment::default();
            for (name, value) in pairs {
                environment.set(name, *value);
            }
            can_open(&environment, |_| exists)
        };
        assert!(decided(&[screen], false));
        assert!(decided(&[("WAYLAND_DISPLAY", "wayland-0")], false));
        assert!(decided(&[("WSL_DISTRO_NAME", "Debian")], false));
        assert!(!decided(&[], false));
        assert!(!decided(&[screen], true), "a container");
        for no in [
            "SSH_CONNECTION",
            "SSH_TTY",
            "CI",
            "container",
            "KUBERNETES_SERVICE_HOST",
        ] {
            assert!(!decided(&[screen, (no, "x")], false), "{no}");
            assert!(
                decided(&[screen, (no, "x"), ("BROWSER", "firefox")], true),
                "{no}"
            );
        }
        assert!(!decided(&[screen, ("BROWSER", "")], false));
        assert!(!decided(&[screen, ("BROWSER", " ")], false));
    }

    fn begun(status: u16, body: &str) -> Result<BrowserLogin, BrowserLoginFailure> {
        let body = body.to_owned();
        let hub = FakeHub::start(move |_| Some((status, body.clone())));
        let settings = BrowserSettings::read(&StaticEnvironment::default());
        BrowserLogin::begin(
            &Client::default(),
            &hub.endpoint,
            &settings,
            &NeverInterrupted,
        )
    }

    #[test]
    fn a_hub_without_it_is_told_from_one_that_refuses_or_fails() {
        for (status, body) in [
            (404, "Not Found"),
            (
                404,
                r#"{"error": "Sorry, we can't find the page you are looking for."}"#,
            ),
            (405, ""),
            (
                401,
                r#"{"error": "Invalid credentials in Authorization header"}"#,
            ),
            (200, "<html>"),
            (200, "{}"),
        ] {
            let failure = begun(status, body).err().unwrap();
            assert!(
                matches!(failure, BrowserLoginFailure::Unsupported(_)),
                "{status} {body}"
            );
        }
        for (status, body) in [
            (401, r#"{"error": "invalid_client"}"#),
            (429, ""),
            (502, "<html>"),
        ] {
            let failure = begun(status, body).err().unwrap();
            assert!(
                matches!(failure, BrowserLoginFailure::Failed(_)),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn the_instructions_name_the_page_and_warn_of_a_foreign_one() {
        let login = begun(
            200,
            r#"{"device_code": "x", "user_code": "ABCD-EFGH",
                "verification_uri": "https://evil.example/oauth/device"}"#,
        );
        let lines = login.unwrap().instructions().join("\n");
        assert!(
            lines.contains("https://evil.example/oauth/device"),
            "{lines}"
        );
        assert!(lines.contains("ABCD-EFGH") && lines.contains("This page is on evil.example"));
        let own = begun(
            200,
            r#"{"device_code": "x", "user_code": "ABCD-EFGH",
                "verification_uri": "http://127.0.0.1:1/oauth/device"}"#,
        );
        assert_eq!(own.unwrap().caution(), None);
    }
}
