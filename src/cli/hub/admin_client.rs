//! The administration API of a Hub that runs, found through its data folder.
//!
//! The folder says where the Hub listens (`hub.json`) and holds the key (`admin-key`). A Hub that
//! crashed leaves both behind, and by now the port may be another program's, so the key is only
//! sent while somebody holds the folder's lock.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;
use zeroize::Zeroizing;

use super::interruptible::wait;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::{Error, UnknownKind};
use crate::file;
use crate::http::{self, HubClient, NoAnswer, Settings, Transport};
use crate::identity::TIMEOUT;
use crate::identity::failure::message;
use crate::interrupt::Interrupt;
use crate::role::permission;

/// The largest file of a data folder that is read here, in bytes.
const MAXIMUM_FILE: u64 = 4096;
/// What stays as it is in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Which Hub is meant.
#[derive(clap::Args)]
pub struct DataArgs {
    /// The data folder of the Hub; without it, the one in `HUBTOKEN_HUB_DATA`
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl DataArgs {
    /// The folder, if one was named.
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
        // Without the `.` of `./hub`, since it is shown.
        Some(folder.components().collect())
    }
}

/// A way to the API.
pub struct Admin<'a> {
    endpoint: Endpoint,
    key: Zeroizing<String>,
    client: HubClient,
    interrupt: &'a dyn Interrupt,
    folder: PathBuf,
}

impl<'a> Admin<'a> {
    /// Finds the Hub.
    ///
    /// # Errors
    ///
    /// No folder was named, or no Hub runs there.
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
        })
    }

    /// Reads what is at a path.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn get(&self, parts: &[&str]) -> Result<Value, Failure> {
        self.ask(Method::GET, parts, None)
    }

    /// Asks, and returns the JSON of the answer; `null` for an empty one.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] in the Hub's words, [`Error::Unknown`] when it does not answer.
    pub fn ask(
        &self,
        method: Method,
        parts: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.ask_with(method, parts, &[], body)
    }

    /// Asks with parameters, as [`ask`](Self::ask) does without.
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
            // A dot or two would be taken for a step up, and a blank part for another address.
            if matches!(*part, "" | "." | "..") {
                return Err(Failure::Usage(format!("`{part}` is no name")));
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
            TIMEOUT,
        );
        let answer = wait(request, self.interrupt)?.map_err(|reason| {
            let (NoAnswer::Unreachable(text) | NoAnswer::Strange(text)) = reason;
            unreachable(format!(
                "the Hub at {} does not answer: {text}",
                self.endpoint
            ))
        })?;
        // An answer may hold a new token.
        let bytes = Zeroizing::new(answer.body);
        match answer.status {
            200..=299 if bytes.is_empty() => Ok(Value::Null),
            200..=299 => serde_json::from_slice(&bytes).map_err(|_| {
                unreachable(format!("what {} answered is not JSON", self.endpoint)).into()
            }),
            401 => Err(Error::Hub(format!(
                "the Hub at {} does not accept the key in {}: is it another Hub's folder?",
                self.endpoint,
                self.folder.join("admin-key").display()
            ))
            .into()),
            status => {
                let answer = http::Answer {
                    status,
                    headers: answer.headers,
                    body: bytes.to_vec(),
                };
                let words = message(&answer).unwrap_or_else(|| format!("status {status}"));
                if answer.header("x-error-code") == Some(permission::MISSPELLED) {
                    return Err(Error::InvalidArgument(words).into());
                }
                Err(Error::Hub(words).into())
            }
        }
    }
}

/// Where the Hub of a folder listens.
fn find(folder: &Path) -> Result<Endpoint, Error> {
    let announced = read(&folder.join("hub.json"))?.ok_or_else(|| nobody(folder))?;
    if !is_locked(folder) {
        return Err(nobody(folder));
    }
    let strange = || {
        Error::Hub(format!(
            "{} does not say where a Hub listens on this machine",
            folder.join("hub.json").display()
        ))
    };
    let announced: Value = serde_json::from_str(&announced).map_err(|_| strange())?;
    // A Hub that others reach has an address of its own for its owner.
    let text = announced
        .get("local")
        .or_else(|| announced.get("endpoint"))
        .and_then(Value::as_str)
        .ok_or_else(strange)?;
    // An embedded Hub is on this machine; its key goes nowhere else.
    Endpoint::parse(text)
        .ok()
        .filter(Endpoint::is_loopback)
        .ok_or_else(strange)
}

fn is_locked(folder: &Path) -> bool {
    File::open(folder.join("hub.lock"))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    file::read_secret(path, MAXIMUM_FILE).map_err(Error::Hub)
}

fn nobody(folder: &Path) -> Error {
    unreachable(format!(
        "no Hub runs with the data folder {0}. Start it with `hubtoken hub serve --data {0}`",
        folder.display()
    ))
}

fn unreachable(message: String) -> Error {
    Error::Unknown {
        message,
        kind: UnknownKind::Unreachable,
    }
}
