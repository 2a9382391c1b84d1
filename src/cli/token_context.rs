//! The token that a verb works with, and the connection to its Hub.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::args::TokenArgs;
use super::context::Context;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env::StaticEnvironment;
use crate::error::Error;
use crate::identity::client::{Client, HubConnection, IdentityAnswer};
use crate::identity::{Options, Settings};
use crate::interrupt::Interrupt;
use crate::login;
use crate::oauth::{Exchanger, RenewalSettings};
use crate::paths::{Paths, home};
use crate::project_uses::record_use;
use crate::require::{Lasting, NeededUntil, Requirement};
use crate::resolve::host::{Host, ProcessHost};
use crate::resolve::in_effect::InEffect;
use crate::resolve::placed::shadow_warning;
use crate::resolve::project_defaults::Defaults;
use crate::resolve::trust::Trust;
use crate::resolve::{Argument, Inputs, Request, TOKEN_VARIABLES, ambient_endpoint};
use crate::store::keyring::KeyringAccess;
use crate::store::token_store::TokenStore;
use crate::trace::Trace;

/// A token that was found, with everything needed to check it.
pub struct Session<'a> {
    interrupt: &'a dyn Interrupt,
    /// The client that sends requests about it.
    pub client: Arc<Client>,
    /// The token.
    pub credential: Arc<Credential>,
    settings: Settings,
    connection: OnceCell<HubConnection>,
    /// Warnings about broken sources that were passed over.
    pub warnings: Vec<String>,
}

impl<'a> Session<'a> {
    /// Finds the token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`](crate::resolve::Resolver::resolve).
    pub fn open(context: &'a Context<'_>, which: &TokenArgs) -> Result<Self, Error> {
        Self::find(context, &request(which, context)?)
    }

    /// Finds the token for a verb that asks for one explicitly: also if implicit tokens are
    /// disabled.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub fn open_explicitly(context: &'a Context<'_>, which: &TokenArgs) -> Result<Self, Error> {
        let request = Request {
            argument: Argument::Required,
            ..request(which, context)?
        };
        Self::find(context, &request)
    }

    /// Records that the token has what the project of this folder requires.
    pub fn record_use(&self, context: &Context<'_>, requirement: &Requirement) {
        record_use(
            &self.settings,
            context.folder.as_deref(),
            home(context.environment).as_deref(),
            &self.credential,
            requirement,
        );
    }

    fn find(context: &'a Context<'_>, request: &Request<'_>) -> Result<Self, Error> {
        let host = shell(context);
        let resolution = context
            .resolver
            .resolve(request, &inputs(context).with_host(&host))?;
        let credential = resolution.credential.ok_or_else(|| Error::TokenNotFound {
            message: "no token was requested".to_owned(),
            trace: Arc::new(resolution.trace.clone()),
        })?;
        let mut warnings = context.resolver.warnings(&resolution.trace);
        warnings.extend(context.resolver.insecure_warning(&credential.endpoint));
        let client = context.client();
        let current = client.renewed(
            &credential,
            || RenewalSettings::read(context.environment),
            context.interrupt,
        )?;
        warnings.extend(current.warnings);
        Ok(Self {
            interrupt: context.interrupt,
            client,
            credential: current.credential,
            settings: Settings::read(context.environment),
            connection: OnceCell::new(),
            warnings,
        })
    }

    /// The connection to its Hub. Created on first use: loading the machine's certificates takes
    /// longer than many a complete verb.
    pub fn connection(&self) -> &HubConnection {
        self.connection.get_or_init(|| {
            self.client
                .connect(&self.credential.endpoint, &self.settings)
        })
    }

    /// Requests the token's identity from the Hub.
    ///
    /// # Errors
    ///
    /// As [`Client::identify`].
    pub fn identify(&self, options: &Options) -> Result<IdentityAnswer, Error> {
        self.client
            .identify(&self.credential, self.connection(), options, self.interrupt)
            .map_err(|failure| failure.into_error(&self.credential))
    }
}

