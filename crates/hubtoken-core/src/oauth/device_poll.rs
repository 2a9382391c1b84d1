//! The second step of a login by browser: asking until the user has decided (RFC 8628, sections 3.4
//! and 3.5).
//!
//! Only the Hub's own words end it: an approval, a denial, a code that has expired. A network that
//! is gone for a minute, a proxy's page or a server that fails say nothing about the login.

use std::thread;
use std::time::{Duration, Instant};

use super::device_authorization::DeviceAuthorization;
use super::token_endpoint::{Encoding, TokenEndpoint};
use super::token_failure::TokenFailure;
use super::token_response::TokenResponse;
use crate::error::{Error, ResponseDetails};
use crate::interrupt::Interrupt;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// By how much `slow_down` lengthens the interval (RFC 8628, section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// How often a wait checks whether it was interrupted.
const SLICE: Duration = Duration::from_millis(50);
/// What to do after a login that was not approved.
const ADVICE: &str = "Start the login again, or log in with a token";

/// How time passes while a login waits.
pub trait Pace {
    /// The current time.
    fn now(&self) -> Instant;

    /// Waits for a time. Returns whether an interruption ended the wait.
    fn wait(&self, time: Duration, interrupt: &dyn Interrupt) -> bool;
}

/// The system's own time.
pub struct SystemPace;

impl Pace for SystemPace {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, time: Duration, interrupt: &dyn Interrupt) -> bool {
        let end = Instant::now() + time;
        while !interrupt.is_set() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(SLICE));
        }
        true
    }
}

/// Waits until the user has approved a login, and returns its tokens.
///
/// The first request is sent at once. `waiting` is called with the time that is left after each
/// answer that says nothing yet; an error of it ends the wait.
///
/// # Errors
///
/// [`Error::Login`] if the user denies the login, the code expires, or the Hub refuses the request;
/// [`Error::Interrupted`]; what `waiting` returns.
pub fn poll(
    authorization: &DeviceAuthorization,
    endpoint: &TokenEndpoint,
    client_id: &str,
    pace: &dyn Pace,
    interrupt: &dyn Interrupt,
    waiting: &mut dyn FnMut(Duration) -> Result<(), Error>,
) -> Result<TokenResponse, Error> {
    let mut interval = authorization.interval;
    let end = pace.now() + authorization.expires_in;
    loop {
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("device_code", authorization.device_code.as_str()),
            ("client_id", client_id),
        ];
        match endpoint.request(Encoding::Form, &fields, interrupt) {
            Ok(response) => return Ok(response),
            Err(TokenFailure::Inconclusive(Error::Interrupted)) => return Err(Error::Interrupted),
            Err(TokenFailure::Inconclusive(_)) => {}
            Err(failure) => match failure.code() {
                Some("authorization_pending") => {}
                Some("slow_down") => interval += SLOW_DOWN,
                Some("expired_token") => return Err(expired()),
                Some("access_denied") => return Err(denied()),
                _ => return Err(failure.into_error("the login by browser", ADVICE)),
            },
        }
        let left = end.saturating_duration_since(pace.now());
        if left.is_zero() {
            return Err(expired());
        }
        waiting(left)?;
        if pace.wait(interval.min(left), interrupt) {
            return Err(Error::Interrupted);
        }
        if pace.now() >= end {
            return Err(expired());
        }
    }
}

fn expired() -> Error {
    ended(
        "expired_token",
        "the code expired before the login was approved",
    )
}

fn denied() -> Error {
    ended("access_denied", "the login was denied in the browser")
}

fn ended(code: &str, what: &str) -> Error {
    Error::Login {
        message: format!("{what}. {ADVICE}"),
        code: Some(code.to_owned()),
        response: ResponseDetails::default(),
    }
}

#[cfg(test)]
mod tests;
