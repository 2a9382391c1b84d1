//! One walk along the chain.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::configuration::Configuration;
use super::trace::{Answer, Step, Trace};
use super::{Argument, Inputs, Resolution, Resolver, TOKEN_VARIABLES};
use crate::credential::{Credential, Source};
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::file;
use crate::printable::printable;
use crate::store;
use crate::store::endpoints::Endpoints;
use crate::sync::lock;
use crate::token::Token;

/// The largest token file that is read, in bytes.
pub(super) const MAXIMUM_TOKEN_FILE: u64 = 64 * 1024;

/// One walk along the chain.
pub(super) struct Walk<'a> {
    resolver: &'a Resolver,
    inputs: &'a Inputs,
    asked: Option<&'a Endpoint>,
    whole: bool,
    pub(super) trace: Trace,
    pub(super) found: Option<Arc<Credential>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
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
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        self.whole || self.found.is_none()
    }

    pub(super) fn ask_argument(&mut self, argument: &Argument<'_>) -> Result<(), Error> {
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

    pub(super) fn ask_ambient(&mut self) -> Result<(), Error> {
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

    pub(super) fn ask_variable(
        &mut self,
        name: &'static str,
        value: Option<&OsString>,
    ) -> Result<(), Error> {
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
        let Some(path) = self.inputs.paths.token.clone() else {
            self.trace
                .note("file", Answer::Absent, "there is no home folder");
            return Ok(());
        };
        self.ask_file(&path, None, false)
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
        let path = user.token_file(self.inputs.home.as_deref())?;
        Some((path, user.endpoint.clone()))
    }

    pub(super) fn ask_file(
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
            Ok(Some(token)) => match self.endpoint_of(&token, endpoint) {
                Ok(endpoint) => self.take(token, source, endpoint),
                Err(error) if named => Err(error),
                Err(Error::Store(problem)) => {
                    self.skip(&source, &problem);
                    Ok(())
                }
                Err(error) => Err(error),
            },
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
    pub(super) fn ask_store(
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
                printable(&format!("stored are: {}", known.join(", ")))
            };
            let message = format!(
                "there is no stored token `{}`{}: {detail}. Store it with `hubtoken login`",
                printable(name),
                match &source {
                    Source::Configuration { file, .. } =>
                        format!(", which {} names", file.display()),
                    _ => String::new(),
                }
            );
            let label = printable(&source.to_string());
            self.trace.note(label, Answer::Absent, detail);
            return Err(Error::TokenNotFound {
                message,
                trace: Arc::new(self.trace.clone()),
            });
        };
        let token = Token::parse(&entry.value)
            .map_err(|error| error.context(&source.describe()))?
            .ok_or_else(|| Error::Store(format!("{} is blank", source.describe())))?;
        let endpoint = self.endpoint_of(&token, endpoint)?;
        self.take(token, source, endpoint)
    }

    /// The Hub of a token from a file: where it was logged in, else what the configuration says,
    /// else the ambient one.
    fn endpoint_of(&self, token: &Token, configured: Option<Endpoint>) -> Result<Endpoint, Error> {
        if let Some(path) = self.inputs.paths.stored_tokens.as_deref()
            && let Some(record) = Endpoints::read(path)?.get(token.digest())?
        {
            return Ok(record.endpoint);
        }
        configured.map_or_else(|| self.inputs.endpoint.clone(), Ok)
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

    /// An ambient source is broken: it is passed over, and the caller is to be warned.
    fn skip(&mut self, source: &Source, problem: &str) {
        self.trace.note(source.to_string(), Answer::Broken, problem);
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

    pub(super) fn nothing(mut self) -> Error {
        self.note_lookalikes();
        let message = format!(
            "no Hugging Face token was found. Set HF_TOKEN, or log in with `hubtoken login`, or \
             hand over token=. Tried:{}",
            self.trace.lines()
        );
        Error::TokenNotFound {
            message,
            trace: Arc::new(self.trace),
        }
    }

    pub(super) fn finish(mut self) -> Resolution {
        self.note_lookalikes();
        self.trace.endpoint = self.found.as_ref().map(|found| found.endpoint.clone());
        Resolution {
            credential: self.found,
            trace: self.trace,
        }
    }
}
