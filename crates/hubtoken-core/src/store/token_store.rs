//! Lists, saves, switches and renames stored tokens. Removing them is in `removal.rs`.
//!
//! Each operation that changes something reads and writes under the lock ([`Transaction`]), so that
//! concurrent processes do not lose changes. Listing takes no lock and needs no write access.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use super::folder::io_error;
use super::lock::{self, Lock};
use super::metadata_file::MetadataFile;
use super::name;
use super::stored_token::{Entry, StoredToken, find};
use super::token_metadata::TokenMetadata;
use super::transaction::{ActiveToken, Transaction};
use crate::bounded_file;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::paths::Paths;
use crate::sanitize::{contains_secret, redacted};
use crate::token::{Digest, Token};

/// How many digits of a digest distinguish the token of another account with the same name.
const DIGITS: usize = 8;

/// A shorter value may be part of an ordinary name.
const SHORTEST_VALUE: usize = 8;

/// The tokens stored on this machine.
pub struct TokenStore<'a> {
    files: Files,
    home: Option<PathBuf>,
    ambient: Endpoint,
    interrupt: &'a (dyn Interrupt + Sync),
    pub(super) lock_timeout: Duration,
}

/// The result of saving a token.
#[derive(Debug, PartialEq, Eq)]
pub struct Saved {
    /// The name it was stored under.
    pub name: String,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether it is now the active token.
    pub active: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// The result of making a token the active one.
#[derive(Debug, PartialEq, Eq)]
pub struct Switched {
    /// Its name.
    pub name: String,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// A name for display. A name written by another program may contain a token.
pub(super) fn shown(name: String) -> String {
    if contains_secret(&name) {
        name::safe(&name)
    } else {
        name
    }
}

/// A warning for selecting a stored value that is a key of another service.
#[must_use]
pub fn foreign_warning(token: &Token, name: &str) -> Option<String> {
    token.foreign_service().map(|what| {
        format!(
            "the stored token `{}` looks like {what}. hubtoken does not send it to any \
             Hub, but huggingface_hub would: remove it with `hubtoken logout`, and log in with a \
             token of the Hub",
            redacted(name)
        )
    })
}

impl<'a> TokenStore<'a> {
    /// The tokens at the paths that an environment selects. `ambient` is its endpoint, and
    /// `interrupt` stops the wait for another process.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] without a home folder.
    pub fn new(
        paths: &Paths,
        ambient: Endpoint,
        interrupt: &'a (dyn Interrupt + Sync),
    ) -> Result<Self, Error> {
        let Some(files) = Files::of(paths) else {
            return Err(Error::Store(
                "there is no home folder to store tokens in. Set HF_HOME".to_owned(),
            ));
        };
        Ok(Self {
            files,
            home: paths.home.clone(),
            ambient,
            interrupt,
            lock_timeout: lock::LOCK_TIMEOUT,
        })
    }

    /// The file of the named tokens.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.stored_tokens()
    }

    /// All stored tokens, in file order. The files are read before this returns, but each entry is
    /// built on demand, so that a long list is never held twice.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a file cannot be read or parsed.
    pub fn list(&self) -> Result<impl ExactSizeIterator<Item = Result<Entry, Error>>, Error> {
        let stored = super::read(self.path())?;
        let metadata = MetadataFile::read(self.path())?;
        let active = self.active();
        let ambient = self.ambient.clone();
        Ok(stored.into_iter().map(move |stored| {
            let stored_expiry = stored.expires_at;
            let (name, token) = stored.into_parts();
            let known = match &token {
                Ok(token) if !metadata.is_empty() => metadata.get(token.digest())?,
                _ => None,
            };
            let known = known.unwrap_or_else(|| TokenMetadata::unknown(ambient.clone()));
            Ok(Entry {
                endpoint: known.endpoint,
                user: known.user,
                role: known.role,
                created_at: known.created_at,
                expires_at: stored_expiry.or(known.expires_at),
                active: active.is_some() && token.as_ref().ok() == active.as_ref(),
                name: shown(name),
                token,
            })
        }))
    }

