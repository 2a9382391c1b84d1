//! Queries the slow sources: a command and the vaults of notebooks.
//!
//! They are queried only if their token would be used, not merely to complete a trace: a command
//! may require a touch on a security key, and a vault shows a dialog.

use std::path::Path;

use super::ChainRun;
use crate::env;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::resolve::command;
use crate::resolve::configuration::Configuration;
use crate::resolve::slow_source::{SlowSource, SourceAnswer};
use crate::sanitize::redacted_path;
use crate::source::{Notebook, Source};
use crate::token::Token;
use crate::trace::SourceStatus;

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