/// The status of all sources, without a request to the Hub.
///
/// # Errors
///
/// As [`Resolver::explain`](crate::resolve::Resolver::explain).
pub fn explain(context: &Context<'_>, which: &TokenArgs) -> Result<Trace, Error> {
    let host = shell(context);
    context
        .resolver
        .explain(&request(which, context)?, &inputs(context).with_host(&host))
}

/// The warning that `huggingface_hub` would send a token to a Hub other than its own, if it would.
pub fn misdirection(context: &Context<'_>, credential: &Credential) -> Option<String> {
    let misdirection = inputs(context).misdirection(&credential.token, &credential.endpoint)?;
    Some(format!("{}: {misdirection}", credential.describe()))
}

/// The defaults of the folder's project.
///
/// # Errors
///
/// As [`Resolver::defaults`](crate::resolve::Resolver::defaults).
pub fn defaults(context: &Context<'_>) -> Result<Defaults, Error> {
    context
        .resolver
        .defaults(context.environment, context.folder.as_deref())
}

/// The same, or none if no value of them `counts`. What is wrong with a file is then not an error
/// here; [`Session::open`] warns about it.
///
/// # Errors
///
/// As [`defaults`], if they count.
pub fn defaults_if(context: &Context<'_>, counts: bool) -> Result<Defaults, Error> {
    match defaults(context) {
        Err(Error::Configuration(_) | Error::UntrustedEndpoint(_)) if !counts => {
            Ok(Defaults::default())
        }
        defaults => defaults,
    }
}

/// Until when the token is needed, and a warning about a variable that cannot be read.
pub fn needed_until(
    context: &Context<'_>,
    lasting: Lasting,
) -> (Option<NeededUntil>, Option<String>) {
    let now = (context.now - OffsetDateTime::UNIX_EPOCH).unsigned_abs();
    match lasting.until(context.environment, now) {
        Ok(until) => (until, None),
        Err(warning) => {
            let warnings = context.resolver.new_warnings(std::iter::once(warning));
            (None, warnings.into_iter().next())
        }
    }
}

/// Warnings about ignored files that have not been reported yet.
pub fn warnings(context: &Context<'_>, defaults: &Defaults) -> Vec<String> {
    context.resolver.new_warnings(defaults.warnings())
}

/// Which project files are trusted, including the exceptions in the user's own configuration.
///
/// # Errors
///
/// [`Error::Configuration`] when the user's own configuration is broken.
pub fn trust(context: &Context<'_>) -> Result<Trust, Error> {
    Trust::of_user(context.environment)
}

/// What slow sources of the chain may use in a program that sends no requests: a command.
pub fn local_host<'a>(context: &Context<'a>) -> ProcessHost<'a> {
    ProcessHost {
        variables: context.environment.all(),
        interrupt: context.interrupt,
    }
}

/// The same and requests, but no notebook.
pub struct ShellHost<'a> {
    local: ProcessHost<'a>,
    client: Arc<Client>,
}

impl Host for ShellHost<'_> {
    fn exchanger(&self, endpoint: &Endpoint) -> Option<Arc<dyn Exchanger>> {
        let settings = Settings::read(&self.local.variables);
        Some(Arc::new(self.client.token_endpoint(endpoint, &settings)))
    }

    fn variables(&self) -> StaticEnvironment {
        self.local.variables()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        self.local.interrupt()
    }
}

fn shell<'a>(context: &Context<'a>) -> ShellHost<'a> {
    ShellHost {
        local: local_host(context),
        client: context.client(),
    }
}

/// For identity verbs, which report the current state: cached answers are not accepted.
pub fn fresh(timeout: Option<Duration>) -> Options {
    Options {
        max_stale: Duration::ZERO,
        ..options(Some(Duration::ZERO), timeout)
    }
}

