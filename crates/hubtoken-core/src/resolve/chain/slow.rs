//! Queries the slow sources: a command, the vaults of notebooks, and the system's keyring.
//!
//! They are queried only if their token would be used, not merely to complete a trace: a command
//! may require a touch on a security key, and a vault or a keyring shows a dialog.

use std::path::Path;
use std::time::Duration;

use super::ChainRun;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::resolve::command;
use crate::resolve::configuration::Configuration;
use crate::resolve::slow_source::{SlowSource, SourceAnswer};
use crate::sanitize::{mask_secrets, redacted_path};
use crate::source::{Notebook, Source};
use crate::store::keyring::{Failure, KeyringItem};
use crate::token::Token;
use crate::trace::SourceStatus;

/// What the keyring has beyond its deadline, so that it can report that itself.
const KEYRING_GRACE: Duration = Duration::from_secs(1);

impl ChainRun<'_> {
    /// Runs the command from the user's configuration. It was requested by name, so a failure stops
    /// the chain.
    pub(in crate::resolve) fn ask_command(
        &mut self,
        file: &Configuration,
        argv: &[String],
    ) -> Result<(), Error> {
        let source = Source::Command(argv.first().cloned().unwrap_or_default());
        if self.is_shadowed(&source, "not run") || self.leaves_unasked(&source) {
            return Ok(());
        }
        let broken = |problem: &str| {
            Error::Store(format!(
                "{} that {} names {problem}",
                source.describe(),
                redacted_path(&file.path)
            ))
        };
        if self.inputs.slow_sources.in_token_command {
            return Err(broken(
                "asks hubtoken for a token, so it would start itself forever. Give it another \
                 source, such as `hubtoken token --profile NAME --reveal`",
            ));
        }
        let timeout = self.inputs.slow_sources.timeout.clone()?;
        let folder = file.path.parent().unwrap_or(Path::new("/")).to_owned();
        let host = self.inputs.slow_sources.host;
        let slow_source = SlowSource::Command(argv.to_vec());
        let answer = self.resolver.slow_sources.ask(
            &slow_source,
            // The command is stopped at its deadline. The extra time lets the run itself report
            // that.
            timeout + command::KILL_GRACE,
            host.interrupt(),
            |responder| {
                let (argv, variables) = (argv.to_vec(), host.variables());
                std::thread::spawn(move || {
                    let stop = responder.stop_request();
                    let answer = command::run(&argv, &folder, &variables, timeout, &stop);
                    responder.send(answer);
                });
            },
        )?;
        match answer {
            SourceAnswer::Value { text, expires_at } => {
                let token = Token::parse(&text)
                    .map_err(|error| error.context(&format!("what {} wrote", source.describe())))?
                    .ok_or_else(|| broken("wrote no token"))?;
                let endpoint = self.configured_endpoint_of(&token, file.endpoint.clone())?;
                self.accept(token, source, endpoint, expires_at.into())
            }
            SourceAnswer::Absent | SourceAnswer::Refused => Err(broken("wrote no token")),
            SourceAnswer::Failed(problem) => Err(broken(&problem)),
        }
    }

    /// Asks the system's keyring for the value of a stored token. It was requested by name, so a
    /// failure stops the chain.
    pub(super) fn ask_keyring(
        &mut self,
        source: Source,
        name: &str,
        item: &KeyringItem,
        endpoint: Option<Endpoint>,
        expires_at: Expiry,
    ) -> Result<(), Error> {
        let source = match source {
            Source::Store(_) => Source::Keyring(name.to_owned()),
            // A configuration that names it is the source.
            source => source,
        };
        let asked = SlowSource::Keyring(item.id.clone());
        let is_cached = self.resolver.slow_sources.has_cached(&asked);
        if self.is_shadowed(&source, "not read from the keyring")
            || (!is_cached && self.leaves_unasked(&source))
        {
            return Ok(());
        }
        let stored = Source::Keyring(name.to_owned()).describe();
        let broken = |problem: &str| Error::Store(format!("{stored} cannot be read: {problem}"));
        let (keyring, timeout) = match self.inputs.slow_sources.keyring.open() {
            Ok(opened) => opened,
            Err(Failure::Settings(error)) => return Err(error),
            Err(failure) => return Err(broken(&failure.sentence())),
        };
        let host = self.inputs.slow_sources.host;
        let answer = self.resolver.slow_sources.ask(
            &asked,
            timeout + KEYRING_GRACE,
            host.interrupt(),
            |responder| {
                let id = item.id.clone();
                std::thread::spawn(move || {
                    responder.send(match keyring.read(&id) {
                        Ok(Some(value)) => SourceAnswer::value(value),
                        Ok(None) => SourceAnswer::Absent,
                        Err(failure) => SourceAnswer::Failed(failure.sentence()),
                    });
                });
            },
        )?;
        let text = match answer {
            SourceAnswer::Value { text, .. } => text,
            SourceAnswer::Absent | SourceAnswer::Refused => {
                return Err(broken(&format!(
                    "the keyring has no value for it any more. To store one, log in again with \
                     `hubtoken login --keyring --name {}`",
                    mask_secrets(name)
                )));
            }
            SourceAnswer::Failed(problem) => return Err(broken(&problem)),
        };
        let token = Token::parse(&text)
            .map_err(|error| error.context(&stored))?
            .filter(|token| token.digest() == item.digest)
            .ok_or_else(|| {
                broken("the keyring has another value for it than the one that was stored there")
            })?;
        let endpoint = self.endpoint_of(&token, endpoint)?;
        self.accept(token, source, endpoint, expires_at)
    }

    /// Queries the vault of the notebook that this process runs in, if any.
    pub(in crate::resolve) fn ask_vaults(&mut self) -> Result<(), Error> {
        let vaults = self.inputs.slow_sources.host.vaults();
        let slow_sources = &self.resolver.slow_sources;
        for notebook in Notebook::ALL {
            // A forked child cannot query a vault, but may have inherited its result.
            if !vaults.contains(&notebook) && !slow_sources.has_cached(&SlowSource::Vault(notebook))
            {
                continue;
            }
            if !self.should_continue() {
                break;
            }
            if self.inputs.slow_sources.vaults_disabled {
                let detail = format!("{} is set", env::HUBTOKEN_DISABLE_VAULTS);
                self.trace
                    .note(notebook.name(), SourceStatus::Skipped, detail);
            } else if !self.configurations.may_ask(notebook.name()) {
                self.note_excluded(notebook.name());
            } else {
                self.ask_vault(notebook)?;
            }
        }
        Ok(())
    }

    /// Queries a vault. It is an ambient source, so a failure only skips it.
    fn ask_vault(&mut self, notebook: Notebook) -> Result<(), Error> {
        let source = Source::Vault(notebook);
        let is_cached = self
            .resolver
            .slow_sources
            .has_cached(&SlowSource::Vault(notebook));
        if self.is_shadowed(&source, "not queried") || (!is_cached && self.leaves_unasked(&source))
        {
            return Ok(());
        }
        let timeout = self.inputs.slow_sources.timeout.clone()?;
        let host = self.inputs.slow_sources.host;
        let answer = self.resolver.slow_sources.ask(
            &SlowSource::Vault(notebook),
            timeout,
            host.interrupt(),
            |responder| host.ask_vault(notebook, responder),
        )?;
        let label = notebook.name();
        match answer {
            SourceAnswer::Value { text, .. } => match Token::parse_ambient(&text) {
                Ok(Some(token)) => {
                    let endpoint = self.inputs.endpoint.clone()?;
                    return self.accept(token, source, endpoint, Expiry::default());
                }
                Ok(None) => {
                    self.trace
                        .note(label, SourceStatus::Absent, "its secret HF_TOKEN is blank");
                }
                Err(error) => self.pass_over(&source, &error.to_string()),
            },
            SourceAnswer::Absent => {
                self.trace
                    .note(label, SourceStatus::Absent, "has no secret HF_TOKEN");
            }
            SourceAnswer::Refused => self.trace.note(
                label,
                SourceStatus::Refused,
                format!(
                    "this notebook was not granted its secret HF_TOKEN. Grant it ({}), then call \
                     hubtoken.clear_cache()",
                    notebook.secrets_panel()
                ),
            ),
            SourceAnswer::Failed(problem) => {
                self.pass_over(&source, &format!("the vault {problem}"));
            }
        }
        Ok(())
    }

    /// Whether this run asks no slow source, and ends at this one.
    fn leaves_unasked(&mut self, source: &Source) -> bool {
        if !self.asks_slow_sources {
            self.unasked = Some(source.clone());
        }
        !self.asks_slow_sources
    }

    /// Whether an earlier source has the token, in which case this one is not queried.
    pub(super) fn is_shadowed(&mut self, source: &Source, what: &str) -> bool {
        let Some(used) = self.winner() else {
            return false;
        };
        let detail = format!("{what}, since {used} has the token");
        self.trace
            .note(source.to_string(), SourceStatus::Skipped, detail);
        true
    }
}
