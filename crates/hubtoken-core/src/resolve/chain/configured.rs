//! Checks the sources named by configurations, and the token file that is used if they name none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ChainRun;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::resolve::cache::DiscoveredConfigurations;
use crate::resolve::configuration::Configuration;
use crate::resolve::search::{PassedOver, Why};
use crate::sanitize::redacted_path;
use crate::source::Source;
use crate::sync::lock_ignoring_poison;
use crate::trace::SourceStatus;

/// The project's and the user's own configuration, as seen by one run of the chain.
#[derive(Default)]
pub(super) struct Configurations {
    pub(super) project: Option<Arc<Configuration>>,
    pub(super) user: Option<Arc<Configuration>>,
    /// Whether this run has looked for them.
    pub(super) looked_for: bool,
}

impl Configurations {
    fn all(&self) -> impl Iterator<Item = &Arc<Configuration>> {
        [&self.project, &self.user].into_iter().flatten()
    }

    /// The file that names a profile, if that may be used.
    pub(super) fn profile_file(&self) -> Option<&Arc<Configuration>> {
        let file = self.all().find(|file| file.profile.is_some())?;
        self.may_ask("config").then_some(file)
    }

    /// Whether a source may be used. A file can exclude sources, and no file can restore one that
    /// another file excluded.
    pub(super) fn may_ask(&self, name: &str) -> bool {
        self.all()
            .filter_map(|file| file.sources.as_ref())
            .all(|sources| sources.iter().any(|known| known == name))
    }
}

impl ChainRun<'_> {
    /// Checks a profile, a command and a token file, in this order.
    pub(super) fn ask_configured(&mut self) -> Result<(), Error> {
        self.read_configurations()?;
        let configurations = std::mem::take(&mut self.configurations);
        let outcome = self.ask_named(&configurations);
        self.configurations = configurations;
        outcome
    }

    fn read_configurations(&mut self) -> Result<(), Error> {
        let read = self.find_configurations();
        self.configurations.looked_for = true;
        match read {
            Ok(found) => {
                self.note_passed_over(&found.passed_over);
                self.configurations.project = found.project;
                self.configurations.user = found.user;
            }
            // For a complete trace, the token was already found: a broken file is recorded, not
            // fatal.
            Err(error) if self.is_decided() => self.note_invalid(&error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Records a configuration that is broken, or names what it may not, after a source above the
    /// configurations has provided the token. None of its values is used, so this is a warning, and
    /// not an error: but a token in a project's file must not go unnoticed.
    pub(in crate::resolve) fn note_invalid_configuration(&mut self) {
        if self.configurations.looked_for {
            return;
        }
        if let Err(error) = self.find_configurations() {
            self.note_invalid(&error);
        }
    }

    fn find_configurations(&self) -> Result<DiscoveredConfigurations, Error> {
        lock_ignoring_poison(&self.resolver.configurations)
            .find(self.inputs.folder.as_deref(), &self.inputs.search_paths())
    }

    fn note_invalid(&mut self, error: &Error) {
        self.trace
            .note("config", SourceStatus::Broken, error.to_string());
    }

    /// Records skipped files and folders. Folders that cannot be searched are often nested, and
    /// nested ones share a line.
    fn note_passed_over(&mut self, passed_over: &[PassedOver]) {
        let folder = |file: &PassedOver| file.path.parent().unwrap_or(Path::new("")).to_owned();
        let mut hidden = passed_over
            .iter()
            .filter(|file| file.why == Why::Hidden)
            .peekable();
        while let Some(first) = hidden.next() {
            let mut detail = format!("cannot be looked for: {}", first.reason);
            let mut last = None;
            let within = folder(first);
            while let Some(above) = hidden.next_if(|file| within.starts_with(folder(file))) {
                last = Some(folder(above));
            }
            if let Some(last) = last {
                detail = format!(
                    "{detail}; nor can folders above it, up to {}",
                    redacted_path(&last)
                );
            }
            self.trace.note("config", SourceStatus::Absent, detail);
        }
        for file in passed_over {
            let answer = match file.why {
                Why::Hidden => continue,
                Why::Unreadable => SourceStatus::Broken,
                Why::Distrusted => SourceStatus::Refused,
            };
            let label = format!("config:{}", redacted_path(&file.path));
            self.trace.note(label, answer, file.reason.clone());
        }
    }

    fn ask_named(&mut self, configurations: &Configurations) -> Result<(), Error> {
        let user = configurations.user.as_deref();
        if configurations.may_ask("config") {
            match configurations.all().find(|file| file.profile.is_some()) {
                Some(file) => self.ask_profile(file)?,
                None => self.note_configurations(configurations),
            }
        } else {
            self.note_excluded("config");
        }
        if let Some((file, argv)) = user.and_then(|file| Some((file, file.token_command.as_ref()?)))
            && self.should_continue()
        {
            if configurations.may_ask("command") {
                self.ask_command(file, argv)?;
            } else {
                self.note_excluded("command");
            }
        }
        if !self.should_continue() {
            return Ok(());
        }
        if !configurations.may_ask("file") {
            self.note_excluded("file");
            return Ok(());
        }
        if let Some((path, endpoint)) = self.configured_file(user) {
            // Requested by name: a broken file stops the chain.
            return self.ask_file(&path, endpoint, true);
        }
        let Some(path) = self.inputs.paths.token.clone() else {
            self.trace
                .note("file", SourceStatus::Absent, "there is no home folder");
            return Ok(());
        };
        self.ask_file(&path, None, false)
    }

    pub(super) fn note_excluded(&mut self, source: &str) {
        self.trace
            .note(source, SourceStatus::Skipped, "excluded by `sources`");
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
            Err(error) if self.is_decided() => {
                self.trace.note(
                    format!("config:{}", redacted_path(&file.path)),
                    SourceStatus::Broken,
                    error.to_string(),
                );
                Ok(())
            }
            answer => answer,
        }
    }

    fn note_configurations(&mut self, configurations: &Configurations) {
        let files: Vec<String> = configurations
            .all()
            .map(|file| redacted_path(&file.path))
            .collect();
        let detail = if files.is_empty() {
            "no configuration file".to_owned()
        } else {
            format!("{} names no profile", files.join(" or "))
        };
        self.trace.note("config", SourceStatus::Absent, detail);
    }

    pub(super) fn configured_file(
        &self,
        user: Option<&Configuration>,
    ) -> Option<(PathBuf, Option<Endpoint>)> {
        let user = user?;
        let path = user.token_file(self.inputs.home.as_deref())?;
        Some((path, user.endpoint.clone()))
    }
}
