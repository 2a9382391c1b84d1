//! Notices that an active token is no longer the one of its source.
//!
//! `activate()` puts a token into `HF_TOKEN`, ahead of the source that it came from. When that
//! source is one that the configuration names, such as a mounted file, its token may be rotated
//! while the old one is active. The source then counts again.
//!
//! Only the source that the chain would use without `HF_TOKEN` is compared. The variable that
//! records where a token came from never adds one.

use std::path::PathBuf;

use super::ChainRun;
use super::configured::Configurations;
use crate::bounded_file::{self, MAXIMUM_TOKEN_FILE};
use crate::resolve::cache::FileStamp;
use crate::resolve::slow_source::SlowSource;
use crate::source::Source;
use crate::store;
use crate::sync::lock_ignoring_poison;
use crate::token::Token;

/// Where the chain would find a token after the environment.
enum Next {
    Stored(String),
    Command(Vec<String>),
    File(PathBuf),
}

impl ChainRun<'_> {
    /// Whether the source of an active token has another one by now. If it has none, or is broken,
    /// the active token stays.
    pub(super) fn is_outdated(&mut self, origin: &Source, token: &Token) -> bool {
        match self.next_source(origin) {
            None => false,
            Some(Next::Stored(profile)) => self.stored(&profile).is_some_and(|now| now != *token),
            Some(Next::Command(argv)) => {
                let is_same =
                    |text: &str| matches!(Token::parse(text), Ok(Some(now)) if now == *token);
                let command = SlowSource::Command(argv);
                let slow_sources = &self.resolver.slow_sources;
                slow_sources.may_have_changed(&command, is_same)
            }
            Some(Next::File(path)) => {
                // Taken before the file is read, so that a later change is noticed.
                self.stamp = Some((path.clone(), FileStamp::of(&path)));
                let text = bounded_file::read_secret(&path, MAXIMUM_TOKEN_FILE);
                let now = text
                    .ok()
                    .flatten()
                    .and_then(|text| Token::parse(&text).ok()?);
                now.is_some_and(|now| now != *token)
            }
        }
    }

    /// The source that the configurations name, if it is the one that the token came from.
    fn next_source(&self, origin: &Source) -> Option<Next> {
        let found = lock_ignoring_poison(&self.resolver.configurations)
            .find(self.inputs.folder.as_deref(), &self.inputs.search_paths())
            .ok()?;
        let configurations = Configurations {
            project: found.project,
            user: found.user,
            looked_for: true,
        };
        let user = configurations.user.as_deref();
        let (source, next) = if let Some(file) = configurations.profile_file() {
            let profile = file.profile.clone()?;
            let source = Source::Configuration {
                file: file.path.clone(),
                profile: profile.clone(),
            };
            (source, Next::Stored(profile))
        } else if let Some(argv) = user.and_then(|user| user.token_command.clone())
            && configurations.may_ask("command")
        {
            let source = Source::Command(argv.first().cloned().unwrap_or_default());
            (source, Next::Command(argv))
        } else if configurations.may_ask("file") {
            // Not the file of the active token: another login is no rotation, and `activate()` goes
            // before it.
            let (path, _) = self.configured_file(user)?;
            (Source::File(path.clone()), Next::File(path))
        } else {
            return None;
        };
        // By their labels, since the origin was read from one.
        let is_same =
            source.to_string() == origin.to_string() && source.profile() == origin.profile();
        is_same.then_some(next)
    }

    fn stored(&self, profile: &str) -> Option<Token> {
        let stored = store::read(self.inputs.paths.stored_tokens.as_deref()?).ok()?;
        Token::parse(&store::by_name(&stored, profile)?.value).ok()?
    }
}
