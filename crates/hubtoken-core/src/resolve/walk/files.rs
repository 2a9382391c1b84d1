//! Reads tokens from files: the token file and the stored tokens.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use super::{MAXIMUM_TOKEN_FILE, Walk};
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::file;
use crate::known_end::KnownEnd;
use crate::printable::{holds_secret, masked, printable, printable_path};
use crate::resolve::memory::Stamp;
use crate::source::Source;
use crate::store;
use crate::store::endpoints::Endpoints;
use crate::token::Token;
use crate::trace::Answer;

/// Describes a missing token file. A token may have been set where its path belongs.
fn absence(path: &Path) -> String {
    let holds =
        |part: Option<&OsStr>| part.is_some_and(|part| holds_secret(&part.to_string_lossy()));
    let variable = if holds(path.file_name()) {
        env::HF_TOKEN_PATH
    } else if holds(path.parent().map(Path::as_os_str)) {
        env::HF_HOME
    } else {
        return "does not exist".to_owned();
    };
    format!("does not exist: {variable} holds a token, not a path: set HF_TOKEN")
}

impl Walk<'_> {
    pub(in crate::resolve) fn ask_file(
        &mut self,
        path: &Path,
        endpoint: Option<Endpoint>,
        named: bool,
    ) -> Result<(), Error> {
        let source = Source::File(path.to_owned());
        // Taken before the file is read, so that a change in between is noticed on the next call.
        self.stamp = Some((path.to_owned(), Stamp::of(path)));
        let token = match file::read_secret(path, MAXIMUM_TOKEN_FILE) {
            Ok(None) if named => Err(Error::Store(format!(
                "the token file {} that the configuration names does not exist",
                masked(&path.to_string_lossy())
            ))),
            Ok(None) => {
                self.trace
                    .note(source.to_string(), Answer::Absent, absence(path));
                return Ok(());
            }
            Ok(Some(text)) => {
                Token::parse(&text).map_err(|error| error.context(&source.describe()))
            }
            Err(problem) => Err(Error::Store(format!("the token file {problem}"))),
        };
        match token {
            Ok(Some(token)) => match self.endpoint_of(&token, endpoint) {
                Ok((endpoint, end)) => self.take(token, source, endpoint, end),
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

    /// Uses a stored token by its name. If it is missing or broken, the chain stops.
    pub(in crate::resolve) fn ask_store(
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
        let Some(entry) = store::by_name(&stored, name) else {
            let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
            let detail = if known.is_empty() {
                "no token is stored".to_owned()
            } else {
                printable(&format!("the stored tokens are: {}", known.join(", ")))
            };
            let message = format!(
                "there is no stored token `{}`{}: {detail}. Store it with `hubtoken login`",
                printable(name),
                match &source {
                    Source::Configuration { file, .. } =>
                        format!(", which {} names", printable_path(file)),
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
        let (endpoint, end) = self.endpoint_of(&token, endpoint)?;
        let stored = entry.expires_at.map(KnownEnd::at_unix_seconds);
        self.take(
            token,
            source,
            endpoint,
            end.earlier(stored.unwrap_or_default()),
        )
    }

    /// The Hub of a token from a file: the one it was logged in to, or else the configured one, or
    /// else the ambient one. Also returns the token's expiry as recorded at login.
    pub(super) fn endpoint_of(
        &self,
        token: &Token,
        configured: Option<Endpoint>,
    ) -> Result<(Endpoint, KnownEnd), Error> {
        if let Some(path) = self.inputs.paths.stored_tokens.as_deref()
            && let Some(record) = Endpoints::read(path)?.get(token.digest())?
        {
            let end = record.expires_at.map(KnownEnd::at_unix_seconds);
            return Ok((record.endpoint, end.unwrap_or_default()));
        }
        let endpoint = configured.map_or_else(|| self.inputs.endpoint.clone(), Ok)?;
        Ok((endpoint, KnownEnd::default()))
    }
}
