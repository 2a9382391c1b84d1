//! The options of the Hub as an OAuth issuer: how long what it issues lasts.

use time::Duration;

use crate::error::HubError;
use crate::registry::LoginLifetimes;

const DAY: u32 = 24 * 60 * 60;
/// The real Hub's longest lifetime of an access token. Signing keys are served as long after they
/// were replaced.
pub(super) const MAX_ACCESS_TOKEN_SECONDS: u32 = 30 * DAY;
const MAX_REFRESH_TOKEN_SECONDS: u32 = 3650 * DAY;
const MAX_DEVICE_CODE_SECONDS: u32 = DAY;
const MAX_DEVICE_INTERVAL_SECONDS: u32 = 300;

/// How long what a login consists of lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthOptions {
    /// How long an access token is valid; 30 days by default and at most.
    pub access_token_seconds: u32,
    /// How long a refresh token can be used; 90 days by default. Each use replaces it by one that
    /// lasts as long again.
    pub refresh_token_seconds: u32,
    /// How long a device code can be approved and exchanged; 15 minutes by default.
    pub device_code_seconds: u32,
    /// How long a program waits between two questions whether its device code was approved; 5
    /// seconds by default. With 0, none is ever told to slow down.
    pub device_interval_seconds: u32,
}

impl Default for OAuthOptions {
    fn default() -> Self {
        Self {
            access_token_seconds: MAX_ACCESS_TOKEN_SECONDS,
            refresh_token_seconds: 90 * DAY,
            device_code_seconds: 15 * 60,
            device_interval_seconds: 5,
        }
    }
}

impl OAuthOptions {
    /// Checks the options before the Hub starts.
    pub(crate) fn check(&self) -> Result<(), HubError> {
        for (what, value, least, most) in [
            (
                "the lifetime of access tokens",
                self.access_token_seconds,
                1,
                MAX_ACCESS_TOKEN_SECONDS,
            ),
            (
                "the lifetime of refresh tokens",
                self.refresh_token_seconds,
                1,
                MAX_REFRESH_TOKEN_SECONDS,
            ),
            (
                "the lifetime of device codes",
                self.device_code_seconds,
                1,
                MAX_DEVICE_CODE_SECONDS,
            ),
            (
                "the interval of device codes",
                self.device_interval_seconds,
                0,
                MAX_DEVICE_INTERVAL_SECONDS,
            ),
        ] {
            if !(least..=most).contains(&value) {
                return Err(HubError::InvalidOption {
                    what: what.to_owned(),
                    reason: format!("it must be {least} to {most} seconds, not {value}"),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn lifetimes(&self) -> LoginLifetimes {
        LoginLifetimes {
            access: Duration::seconds(self.access_token_seconds.into()),
            refresh: Duration::seconds(self.refresh_token_seconds.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_bounds() {
        assert!(OAuthOptions::default().check().is_ok());
        for wrong in [
            OAuthOptions {
                access_token_seconds: 0,
                ..OAuthOptions::default()
            },
            OAuthOptions {
                access_token_seconds: MAX_ACCESS_TOKEN_SECONDS + 1,
                ..OAuthOptions::default()
            },
            OAuthOptions {
                refresh_token_seconds: 0,
                ..OAuthOptions::default()
            },
            OAuthOptions {
                device_interval_seconds: 301,
                ..OAuthOptions::default()
            },
        ] {
            let refused = wrong.check().unwrap_err().to_string();
            assert!(refused.contains("seconds"), "{refused}");
        }
    }
}
