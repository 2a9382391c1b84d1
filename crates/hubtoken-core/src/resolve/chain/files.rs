//! Reads tokens from files: the token file and the stored tokens.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use super::ChainRun;
use crate::bounded_file::{self, MAXIMUM_TOKEN_FILE};
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::resolve::cache::FileStamp;
use crate::sanitize::{contains_secret, mask_secrets, redacted, redacted_path};
use crate::source::Source;
use crate::store::{self, StoredToken};
use crate::sync::lock_ignoring_poison;
use crate::token::Token;
use crate::trace::SourceStatus;

/// Describes a missing token file. A token may have been set where its path belongs.
fn absence(path: &Path) -> String {
    let holds =
        |part: Option<&OsStr>| part.is_some_and(|part| contains_secret(&part.to_string_lossy()));
    let variable = if holds(path.file_name()) {
        env::HF_TOKEN_PATH
    } else if holds(path.parent().map(Path::as_os_str)) {
        env::HF_HOME
    } else {
        return "does not exist".to_owned();
    };
    format!("does not exist: {variable} holds a token, not a path: set HF_TOKEN")
}

impl ChainRun<'_> {
    pub(in crate::resolve) fn ask_file(
        &mut self,
        path: &Path,
        endpoint: Option<Endpoint>,
        named: bool,
    ) -> Result<(), Error> {
        let source = if named {
            Source::ConfiguredFile(path.to_owned())
        } else {
            Source::File(path.to_owned())
        };
        // Taken before the file is read, so that a change in between is noticed on the next call.
        self.stamp = Some((path.to_owned(), FileStamp::of(path)));
        let token = match bounded_file::read_secret(path, MAXIMUM_TOKEN_FILE) {
            Ok(None) if named => Err(Error::Store(format!(
                "the token file {} that the configuration names does not exist",
                mask_secrets(&path.to_string_lossy())
            ))),
            Ok(None) => {
                self.trace
                    .note(source.to_string(), SourceStatus::Absent, absence(path));
                return Ok(());
            }
            Ok(Some(text)) => {
                Token::parse_ambient(&text).map_err(|error| error.context(&source.describe()))
            }
            Err(problem) => Err(Error::Store(format!("the token file {problem}"))),
        };
        match token {
            Ok(Some(token)) => match self.configured_endpoint_of(&token, endpoint) {
                Ok(endpoint) => self.accept(token, source, endpoint, Expiry::UNKNOWN),
                Err(error) if named => Err(error),
                Err(Error::Store(problem)) => {
                    self.pass_over(&source, &problem);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Ok(None) => {
                self.trace
                    .note(source.to_string(), SourceStatus::Absent, "empty");
                Ok(())
            }
            Err(error) if named => Err(error),
            Err(error) => {
                self.pass_over(&source, &error.to_string());
                Ok(())
            }
        }
    }

    /// Uses a stored token by its name. If it is missing or broken, the chain stops.
    pub(in crate::resolve) fn ask_store(
        &mut self,
        source: Source,
        name: &str,
        endpoint: Option<Endpoint>,
    ) -> Result<(), Error> {
        let Some(path) = self.inputs.paths.stored_tokens.as_deref() else {
            // Nothing is stored, as in an empty folder.
            return Err(self.no_stored_token(&source, name, &[]));
        };
        let stored = store::read_all(path)?;
        let Some(entry) = store::by_name(&stored, name) else {
            return Err(self.no_stored_token(&source, name, &stored));
        };
        if let Some(item) = entry.only_item() {
            let expires_at = Expiry::from_unix_seconds(entry.expires_at);
            return self.ask_keyring(source, name, item, endpoint, expires_at);
        }
        let token = Token::parse(&entry.value)
            .map_err(|error| error.context(&source.describe()))?
            .ok_or_else(|| Error::Store(format!("{} is blank", source.describe())))?;
        let endpoint = self.endpoint_of(&token, endpoint)?;
        let stored = Expiry::from_unix_seconds(entry.expires_at);
        self.accept(token, source, endpoint, stored)
    }

    fn no_stored_token(&mut self, source: &Source, name: &str, stored: &[StoredToken]) -> Error {
        let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
        let detail = if known.is_empty() {
            "no token is stored".to_owned()
        } else {
            redacted(&format!("the stored tokens are: {}", known.join(", ")))
        };
        let message = format!(
            "there is no stored token `{}`{}: {detail}. Store it with `hubtoken login`",
            redacted(name),
            match source {
                Source::Configuration { file, .. } =>
                    format!(", which {} names", redacted_path(file)),
                _ => String::new(),
            }
        );
        let label = redacted(&source.to_string());
        self.trace.note(label, SourceStatus::Absent, detail);
        Error::TokenNotFound {
            message,
            trace: Arc::new(self.trace.clone()),
        }
    }

    /// The Hub of a token from a file or command that a configuration names: the one that it names
    /// for it, even if a login recorded another one for the same value; or else as
    /// [`endpoint_of`](Self::endpoint_of).
    pub(super) fn configured_endpoint_of(
        &self,
        token: &Token,
        configured: Option<Endpoint>,
    ) -> Result<Endpoint, Error> {
        let recorded = self.endpoint_of(token, configured.clone())?;
        Ok(configured.unwrap_or(recorded))
    }

    /// The Hub of a stored token: the one it was logged in to, or else the configured one, or else
    /// the ambient one.
    pub(super) fn endpoint_of(
        &self,
        token: &Token,
        configured: Option<Endpoint>,
    ) -> Result<Endpoint, Error> {
        if let Some(path) = self.inputs.paths.stored_tokens.as_deref()
            && let Some(record) =
                lock_ignoring_poison(&self.resolver.stored_records).metadata(path, token)?
        {
            return Ok(record.endpoint);
        }
        configured.map_or_else(|| self.inputs.endpoint.clone(), Ok)
    }
}
