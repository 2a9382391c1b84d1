//! The chain: which token is used, and why.
//!
//! Sources are asked in a fixed order until one has a token: the argument, OIDC (when asked for),
//! the environment, the profile that a configuration names, the active token file. Three answers
//! are told apart. A source that is *absent* lets the chain go on. One that was *asked for by
//! name* (an argument, a profile) and is broken stops it with an error. An *ambient* one that is
//! broken (an unreadable file, a placeholder in a variable) is passed over, kept in the trace and
//! warned about once.
//!
//! The work is in two halves. [`Inputs`] reads the environment, which the Python layer does while
//! attached to the interpreter; the walk then reads files and needs nothing but the inputs. A
//! [`Resolver`] remembers the last ambient answer and gives it again while nothing that led to it
//! has changed, so that a call costs a few reads of variables, and one `stat` for a token file.

pub mod configuration;
mod memory;
pub mod trace;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::credential::{Credential, Reference, Source};
use crate::endpoint::{self, Endpoint};
use crate::env::{self, Environment};
use crate::error::Error;
use crate::file;
use crate::live;
use crate::paths::Paths;
use crate::store;
use crate::sync::lock;
use crate::token::Token;
use configuration::Configuration;
pub use memory::Recall;
use memory::{Memory, Projects, Stamp, Variables};
use trace::{Answer, Step, Trace};

/// The largest token file that is read, in bytes.
const MAXIMUM_TOKEN_FILE: u64 = 64 * 1024;

/// The variables that hold a token, in order.
pub const TOKEN_VARIABLES: [&str; 2] = [env::HF_TOKEN, env::HUGGING_FACE_HUB_TOKEN];

/// What a caller handed over as `token=`.
pub enum Argument<'a> {
    /// `None`: what the environment has, unless implicit tokens are turned off.
    Ambient,
    /// `True`: what the environment has, even then.
    Required,
    /// `False`: no token.
    Anonymous,
    /// A text.
    Value(&'a str),
    /// A token that was resolved before.
    Credential(Arc<Credential>),
}

/// One question to the chain.
pub struct Request<'a> {
    /// The argument.
    pub argument: Argument<'a>,
    /// The Hub that the token is for; `None` for the token's own.
    pub endpoint: Option<Endpoint>,
    /// The name of a stored token, which is then the only source.
    pub profile: Option<&'a str>,
}

/// What the environment says, read at one moment.
pub struct Inputs {
    implicit_disabled: bool,
    oidc_resource: bool,
    tokens: [Option<OsString>; 2],
    endpoint: Result<Endpoint, Error>,
    lookalikes: Vec<&'static str>,
    paths: Paths,
    /// The variables that the answer rests on.
    variables: Variables,
    /// For `~` in the `token_file` of the user's configuration.
    home: Option<PathBuf>,
    /// The working directory; `None` when it is gone.
    folder: Option<PathBuf>,
}

impl Inputs {
    /// Reads the environment; `folder` is the working directory.
    #[must_use]
    pub fn read(environment: &dyn Environment, folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            implicit_disabled: env::is_on(environment, env::HF_HUB_DISABLE_IMPLICIT_TOKEN),
            oidc_resource: env::text(environment, env::HF_OIDC_RESOURCE).is_some(),
            tokens: TOKEN_VARIABLES.map(|name| environment.get(name)),
            endpoint: ambient_endpoint(environment),
            lookalikes: env::LOOKALIKES
                .into_iter()
                .filter(|name| env::text(environment, name).is_some())
                .collect(),
            paths: Paths::new(environment),
            home: crate::paths::home(environment),
            variables: Variables::read(environment),
        }
    }
}

/// The Hub that ambient tokens belong to: `HF_ENDPOINT`, or the public one.
///
/// # Errors
///
/// [`Error::UntrustedEndpoint`] that names the variable.
pub fn ambient_endpoint(environment: &dyn Environment) -> Result<Endpoint, Error> {
    if env::is_on(environment, env::HUGGINGFACE_CO_STAGING) {
        return Endpoint::parse(endpoint::STAGING);
    }
    match environment.get(env::HF_ENDPOINT) {
        None => Ok(Endpoint::default_hub()),
        Some(value) => match value.to_str() {
            Some(text) if text.trim().is_empty() => Ok(Endpoint::default_hub()),
            Some(text) => Endpoint::parse(text).map_err(|error| error.context(env::HF_ENDPOINT)),
            None => Err(Error::UntrustedEndpoint(format!(
                "{}: the endpoint is not text",
                env::HF_ENDPOINT
            ))),
        },
    }
}

