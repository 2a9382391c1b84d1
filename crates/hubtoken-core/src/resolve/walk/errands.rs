//! Queries the slow sources: a command and the vaults of notebooks.
//!
//! They are queried only if their token would be used, not merely to complete a trace: a command
//! may require a touch on a security key, and a vault shows a dialog.

use std::path::Path;

use super::Walk;
use crate::env;
use crate::error::Error;
use crate::known_end::KnownEnd;
use crate::printable::printable_path;
use crate::resolve::command;
use crate::resolve::configuration::Configuration;
use crate::resolve::errand::{Errand, Told};
use crate::source::{Notebook, Source};
use crate::token::Token;
use crate::trace::Answer;

impl Walk<'_> {
    /// Runs the command from the user's configuration. It was requested by name, so a failure stops
    /// the chain.
    pub(in crate::resolve) fn ask_command(
        &mut self,
        file: &Configuration,
        argv: &[String],
    ) -> Result<(), Error> {
        let source = Source::Command(argv.first().cloned().unwrap_or_default());
        if self.is_decided(&source, "not run") {
            return Ok(());
        }
        let broken = |problem: &str| {
            Error::Store(format!(
                "{} that {} names {problem}",
                source.describe(),
                printable_path(&file.path)
            ))
        };
        if self.inputs.beyond.in_token_command {
            return Err(broken(
                "asks hubtoken for a token, so it would start itself forever. Give it another \
                 source, such as `hubtoken token --profile NAME --reveal`",
            ));
        }
        let patience = self.inputs.beyond.patience.clone()?;
        let folder = file.path.parent().unwrap_or(Path::new("/")).to_owned();
        let outside = self.inputs.beyond.outside;
        let errand = Errand::Command(argv.to_vec());
        let told = self.resolver.errands.ask(
            &errand,
            // The command is stopped at its deadline. The extra time lets the run itself report
            // that.
            patience + command::GRACE,
            outside.interrupt(),
            |tell| {
                let (argv, variables) = (argv.to_vec(), outside.variables());
                std::thread::spawn(move || {
                    tell.tell(command::run(&argv, &folder, &variables, patience));
                });
            },
        )?;
        match told {
            Told::Value { text, expires_at } => {
                let token = Token::parse(&text)
                    .map_err(|error| error.context(&format!("what {} wrote", source.describe())))?
                    .ok_or_else(|| broken("wrote no token"))?;
                let (endpoint, end) = self.endpoint_of(&token, file.endpoint.clone())?;
                self.take(token, source, endpoint, end.earlier(expires_at.into()))
            }
            Told::Absent | Told::Refused => Err(broken("wrote no token")),
            Told::Failed(problem) => Err(broken(&problem)),
        }
    }

    /// Queries the vault of the notebook that this process runs in, if any.
    pub(in crate::resolve) fn ask_vaults(&mut self) -> Result<(), Error> {
        let vaults = self.inputs.beyond.outside.vaults();
        let errands = &self.resolver.errands;
        for notebook in Notebook::ALL {
            // A forked child cannot query a vault, but may have inherited its result.
            if !vaults.contains(&notebook) && !errands.knows(&Errand::Vault(notebook)) {
                continue;
            }
            if !self.goes_on() {
                break;
            }
            if self.inputs.beyond.vaults_disabled {
                let detail = format!("{} is set", env::HUBTOKEN_DISABLE_VAULTS);
                self.trace.note(notebook.name(), Answer::Skipped, detail);
            } else if !self.configurations.may_ask(notebook.name()) {
                self.left_out(notebook.name());
            } else {
                self.ask_vault(notebook)?;
            }
        }
        Ok(())
    }

    /// Queries a vault. It is an ambient source, so a failure only skips it.
    fn ask_vault(&mut self, notebook: Notebook) -> Result<(), Error> {
        let source = Source::Vault(notebook);
        if self.is_decided(&source, "not queried") {
            return Ok(());
        }
        let patience = self.inputs.beyond.patience.clone()?;
        let outside = self.inputs.beyond.outside;
        let told = self.resolver.errands.ask(
            &Errand::Vault(notebook),
            patience,
            outside.interrupt(),
            |tell| outside.ask_vault(notebook, tell),
        )?;
        let label = notebook.name();
        match told {
            Told::Value { text, .. } => match Token::parse(&text) {
                Ok(Some(token)) => {
                    let endpoint = self.inputs.endpoint.clone()?;
                    return self.take(token, source, endpoint, KnownEnd::default());
                }
                Ok(None) => self
                    .trace
                    .note(label, Answer::Absent, "its secret HF_TOKEN is blank"),
                Err(error) => self.skip(&source, &error.to_string()),
            },
            Told::Absent => {
                self.trace
                    .note(label, Answer::Absent, "has no secret HF_TOKEN");
            }
            Told::Refused => self.trace.note(
                label,
                Answer::Refused,
                format!(
                    "this notebook was not granted its secret HF_TOKEN. Grant it ({}), then call \
                     hubtoken.clear_cache()",
                    notebook.place()
                ),
            ),
            Told::Failed(problem) => self.skip(&source, &format!("the vault {problem}")),
        }
        Ok(())
    }

    /// Whether an earlier source has the token, in which case this one is not queried.
    fn is_decided(&mut self, source: &Source, what: &str) -> bool {
        let Some(used) = &self.found else {
            return false;
        };
        let detail = format!("{what}, since {} has the token", used.source);
        self.trace.note(source.to_string(), Answer::Skipped, detail);
        true
    }
}