/// How old the answers of a check may be, and how long it may take.
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
/// A broken `HF_ENDPOINT`.
pub fn token_store<'a>(context: &Context<'a>) -> Result<TokenStore<'a>, Error> {
    let ambient = ambient_endpoint(context.environment)?;
    let paths = Paths::new(context.environment);
    let token_store = TokenStore::new(&paths, ambient, context.interrupt)
        .with_keyring(KeyringAccess::read(context.environment));
    let settings = Settings::read(context.environment);
    Ok(token_store.learning_from(login::learned(context.client(), settings)))
}

/// The token that is used here when none is given. No command is run for that.
///
/// # Errors
///
/// As [`Resolver::in_effect`](crate::resolve::Resolver::in_effect).
pub fn in_effect(context: &Context<'_>) -> Result<InEffect, Error> {
    let host = shell(context);
    context
        .resolver
        .in_effect(&inputs(context).with_host(&host))
}

/// What is left out to tell which token would be used then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// The variables that hold a token.
    Variables,
    /// The project's file as well.
    Project,
}

/// The token that would be used here without some sources.
///
/// # Errors
///
/// As [`in_effect`].
pub fn in_effect_without(context: &Context<'_>, without: Without) -> Result<InEffect, Error> {
    let mut environment = context.environment.all();
    for name in TOKEN_VARIABLES {
        environment.unset(name);
    }
    let folder = match without {
        Without::Variables => context.folder.clone(),
        Without::Project => None,
    };
    let host = shell(context);
    let inputs = Inputs::read(&environment, folder);
    context.resolver.in_effect(&inputs.with_host(&host))
}

/// Whether a configuration file is the user's own, and not a project's.
pub fn is_users_configuration(context: &Context<'_>, file: &Path) -> bool {
    inputs(context).is_users_configuration(file)
}

/// The warning that a variable takes precedence over the active token, if one does: see
/// [`shadow_warning`].
pub fn shadow(context: &Context<'_>, effect: &str, purpose: &str) -> Option<String> {
    shadow_warning(context.environment, effect, purpose)
}

fn request<'a>(which: &'a TokenArgs, context: &Context<'_>) -> Result<Request<'a>, Error> {
    Ok(Request {
        argument: Argument::Ambient,
        endpoint: which.endpoint(context.environment)?,
        profile: which.profile.as_deref(),
    })
}

fn inputs(context: &Context<'_>) -> Inputs<'static> {
    Inputs::read(context.environment, context.folder.clone())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::super::{Input, NoBrowser, NoDescriptors, NoPrompt, ReplaceProcess, Stream};
    use super::*;
    use crate::env::{HF_TOKEN, StaticEnvironment};
    use crate::interrupt::NeverInterrupted;
    use crate::oauth::SystemPace;
    use crate::resolve::Resolver;

    #[test]
    fn a_verb_that_asks_nobody_makes_no_way_to_the_hub() {
        let (mut output, mut errors, mut input) = (Vec::new(), Vec::new(), std::io::empty());
        let context = Context {
            environment: &StaticEnvironment::from([(
                HF_TOKEN,
                "hf_SessionFakeFakeFakeFakeFakeFakeFakeAA",
            )]),
            folder: None,
            program: None,
            stdin: Input::from(&mut input),
            prompt: &NoPrompt(""),
            stdout: Stream::to(&mut output),
            stderr: Stream::to(&mut errors),
            width: None,
            now: OffsetDateTime::UNIX_EPOCH,
            interrupt: &NeverInterrupted,
            launcher: &ReplaceProcess,
            browser: &NoBrowser,
            descriptors: &NoDescriptors,
            pace: &SystemPace,
            resolver: Resolver::default(),
            client: None,
        };
        let session = Session::open(&context, &TokenArgs::default()).unwrap();
        assert!(session.connection.get().is_none());
        session.connection();
        assert!(session.connection.get().is_some());
    }
}