/// What the chain found.
pub struct Resolution {
    /// The token; `None` when the caller asked for none.
    pub credential: Option<Arc<Credential>>,
    /// What each source answered.
    pub trace: Trace,
    /// Sources that are broken and have not been warned about before.
    pub warnings: Vec<String>,
}

/// The chain, with what it remembers.
#[derive(Default)]
pub struct Resolver {
    memory: Mutex<Option<Memory>>,
    projects: Mutex<Projects>,
    warned: Mutex<HashSet<String>>,
}

impl Resolver {
    /// Forgets what was found, so that files and configurations are read anew.
    pub fn reload(&self) {
        *lock(&self.memory) = None;
        lock(&self.projects).clear();
    }

    /// The last ambient answer, if nothing that led to it has changed.
    ///
    /// Reads a few variables and no file. [`Recall::Check`] still has to look at the disk.
    #[must_use]
    pub fn recall(&self, environment: &dyn Environment) -> Recall {
        lock(&self.memory)
            .as_ref()
            .map_or(Recall::Nothing, |memory| memory.recall(environment))
    }

    /// Looks at the disk for [`Recall::Check`]: whether the token file and the working directory
    /// are the same, and the configuration was looked for less than a second ago.
    #[must_use]
    pub fn verify(&self, credential: &Arc<Credential>) -> bool {
        let memory = lock(&self.memory);
        memory
            .as_ref()
            .is_some_and(|memory| memory.verify(credential, &mut lock(&self.projects)))
    }

    /// Asks the sources in order.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] with the trace when no source has a token; otherwise the error of
    /// the source that was asked for by name.
    pub fn resolve(&self, request: &Request<'_>, inputs: &Inputs) -> Result<Resolution, Error> {
        let ambient = matches!(request.argument, Argument::Ambient)
            && request.endpoint.is_none()
            && request.profile.is_none();
        // Taken before the file is read: a change in between is then seen at the next call.
        let stamp = match &inputs.paths.token {
            Some(path) if ambient => Stamp::of(path),
            _ => None,
        };
        let mut resolution = self.walk(request, inputs, false)?;
        if let Some(credential) = resolution.credential.take() {
            let credential = live::register(credential);
            if ambient {
                *lock(&self.memory) = Memory::of(&credential, inputs, stamp);
            }
            resolution.credential = Some(credential);
        }
        Ok(resolution)
    }

    /// Asks all the sources, also those after the first that has a token.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`], but a missing token is an answer and no error.
    pub fn explain(&self, request: &Request<'_>, inputs: &Inputs) -> Result<Trace, Error> {
        match self.walk(request, inputs, true) {
            Ok(resolution) => Ok(resolution.trace),
            Err(Error::TokenNotFound { trace, .. }) => Ok((*trace).clone()),
            Err(error) => Err(error),
        }
    }

    /// Looks for the token that a reference means: among the live ones, then at its source.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] that says why it cannot be had again.
    pub fn revive(&self, reference: &Reference, inputs: &Inputs) -> Result<Arc<Credential>, Error> {
        if let Some(credential) = live::find(reference) {
            return Ok(credential);
        }
        let mut walk = Walk::new(self, inputs, None, false);
        let asked = match &reference.source {
            Source::Argument => Ok(()),
            Source::Environment(name) => TOKEN_VARIABLES
                .into_iter()
                .zip(&inputs.tokens)
                .find(|(known, _)| known == name)
                .map_or(Ok(()), |(name, value)| {
                    walk.ask_variable(name, value.as_ref())
                }),
            Source::File(path) => walk.ask_file(path, Some(reference.endpoint.clone()), false),
            source @ (Source::Store(name) | Source::Configuration { profile: name, .. }) => {
                walk.ask_store(source.clone(), name, Some(reference.endpoint.clone()))
            }
        };
        match (asked, walk.found) {
            (Ok(()), Some(found)) if reference.matches(&found) => Ok(live::register(found)),
            _ => Err(Error::TokenNotFound {
                message: reference.lost(),
                trace: Arc::new(walk.trace),
            }),
        }
    }

