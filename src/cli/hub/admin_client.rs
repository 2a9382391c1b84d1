//! Sends requests to the administration API of a running Hub, which is found through its data
//! folder.
//!
//! The folder contains the Hub's local address (`hub.json`) and its key (`admin-key`). A Hub that
//! crashed leaves both behind, and another program may have taken its port, so the key is only sent
//! while a process holds the folder's lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;
use zeroize::Zeroizing;

use super::interruptible::wait;
use crate::bounded_file;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::http::response_details::{message, of_answer};
use crate::http::{self, HubClient, Settings, Transport};
use crate::hub;
use crate::identity::TIMEOUT;
use crate::interrupt::Interrupt;
use crate::role::permission;

/// The maximum size of a file that is read from a data folder, in bytes.
const MAXIMUM_FILE: u64 = 4096;
/// The characters that are not escaped in a path segment.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Selects the Hub.
#[derive(clap::Args)]
pub struct DataArgs {
    /// The data folder of the Hub; without it, the one in `HUBTOKEN_HUB_DATA`
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl DataArgs {
    /// The folder that was given, with `--data` or in `HUBTOKEN_HUB_DATA`.
    pub fn folder(&self, context: &Context<'_>) -> Option<PathBuf> {
        let named = self.data.clone().or_else(|| {
            context
                .environment
                .get(env::HUBTOKEN_HUB_DATA)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })?;
        let folder = match &context.folder {
            Some(folder) => folder.join(named),
            None => named,
        };
        // Without the `.` of `./hub`, for display.
        Some(folder.components().collect())
    }
}

/// A client of the administration API.
pub struct Admin<'a> {
    endpoint: Endpoint,
    key: Zeroizing<String>,
    client: HubClient,
    interrupt: &'a dyn Interrupt,
    folder: PathBuf,
    timeout: Duration,
}

impl<'a> Admin<'a> {
    /// Connects to the Hub.
    ///
    /// # Errors
    ///
    /// No folder was given, or no Hub is running there.
    pub fn open(place: &DataArgs, context: &'a Context<'_>) -> Result<Self, Failure> {
        let folder = place.folder(context).ok_or_else(|| {
            Failure::Usage(
                "which Hub? Name its data folder with --data, or in HUBTOKEN_HUB_DATA; \
                 `hubtoken hub serve` says it when it starts"
                    .to_owned(),
            )
        })?;
        let endpoint = find(&folder)?;
        let key = read(&folder.join("admin-key"))?.ok_or_else(|| nobody(&folder))?;
        let client = Transport::default().client(&endpoint, &Settings::default())?;
        Ok(Self {
            endpoint,
            key: Zeroizing::new(key.trim().to_owned()),
            client,
            interrupt: context.interrupt,
            folder,
            timeout: TIMEOUT,
        })
    }

    /// The same, with at most this long to wait for a response.
    pub fn within(self, timeout: Duration) -> Self {
        Self {
            timeout: timeout.min(TIMEOUT),
            ..self
        }
    }

    /// Where the administration API is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a GET request to a path.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn get(&self, parts: &[&str]) -> Result<Value, Failure> {
        self.ask(Method::GET, parts, None)
    }

    /// Sends a request and returns the JSON of the response; `null` if it is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] with the Hub's message, [`Error::Unknown`] if it does not respond.
    pub fn ask(
        &self,
        method: Method,
        parts: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.ask_with(method, parts, &[], body)
    }

    /// Sends a request with query parameters; otherwise as [`ask`](Self::ask).
    ///
    /// # Errors
    ///
    /// The same.
    pub fn ask_with(
        &self,
        method: Method,
        parts: &[&str],
        parameters: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut path = "/-/hubtoken/v1".to_owned();
        for part in parts {
            // A dot segment would be resolved, and an empty one would change the route.
            if matches!(*part, "" | "." | "..") {
                return Err(Failure::Usage(format!("`{part}` is not a valid name")));
            }
            path.push('/');
            path.extend(utf8_percent_encode(part, PART));
        }
        for (number, (name, value)) in parameters.iter().enumerate() {
            path.push(if number == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            path.extend(utf8_percent_encode(value, PART));
        }
        let key = Zeroizing::new(format!("Bearer {}", self.key.as_str()));
        let request = http::send(
            &self.client,
            &self.endpoint,
            (method, &path),
            key,
            body,
            self.timeout,
        );
        let answer = wait(request, self.interrupt)?.map_err(|reason| {
            let details = reason
                .head()
                .map_or_else(ResponseDetails::default, |head| of_answer(head, &self.key));
            unreachable(format!(
                "the Hub at {} does not answer: {}",
                self.endpoint,
                reason.text()
            ))
            .caused_by(&details)
        })?;
        let details = match answer.status {
            200..=299 => ResponseDetails::default(),
            _ => of_answer(&answer, &self.key),
        };
        // The response may contain a new token.
        let bytes = Zeroizing::new(answer.body);
        match answer.status {
            200..=299 if bytes.is_empty() => Ok(Value::Null),
            200..=299 => serde_json::from_slice(&bytes).map_err(|_| {
                unreachable(format!("the response of {} is not JSON", self.endpoint)).into()
            }),
            401 => Err(Error::hub(format!(
                "the Hub at {} does not accept the key in {}: is the folder another Hub's?",
                self.endpoint,
                self.folder.join("admin-key").display()
            ))
            .caused_by(&details)
            .into()),
            status => {
                let answer = http::Response {
                    status,
                    headers: answer.headers,
                    body: bytes.to_vec(),
                };
                let words = message(&answer).unwrap_or_else(|| format!("status {status}"));
                if answer.header("x-error-code") == Some(permission::MISSPELLED) {
                    return Err(Error::InvalidArgument(words).into());
                }
                Err(Error::hub(words).caused_by(&details).into())
            }
        }
    }
}

/// Reads from the folder where its Hub listens.
fn find(folder: &Path) -> Result<Endpoint, Error> {
    let announced = read(&folder.join("hub.json"))?.ok_or_else(|| nobody(folder))?;
    if !hub::is_locked(folder) {
        return Err(nobody(folder));
    }
    let strange = || {
        Error::hub(format!(
            "{} does not contain the address of a Hub on this machine",
            folder.join("hub.json").display()
        ))
    };
    let announced: Value = serde_json::from_str(&announced).map_err(|_| strange())?;
    // A Hub that is reachable from other machines has a separate local address for administration.
    let text = announced
        .get("local")
        .or_else(|| announced.get("endpoint"))
        .and_then(Value::as_str)
        .ok_or_else(strange)?;
    // An embedded Hub is on this machine; its key is never sent to another one.
    Endpoint::parse(text)
        .ok()
        .filter(Endpoint::is_loopback)
        .ok_or_else(strange)
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    bounded_file::read_secret(path, MAXIMUM_FILE).map_err(Error::hub)
}

fn nobody(folder: &Path) -> Error {
    unreachable(format!(
        "no Hub is running with the data folder {0}. Start it with `hubtoken hub serve --data {0}`",
        folder.display()
    ))
}

fn unreachable(message: String) -> Error {
    Error::Unknown {
        message,
        kind: UnknownKind::Unreachable,
        response: ResponseDetails::default(),
    }
}
