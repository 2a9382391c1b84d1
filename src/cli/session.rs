//! The token that a verb is about, and the way to its Hub.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use super::args::Which;
use super::world::World;
use crate::credential::Credential;
use crate::error::Error;
use crate::http::Settings;
use crate::identity::Options;
use crate::identity::client::{Client, Known, Line};
use crate::interrupt::Interrupt;
use crate::paths::Paths;
use crate::resolve::defaults::Defaults;
use crate::resolve::outside::Shell;
use crate::resolve::placed::shadow_warning;
use crate::resolve::trust::Trust;
use crate::resolve::{Argument, Inputs, Request, ambient_endpoint};
use crate::store::machine::Machine;
use crate::trace::Trace;

/// A token that was found, ready to be asked about.
pub struct Session<'a> {
    interrupt: &'a dyn Interrupt,
    /// The client that asks about it.
    pub client: Arc<Client>,
    /// The token.
    pub credential: Arc<Credential>,
    settings: Settings,
    line: OnceCell<Line>,
    /// Sources that were passed over because they are broken.
    pub warnings: Vec<String>,
}

impl<'a> Session<'a> {
    /// Finds the token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`](crate::resolve::Resolver::resolve).
    pub fn open(world: &'a World<'_>, which: &Which) -> Result<Self, Error> {
        let request = request(which)?;
        let outside = shell(world);
        let resolution = world
            .resolver
            .resolve(&request, &inputs(world).with_outside(&outside))?;
        let credential = resolution.credential.ok_or_else(|| Error::TokenNotFound {
            message: "no token was asked for".to_owned(),
            trace: Arc::new(resolution.trace.clone()),
        })?;
        Ok(Self {
            interrupt: world.interrupt,
            client: world.client(),
            credential,
            settings: Settings::read(world.environment),
            line: OnceCell::new(),
            warnings: world.resolver.warnings(&resolution.trace),
        })
    }

    /// The way to its Hub. Not made before somebody goes it: the machine's certificates take
    /// longer to read than many a verb takes altogether.
    pub fn line(&self) -> &Line {
        self.line
            .get_or_init(|| self.client.line(&self.credential.endpoint, &self.settings))
    }

    /// Asks the Hub whose it is.
    ///
    /// # Errors
    ///
    /// As [`Client::identify`].
    pub fn identify(&self, options: &Options) -> Result<Known, Error> {
        self.client
            .identify(&self.credential, self.line(), options, self.interrupt)
            .map_err(|failure| failure.into_error(&self.credential))
    }
}

/// What all the sources answer, without asking the Hub.
///
/// # Errors
///
/// As [`Resolver::explain`](crate::resolve::Resolver::explain).
pub fn explain(world: &World<'_>, which: &Which) -> Result<Trace, Error> {
    let outside = shell(world);
    world
        .resolver
        .explain(&request(which)?, &inputs(world).with_outside(&outside))
}

/// What the folder's project says of itself.
///
/// # Errors
///
/// As [`Resolver::defaults`](crate::resolve::Resolver::defaults).
pub fn defaults(world: &World<'_>) -> Result<Defaults, Error> {
    world
        .resolver
        .defaults(world.environment, world.folder.as_deref())
}

/// What has not been told yet of the files that do not count.
pub fn warnings(world: &World<'_>, defaults: &Defaults) -> Vec<String> {
    world.resolver.new_warnings(defaults.warnings())
}

/// Whose project files count, with the exceptions of the user's own configuration.
///
/// # Errors
///
/// [`Error::Configuration`] when the user's own configuration is broken.
pub fn trust(world: &World<'_>) -> Result<Trust, Error> {
    Trust::of_user(world.environment)
}

/// What the chain may ask: a command, and no notebook.
pub fn shell<'a>(world: &World<'a>) -> Shell<'a> {
    Shell {
        variables: world.environment.all(),
        interrupt: world.interrupt,
    }
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

/// That a variable goes before the active token, if one does: see [`shadow_warning`].
pub fn shadow(world: &World<'_>, effect: &str, purpose: &str) -> Option<String> {
    shadow_warning(world.environment, effect, purpose)
}

fn request(which: &Which) -> Result<Request<'_>, Error> {
    Ok(Request {
        argument: Argument::Ambient,
        endpoint: which.endpoint()?,
        profile: which.profile.as_deref(),
    })
}

fn inputs(world: &World<'_>) -> Inputs<'static> {
    Inputs::read(world.environment, world.folder.clone())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::super::{Input, Replace, Stream, Text};
    use super::*;
    use crate::env::{Fixed, HF_TOKEN};
    use crate::interrupt::Never;
    use crate::resolve::Resolver;

    #[test]
    fn a_verb_that_asks_nobody_makes_no_way_to_the_hub() {
        let (mut output, mut errors, mut input) = (Vec::new(), Vec::new(), std::io::empty());
        let world = World {
            environment: &Fixed::from([(HF_TOKEN, "hf_SessionFakeFakeFakeFakeFakeFakeFakeAA")]),
            folder: None,
            program: None,
            stdin: Input::from(&mut input),
            typing: &Text(""),
            stdout: Stream::to(&mut output),
            stderr: Stream::to(&mut errors),
            width: None,
            now: OffsetDateTime::UNIX_EPOCH,
            interrupt: &Never,
            launcher: &Replace,
            resolver: Resolver::default(),
            client: None,
        };
        let session = Session::open(&world, &Which::default()).unwrap();
        assert!(session.line.get().is_none());
        session.line();
        assert!(session.line.get().is_some());
    }
}