    fn walk(
        &self,
        request: &Request<'_>,
        inputs: &Inputs,
        whole: bool,
    ) -> Result<Resolution, Error> {
        let mut walk = Walk::new(self, inputs, request.endpoint.as_ref(), whole);
        if matches!(request.argument, Argument::Anonymous) {
            walk.trace
                .note("argument", Answer::Skipped, "token=False asks for no token");
            return Ok(walk.finish());
        }
        walk.ask_argument(&request.argument)?;
        if let Some(name) = request.profile {
            if walk.found.is_some() {
                return Err(Error::InvalidArgument(
                    "give token= or profile=, not both".to_owned(),
                ));
            }
            walk.ask_store(Source::Store(name.to_owned()), name, None)?;
        } else if walk.goes_on() {
            if inputs.implicit_disabled && matches!(request.argument, Argument::Ambient) {
                walk.trace.note(
                    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
                    Answer::Skipped,
                    "is set, so no other source is asked; token=True asks all the same",
                );
            } else {
                walk.ask_ambient()?;
            }
        }
        if walk.found.is_none() {
            return Err(walk.nothing());
        }
        Ok(walk.finish())
    }
}

/// One walk along the chain.
struct Walk<'a> {
    resolver: &'a Resolver,
    inputs: &'a Inputs,
    asked: Option<&'a Endpoint>,
    whole: bool,
    trace: Trace,
    found: Option<Arc<Credential>>,
    warnings: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(
        resolver: &'a Resolver,
        inputs: &'a Inputs,
        asked: Option<&'a Endpoint>,
        whole: bool,
    ) -> Self {
        Self {
            resolver,
            inputs,
            asked,
            whole,
            trace: Trace::default(),
            found: None,
            warnings: Vec::new(),
        }
    }

    fn goes_on(&self) -> bool {
        self.whole || self.found.is_none()
    }

    fn ask_argument(&mut self, argument: &Argument<'_>) -> Result<(), Error> {
        match argument {
            Argument::Value(raw) => {
                let token = Token::parse(raw)
                    .map_err(|error| error.context("the token= argument"))?
                    .ok_or_else(|| {
                        Error::TokenFormat(
                            "the token= argument is blank. Hand over a token, or nothing at all \
                             to use the environment's, or token=False for none"
                                .to_owned(),
                        )
                    })?;
                let endpoint = match self.asked {
                    Some(endpoint) => endpoint.clone(),
                    None => self.inputs.endpoint.clone()?,
                };
                self.take(token, Source::Argument, endpoint)
            }
            Argument::Credential(credential) => {
                credential.check_endpoint(self.asked)?;
                let step = Step {
                    source: credential.source.to_string(),
                    answer: Answer::Found,
                    mask: Some(credential.token.mask()),
                    detail: "handed over as a HubToken".to_owned(),
                };
                self.trace.steps.push(step);
                self.found = Some(Arc::clone(credential));
                Ok(())
            }
            _ => {
                self.trace.note("argument", Answer::Absent, "not given");
                Ok(())
            }
        }
    }

    fn ask_ambient(&mut self) -> Result<(), Error> {
        if self.inputs.oidc_resource {
            if self.found.is_none() {
                return Err(Error::Configuration(
                    "HF_OIDC_RESOURCE asks for a token by OIDC exchange, which this version of \
                     hubtoken does not do. Unset it, or hand over a token"
                        .to_owned(),
                ));
            }
            self.trace.note(
                env::HF_OIDC_RESOURCE,
                Answer::Broken,
                "asks for an OIDC exchange, which this version does not do",
            );
        } else {
            self.trace
                .note(env::HF_OIDC_RESOURCE, Answer::Absent, "not set");
        }
        for (name, value) in TOKEN_VARIABLES.into_iter().zip(&self.inputs.tokens) {
            if !self.goes_on() {
                return Ok(());
            }
            self.ask_variable(name, value.as_ref())?;
        }
        if !self.goes_on() {
            return Ok(());
        }
        self.ask_configuration()
    }

    fn ask_variable(&mut self, name: &'static str, value: Option<&OsString>) -> Result<(), Error> {
        let source = Source::Environment(name.to_owned());
        let Some(value) = value else {
            self.trace
                .note(source.to_string(), Answer::Absent, "not set");
            return Ok(());
        };
        let token = match value.to_str() {
            Some(text) => Token::parse(text),
            None => Err(Error::TokenFormat("the value is not text".to_owned())),
        };
        match token {
            Ok(Some(token)) => self.take(token, source, self.inputs.endpoint.clone()?),
            Ok(None) => {
                self.trace
                    .note(source.to_string(), Answer::Absent, "set, but blank");
                Ok(())
            }
            Err(error) => {
                self.skip(&source, &error.to_string());
                Ok(())
            }
        }
    }

    /// The configuration, and behind it the token file, which it can turn off.
    fn ask_configuration(&mut self) -> Result<(), Error> {
        let read =
            lock(&self.resolver.projects).find(self.inputs.folder.as_deref(), &self.inputs.paths);
        let (project, user) = match read {
            Ok(read) => read,
            // For a whole trace the chain has its token already: a broken file is shown, not fatal.
            Err(error) if self.found.is_some() => {
                self.trace.note("config", Answer::Broken, error.to_string());
                (None, None)
            }
            Err(error) => return Err(error),
        };
        let sources = [&project, &user]
            .into_iter()
            .find_map(|file| file.as_ref()?.sources.clone());
        let may_ask = |name: &str| {
            sources
                .as_ref()
                .is_none_or(|sources| sources.iter().any(|known| known == name))
        };
        let named = [&project, &user]
            .into_iter()
            .find_map(|file| file.as_ref().filter(|file| file.profile.is_some()));
        match named {
            _ if !may_ask("config") => {
                self.trace
                    .note("config", Answer::Skipped, "left out by `sources`");
            }
            Some(file) => self.ask_profile(file)?,
            None => self.note_configuration(project.as_deref(), user.as_deref()),
        }
        if !self.goes_on() {
            return Ok(());
        }
        if !may_ask("file") {
            self.trace
                .note("file", Answer::Skipped, "left out by `sources`");
            return Ok(());
        }
        if let Some((path, endpoint)) = self.configured_file(user.as_deref()) {
            // Asked for by name: a broken one stops the chain.
            return self.ask_file(&path, endpoint, true);
        }
        match self.inputs.paths.token.clone() {
            Some(path) => self.ask_file(&path, None, false),
            None => {
                self.trace
                    .note("file", Answer::Absent, "there is no home folder");
                Ok(())
            }
        }
    }

    fn ask_profile(&mut self, file: &Configuration) -> Result<(), Error> {
        let Some(profile) = &file.profile else {
            return Ok(());
        };
        let source = Source::Configuration {
            file: file.path.clone(),
            profile: profile.clone(),
        };
        match self.ask_store(source, profile, file.endpoint.clone()) {
            Err(error) if self.found.is_some() => {
                self.trace.note(
                    format!("config:{}", file.path.display()),
                    Answer::Broken,
                    error.to_string(),
                );
                Ok(())
            }
            answer => answer,
        }
    }

    fn note_configuration(
        &mut self,
        project: Option<&Configuration>,
        user: Option<&Configuration>,
    ) {
        let files: Vec<String> = [project, user]
            .into_iter()
            .flatten()
            .map(|file| file.path.display().to_string())
            .collect();
        let detail = if files.is_empty() {
            "no configuration file".to_owned()
        } else {
            format!("{} names no profile", files.join(" or "))
        };
        self.trace.note("config", Answer::Absent, detail);
    }

    fn configured_file(&self, user: Option<&Configuration>) -> Option<(PathBuf, Option<Endpoint>)> {
        let user = user?;
        let text = user.token_file.as_ref()?;
        let path = match (text.strip_prefix("~/"), &self.inputs.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        };
        Some((path, user.endpoint.clone()))
    }

    fn ask_file(
        &mut self,
        path: &Path,
        endpoint: Option<Endpoint>,
        named: bool,
    ) -> Result<(), Error> {
        let source = Source::File(path.to_owned());
        let token = match file::read_secret(path, MAXIMUM_TOKEN_FILE) {
            Ok(None) if named => Err(Error::Store(format!(
                "the token file {} that the configuration names does not exist",
                path.display()
            ))),
            Ok(None) => {
                self.trace
                    .note(source.to_string(), Answer::Absent, "does not exist");
                return Ok(());
            }
            Ok(Some(text)) => {
                Token::parse(&text).map_err(|error| error.context(&source.describe()))
            }
            Err(problem) => Err(Error::Store(format!("the token file {problem}"))),
        };
        match token {
            Ok(Some(token)) => {
                let endpoint = match endpoint {
                    Some(endpoint) => endpoint,
                    None => self.inputs.endpoint.clone()?,
                };
                self.take(token, source, endpoint)
            }
            Ok(None) => {
                self.trace.note(source.to_string(), Answer::Absent, "empty");
                Ok(())
            }
            Err(error) if named => Err(error),
            Err(error) => {
                self.skip(&source, &error.to_string());
                Ok(())
            }
        }
    }

    /// A stored token by its name: absent or broken, it stops the chain.
    fn ask_store(
        &mut self,
        source: Source,
        name: &str,
        endpoint: Option<Endpoint>,
    ) -> Result<(), Error> {
        let Some(path) = self.inputs.paths.stored_tokens.as_deref() else {
            return Err(Error::Store(
                "there is no home folder to store tokens in".to_owned(),
            ));
        };
        let stored = store::read(path)?;
        let Some(entry) = stored.iter().find(|entry| entry.name == name) else {
            let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
            let detail = if known.is_empty() {
                "no token is stored".to_owned()
            } else {
                format!("stored are: {}", known.join(", "))
            };
            let message = format!(
                "there is no stored token `{name}`{}: {detail}. Store it with `hf auth login`",
                match &source {
                    Source::Configuration { file, .. } =>
                        format!(", which {} names", file.display()),
                    _ => String::new(),
                }
            );
            self.trace.note(source.to_string(), Answer::Absent, detail);
            return Err(Error::TokenNotFound {
                message,
                trace: Arc::new(self.trace.clone()),
            });
        };
        let token = Token::parse(&entry.value)
            .map_err(|error| error.context(&source.describe()))?
            .ok_or_else(|| Error::Store(format!("{} is blank", source.describe())))?;
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => self.inputs.endpoint.clone()?,
        };
        self.take(token, source, endpoint)
    }

    /// A source has a token: the first is used, the others are shadowed.
    fn take(&mut self, token: Token, source: Source, endpoint: Endpoint) -> Result<(), Error> {
        let mut step = Step {
            source: source.to_string(),
            answer: Answer::Found,
            mask: Some(token.mask()),
            detail: source
                .profile()
                .map_or_else(String::new, |name| format!("profile `{name}`")),
        };
        if let Some(used) = &self.found {
            step.answer = Answer::Shadowed;
            step.detail = if used.token == token {
                format!("the same token as {}", used.source)
            } else {
                format!("shadowed by {}", used.source)
            };
            self.trace.steps.push(step);
            return Ok(());
        }
        self.trace.steps.push(step);
        let credential = Credential {
            token,
            source,
            endpoint,
        };
        credential.check_endpoint(self.asked)?;
        self.found = Some(Arc::new(credential));
        Ok(())
    }

    /// An ambient source is broken: it is passed over and warned about once.
    fn skip(&mut self, source: &Source, problem: &str) {
        self.trace.note(source.to_string(), Answer::Broken, problem);
        let warning = format!("{} was passed over: {problem}", source.describe());
        if lock(&self.resolver.warned).insert(warning.clone()) {
            self.warnings.push(warning);
        }
    }

    fn note_lookalikes(&mut self) {
        for name in &self.inputs.lookalikes {
            self.trace.note(
                format!("env:{name}"),
                Answer::Ignored,
                "is set, but the Hub's libraries do not read it; they read HF_TOKEN",
            );
        }
    }

    fn nothing(mut self) -> Error {
        self.note_lookalikes();
        let message = format!(
            "no Hugging Face token was found. Set HF_TOKEN, or log in with `hf auth login`, or \
             hand over token=. Tried:{}",
            self.trace.lines()
        );
        Error::TokenNotFound {
            message,
            trace: Arc::new(self.trace),
        }
    }

    fn finish(mut self) -> Resolution {
        self.note_lookalikes();
        self.trace.endpoint = self.found.as_ref().map(|found| found.endpoint.clone());
        Resolution {
            credential: self.found,
            trace: self.trace,
            warnings: self.warnings,
        }
    }
}

#[cfg(test)]
mod tests;