    /// Stores a token, and makes it the active one if it belongs to the ambient endpoint, since
    /// `huggingface_hub` would send it there.
    ///
    /// Without `replace`, an existing entry of another endpoint or account is kept, and the new one
    /// gets a longer name.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`] if the caller's name contains a token, [`Error::Store`].
    pub fn save(
        &self,
        wanted: &str,
        token: &Token,
        metadata: &TokenMetadata,
        replace: bool,
    ) -> Result<Saved, Error> {
        let holds_value = wanted.contains(token.expose());
        if replace {
            name::check(wanted)?;
            if holds_value {
                return Err(name::refused());
            }
        }
        let mut transaction = self.begin()?;
        // The token's name on the Hub was not chosen by the caller.
        let mut name = name::safe(if holds_value { "token" } else { wanted });
        if !replace && self.belongs_to_other_account(&transaction, &name, metadata)? {
            let digest = Digest::of(&format!("{} {:?}", metadata.endpoint, metadata.user));
            let owner = metadata.user.as_deref().unwrap_or("token");
            let digits = digest.fingerprint();
            name = name::safe(&format!("{name}-{owner}~{}", &digits[..DIGITS]));
        }
        transaction.metadata.set(token.digest(), metadata);
        let same = transaction
            .stored
            .iter()
            .find(|stored| stored.name == name && stored.value.as_str() == token.expose());
        let expires_at = same.and_then(|stored| stored.expires_at);
        if same.is_none() {
            // The previous token's refresh token and expiry must not apply to this one.
            let fields = [
                ("hf_token", Some(token.expose())),
                ("refresh_token", None),
                ("expires_at", None),
            ];
            transaction.edit(|document| document.set(&name, &fields))?;
        }
        let active = metadata.endpoint == self.ambient;
        let warnings = transaction.commit(if active {
            ActiveToken::Set(token)
        } else {
            ActiveToken::Keep
        })?;
        Ok(Saved {
            name,
            expires_at: expires_at.or(metadata.expires_at),
            active,
            warnings,
        })
    }

    /// Makes a stored token the active one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no token with this name, [`Error::UntrustedEndpoint`]
    /// if it belongs to a Hub other than the ambient one, [`Error::Store`].
    pub fn switch(&self, name: &str) -> Result<Switched, Error> {
        // A broken file is not set aside for a name that cannot be found in it.
        find(&super::read(self.path())?, name)?;
        let transaction = self.begin()?;
        let entry = find(&transaction.stored, name)?;
        let token = entry.token()?;
        if let Some(metadata) = transaction.metadata.get(token.digest())?
            && metadata.endpoint != self.ambient
        {
            return Err(Error::UntrustedEndpoint(format!(
                "the stored token `{}` belongs to {}, and every library would send the active \
                 token to {}. Set HF_ENDPOINT={} first, or use the token by its name",
                redacted(name),
                metadata.endpoint,
                self.ambient,
                metadata.endpoint
            )));
        }
        let name = shown(entry.name.clone());
        let mut warnings = transaction.commit(ActiveToken::Set(&token))?;
        warnings.extend(foreign_warning(&token, &name));
        Ok(Switched { name, warnings })
    }

    /// Renames a stored token and returns the name as stored.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`] if the new name contains a token, [`Error::InvalidArgument`] if the
    /// old name does not exist or the new one does, [`Error::Store`].
    pub fn rename(&self, old: &str, new: &str) -> Result<String, Error> {
        name::check(new)?;
        let stored = super::read(self.path())?;
        find(&stored, old)?;
        let holds_value = |entry: &StoredToken| {
            let value = entry.value.trim();
            !value.is_empty() && value.len() >= SHORTEST_VALUE && new.contains(value)
        };
        if stored.iter().any(holds_value) {
            return Err(name::refused());
        }
        let mut transaction = self.begin()?;
        let old = find(&transaction.stored, old)?.name.clone();
        let new = name::safe(new);
        if new == old {
            return Ok(new);
        }
        if transaction.document.has(&new).map_err(Error::Store)? {
            return Err(Error::InvalidArgument(format!(
                "there is a stored token `{}` already; log it out or choose another name",
                redacted(&new)
            )));
        }
        transaction.edit(|document| document.rename(&old, &new))?;
        transaction.commit(ActiveToken::Keep)?;
        Ok(new)
    }

    /// The token in the token file; `None` if the file is broken or missing.
    pub(super) fn active(&self) -> Option<Token> {
        self.files.active()
    }

    pub(super) fn token_path(&self) -> &Path {
        self.files.token()
    }

    /// Starts a change: takes the lock and reads the files.
    pub(super) fn begin(&self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(&self.files, self.lock()?)
    }

    /// Takes the lock. A device, FIFO or directory in place of a file fails here, before any file
    /// is created next to it.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        for path in self.files.all() {
            bounded_file::check_replaceable(&path)
                .map_err(|error| io_error("write", &path, &error))?;
        }
        Lock::take(
            self.path(),
            self.home.as_deref(),
            self.lock_timeout,
            self.interrupt,
        )
    }

    /// Whether the entry with this name belongs to a different endpoint or account than the record.
    fn belongs_to_other_account(
        &self,
        transaction: &Transaction<'_>,
        name: &str,
        metadata: &TokenMetadata,
    ) -> Result<bool, Error> {
        let Some(stored) = transaction.stored.iter().find(|stored| stored.name == name) else {
            // A section without a token may belong to another program, and keeps its fields.
            return Ok(false);
        };
        Ok(match transaction.metadata.get(stored.digest())? {
            Some(known) => {
                let other = known.user.is_some() && known.user != metadata.user;
                known.endpoint != metadata.endpoint || other
            }
            None => metadata.endpoint != self.ambient,
        })
    }
}
