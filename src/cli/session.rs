//! The token that a verb is about, and the way to its Hub.

use std::sync::Arc;
use std::time::Duration;

use super::World;
use super::arguments::Which;
use crate::credential::Credential;
use crate::error::Error;
use crate::http::Settings;
use crate::identity::client::{Client, Known, Line};
use crate::identity::{Interrupt, Options};
use crate::paths::Paths;
use crate::process;
use crate::resolve::trace::Trace;
use crate::resolve::{Argument, Inputs, Request, Resolver, ambient_endpoint, shadowing};
use crate::store::machine::Machine;

/// A token that was found, ready to be asked about.
pub struct Session<'a> {
    interrupt: &'a dyn Interrupt,
    /// The client of this process.
    pub client: Arc<Client>,
    /// The token.
    pub credential: Arc<Credential>,
    /// The way to its Hub.
    pub line: Line,
    /// Sources that were passed over because they are broken.
    pub warnings: Vec<String>,
}

impl<'a> Session<'a> {
    /// Finds the token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`].
    pub fn open(world: &'a World<'_>, which: &Which) -> Result<Self, Error> {
        let request = request(which)?;
        // A new one for each run: it warns about each broken source once in its life.
        let resolution = Resolver::default().resolve(&request, &inputs(world))?;
        let credential = resolution.credential.ok_or_else(|| Error::TokenNotFound {
            message: "no token was asked for".to_owned(),
            trace: Arc::new(resolution.trace.clone()),
        })?;
        let client = Arc::clone(&process::current_checked().client);
        let line = client.line(&credential.endpoint, &Settings::read(world.environment));
        Ok(Self {
            interrupt: world.interrupt,
            client,
            credential,
            line,
            warnings: process::current().resolver.warnings(&resolution.trace),
        })
    }

    /// Asks the Hub whose it is.
    ///
    /// # Errors
    ///
    /// As [`Client::identify`].
    pub fn identify(&self, options: &Options) -> Result<Known, Error> {
        self.client
            .identify(&self.credential, &self.line, options, self.interrupt)
            .map_err(|failure| failure.into_error(&self.credential))
    }
}

/// What all the sources answer, without asking the Hub.
///
/// # Errors
///
/// As [`Resolver::explain`].
pub fn explain(world: &World<'_>, which: &Which) -> Result<Trace, Error> {
    Resolver::default().explain(&request(which)?, &inputs(world))
}

/// For "who am I", which asks about now: no remembered answer will do.
pub fn fresh(timeout: Option<Duration>) -> Options {
    Options {
        max_stale: Duration::ZERO,
        ..options(Some(Duration::ZERO), timeout)
    }
}

/// The lifetimes of a check.
pub fn options(max_age: Option<Duration>, timeout: Option<Duration>) -> Options {
    let default = Options::default();
    Options {
        max_age,
        timeout: timeout.unwrap_or(default.timeout),
        ..default
    }
}

/// The stored tokens of this machine.
///
/// # Errors
///
/// As [`Machine::new`]; a broken `HF_ENDPOINT`.
pub fn machine<'a>(world: &World<'a>) -> Result<Machine<'a>, Error> {
    let ambient = ambient_endpoint(world.environment)?;
    Machine::new(&Paths::new(world.environment), ambient, world.interrupt)
}

/// That a variable goes before the active token, if one does; `what_then` says what to do.
pub fn shadow(world: &World<'_>, what_then: &str) -> Option<String> {
    shadowing(world.environment).map(|name| format!("{name} is set and {what_then}"))
}

fn request(which: &Which) -> Result<Request<'_>, Error> {
    Ok(Request {
        argument: Argument::Ambient,
        endpoint: which.endpoint()?,
        profile: which.profile.as_deref(),
    })
}

fn inputs(world: &World<'_>) -> Inputs {
    Inputs::read(world.environment, world.folder.clone())
}
