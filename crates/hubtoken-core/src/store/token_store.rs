//! Lists, saves and switches stored tokens. Removing them is in `logout.rs`, renaming in `rename.rs`.
//!
//! Each operation that changes something reads and writes under the lock ([`Transaction`]), so that
//! concurrent processes do not lose changes. Listing takes no lock and needs no write access.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use super::folder::io_error;
use super::keyring::{Failure, KeyringAccess, KeyringItem};
use super::lock::{self, Lock};
use super::metadata_file::MetadataFile;
use super::name;
use super::stored_token::{Entry, IssuedFields, StoredToken, find};
use super::token_metadata::TokenMetadata;
use super::transaction::{ActiveToken, Transaction, not_renewable_in_keyring};
use crate::bounded_file;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::file_lock::{OperatingSystem, SystemCalls};
use crate::folder::HomeUser;
use crate::interrupt::Interrupt;
use crate::paths::Paths;
use crate::sanitize::{contains_secret, redacted};
use crate::token::{Digest, Token};

/// The tokens stored on this machine.
pub struct TokenStore<'a> {
    /// `None` without a home folder: nothing is stored then, and nothing can be.
    files: Option<Files>,
    home: Option<PathBuf>,
    home_user: HomeUser,
    ambient: Endpoint,
    interrupt: &'a (dyn Interrupt + Sync),
    learned: Option<Learned<'a>>,
    /// The system's keyring, if it may be asked.
    keyring: Option<KeyringAccess>,
    /// Whether a login stores the value in the keyring.
    saves_in_keyring: bool,
    pub(super) lock_timeout: Duration,
    pub(super) calls: &'static dyn SystemCalls,
}

/// Looks up what is known about a token by now, without asking anybody.
pub type Learned<'a> = Box<dyn Fn(&Token, &Endpoint) -> Option<TokenMetadata> + Send + Sync + 'a>;

/// The result of saving a token.
#[derive(Debug, PartialEq, Eq)]
pub struct Saved {
    /// The name it was stored under.
    pub name: String,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// What is known about it now.
    pub record: TokenMetadata,
    /// Whether it is now the active token.
    pub active: bool,
    /// Whether its value is in the system's keyring.
    pub in_keyring: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// The result of making a token the active one.
#[derive(Debug, PartialEq, Eq)]
pub struct Switched {
    /// Its name.
    pub name: String,
    /// The token.
    pub token: Token,
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
    #[must_use]
    pub fn new(paths: &Paths, ambient: Endpoint, interrupt: &'a (dyn Interrupt + Sync)) -> Self {
        Self {
            files: Files::of(paths),
            home: paths.home.clone(),
            home_user: paths.home_user.clone(),
            ambient,
            interrupt,
            learned: None,
            keyring: None,
            saves_in_keyring: false,
            lock_timeout: lock::LOCK_TIMEOUT,
            calls: &OperatingSystem,
        }
    }

    /// The Hub of tokens without a record.
    pub(super) fn ambient(&self) -> &Endpoint {
        &self.ambient
    }

    /// The file of the named tokens; `None` without a home folder.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.files.as_ref().map(Files::stored_tokens)
    }

    /// Checks that there is a folder to store tokens in, before a caller obtains one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] without a home folder.
    pub fn check_home(&self) -> Result<(), Error> {
        self.files().map(drop)
    }

    /// The files, for a change.
    fn files(&self) -> Result<&Files, Error> {
        self.files.as_ref().ok_or_else(|| {
            Error::Store("there is no home folder to store tokens in. Set HF_HOME".to_owned())
        })
    }

    /// The same store, which knows what has been learned about tokens since they were stored
    /// unverified. A list shows it, and the next change records it.
    #[must_use]
    pub fn learning_from(self, learned: Learned<'a>) -> Self {
        Self {
            learned: Some(learned),
            ..self
        }
    }

    /// The same store with the system's keyring, which has the values of some tokens.
    #[must_use]
    pub fn with_keyring(self, keyring: KeyringAccess) -> Self {
        Self {
            keyring: Some(keyring),
            ..self
        }
    }

    /// The same store; `saves_in_keyring` says whether a login stores the value in the system's
    /// keyring, and not in the file. Such a token is not the active one: see [`TokenStore::save`].
    #[must_use]
    pub fn saving_in_keyring(self, saves_in_keyring: bool) -> Self {
        Self {
            saves_in_keyring,
            ..self
        }
    }

    /// The system's keyring.
    pub(super) fn keyring(&self) -> Result<&KeyringAccess, Failure> {
        let absent = || Failure::Absent("this program does not use it".to_owned());
        self.keyring.as_ref().ok_or_else(absent)
    }

    /// Stops the wait for another program.
    pub(super) fn interrupt(&self) -> &(dyn Interrupt + Sync) {
        self.interrupt
    }

    /// The record of a token, or what has been learned about it if that is unverified.
    fn up_to_date(&self, token: &Token, record: TokenMetadata) -> TokenMetadata {
        if record.verified {
            return record;
        }
        match self
            .learned
            .as_ref()
            .and_then(|learned| learned(token, &record.endpoint))
        {
            Some(learned) => learned.after(Some(&record)),
            None => record,
        }
    }

    /// The stored tokens as the file has them, also those whose values are in the keyring. Without a
    /// home folder there are none.
    pub(super) fn stored(&self) -> Result<Vec<StoredToken>, Error> {
        self.path().map_or_else(|| Ok(Vec::new()), super::read_all)
    }

    /// All stored tokens, in file order. The files are read before this returns, but each entry is
    /// built on demand, so that a long list is never held twice.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a file cannot be read or parsed.
    pub fn list(
        &self,
    ) -> Result<impl ExactSizeIterator<Item = Result<Entry, Error>> + use<'_, 'a>, Error> {
        let stored = self.stored()?;
        let metadata = self.path().map(MetadataFile::read).transpose()?;
        let active = self.active();
        let ambient = self.ambient.clone();
        Ok(stored.into_iter().map(move |stored| {
            let stored_expiry = stored.expires_at;
            let renewable = stored.has_refresh_token && stored_expiry.is_some();
            let keyring = stored.only_item().map(|item| item.digest);
            let (name, token) = stored.into_parts();
            let digest = keyring.or_else(|| token.as_ref().ok().map(Token::digest));
            let known = match (digest, &metadata) {
                (Some(digest), Some(metadata)) if !metadata.is_empty() => metadata.get(digest)?,
                _ => None,
            };
            let known = match (known, &token) {
                (Some(known), Ok(token)) => Some(self.up_to_date(token, known)),
                (known, _) => known,
            };
            let verified = known.as_ref().map(|known| known.verified);
            let known = known.unwrap_or_else(|| TokenMetadata::unknown(ambient.clone()));
            Ok(Entry {
                endpoint: known.endpoint,
                user: known.user,
                role: known.role,
                created_at: known.created_at,
                // The earlier end counts, as everywhere.
                expires_at: stored_expiry.into_iter().chain(known.expires_at).min(),
                renewable,
                verified,
                active: active.is_some() && token.as_ref().ok() == active.as_ref(),
                name: shown(name),
                token,
                keyring,
            })
        }))
    }

    /// Stores a token, and makes it the active one if it belongs to the ambient endpoint, since
    /// `huggingface_hub` would send it there.
    ///
    /// Without `replace`, an existing entry of another endpoint or account is kept, and the new one
    /// gets a longer name.
    ///
    /// In the keyring it cannot be the active one, because `huggingface_hub` reads that from a file.
    /// If the token file has the same value, it is removed, unless that is stored in the file under
    /// another name as well.
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
        self.save_issued(wanted, token, None, metadata, replace)
    }

    /// The same for an OAuth token, with the fields that came with it, in the section and in the
    /// order in which `huggingface_hub` writes them. `None` for a token that was not issued just
    /// now: if the same value is stored already, its fields are kept.
    ///
    /// # Errors
    ///
    /// As for [`TokenStore::save`].
    pub fn save_issued(
        &self,
        wanted: &str,
        token: &Token,
        issued: Option<&IssuedFields>,
        metadata: &TokenMetadata,
        replace: bool,
    ) -> Result<Saved, Error> {
        if replace {
            name::check(wanted)?;
            if wanted.contains(token.expose()) {
                return Err(name::refused());
            }
        }
        if !self.saves_in_keyring {
            return self.save_to(None, wanted, token, issued, metadata, replace);
        }
        if issued.is_some_and(|issued| issued.refresh_token.is_some()) {
            return Err(not_renewable_in_keyring(wanted));
        }
        let item = KeyringItem::new(token)?;
        self.put_in_keyring(&item, wanted, token, &metadata.endpoint)
            .map_err(Failure::into_error)?;
        let saved = self.save_to(Some(&item), wanted, token, issued, metadata, replace);
        if saved.is_err() {
            // Nothing names it. A failure to remove it changes nothing about the error.
            let _ = self.delete_from_keyring(&item);
        }
        saved
    }

    fn save_to(
        &self,
        item: Option<&KeyringItem>,
        wanted: &str,
        token: &Token,
        issued: Option<&IssuedFields>,
        metadata: &TokenMetadata,
        replace: bool,
    ) -> Result<Saved, Error> {
        let holds_value = wanted.contains(token.expose());
        let mut transaction = self.begin()?;
        // The token's name on the Hub was not chosen by the caller.
        let mut name = name::safe(if holds_value { "token" } else { wanted });
        if !replace && name == name::placeholder(token) {
            // It may have a better name already.
            let mut known = transaction.stored.iter();
            let known = known.rfind(|stored| stored.holds(token));
            name = known.map_or(name, |stored| stored.name.clone());
        } else if !replace && self.belongs_to_other_account(&transaction, &name, metadata)? {
            let digest = Digest::of(&format!("{} {:?}", metadata.endpoint, metadata.user));
            let owner = metadata.user.as_deref().unwrap_or("token");
            name = name::safe(&format!("{name}-{owner}~{}", name::digits(digest)));
        }
        let known = transaction.metadata.get(token.digest()).unwrap_or_default();
        let issued_at = issued.and_then(|issued| issued.issued_at);
        let metadata = metadata.after(known.as_ref());
        let metadata = &TokenMetadata {
            created_at: metadata.created_at.or(issued_at),
            ..metadata
        };
        transaction.metadata.set(token.digest(), metadata);
        // It has a name by now.
        transaction.forget_placeholder(&name, token)?;
        let same = transaction
            .stored
            .iter()
            .find(|stored| stored.name == name && stored.value.as_str() == token.expose());
        let mut expires_at = same.and_then(|stored| stored.expires_at);
        if let Some(item) = item {
            transaction.check_not_renewable(&name)?;
            expires_at = issued.map_or(expires_at, |issued| issued.expires_at);
            transaction.set_item(&name, item, expires_at)?;
        } else if issued.is_some() || same.is_none() {
            // The previous token's refresh token and expiry must not apply to this one.
            let issued = issued.cloned().unwrap_or_default();
            transaction.set_token(&name, token, &issued)?;
            expires_at = issued.expires_at;
        }
        let active = metadata.endpoint == self.ambient && item.is_none();
        let mut left = Vec::new();
        let change = if active {
            ActiveToken::Set(token)
        } else if item.is_some() {
            self.without_active(&transaction, token, &mut left)?
        } else {
            ActiveToken::Keep
        };
        let mut warnings = self.finish(transaction, change)?;
        warnings.extend(left);
        Ok(Saved {
            name: shown(name),
            expires_at: expires_at.into_iter().chain(metadata.expires_at).min(),
            record: metadata.clone(),
            active,
            in_keyring: item.is_some(),
            warnings,
        })
    }

    /// Makes a stored token the active one.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] if there is no token with this name, [`Error::UntrustedEndpoint`]
    /// if it belongs to a Hub other than the ambient one, [`Error::Store`].
    pub fn switch(&self, name: &str) -> Result<Switched, Error> {
        // A broken file is not set aside for a name that cannot be found in it.
        find(&self.stored()?, name)?;
        let transaction = self.begin()?;
        let entry = find(&transaction.stored, name)?;
        if entry.is_in_keyring() {
            let name = redacted(&entry.name);
            return Err(Error::Store(format!(
                "the stored token `{name}` is in the keyring, and every library reads the active \
                 token from a file. Use it by its name (`hubtoken use`, `hubtoken run --profile`, \
                 profile=), or move it to the file: `hubtoken move {name} --file`"
            )));
        }
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
        let mut warnings = self.finish(transaction, ActiveToken::Set(&token))?;
        warnings.extend(foreign_warning(&token, &name));
        Ok(Switched {
            name,
            token,
            warnings,
        })
    }

    /// The token in the token file; `None` if the file is broken or missing.
    pub(super) fn active(&self) -> Option<Token> {
        self.files.as_ref()?.active()
    }

    /// The token file; `None` without a home folder.
    #[must_use]
    pub fn token_path(&self) -> Option<&Path> {
        self.files.as_ref().map(Files::token)
    }

    /// Starts a change: takes the lock and reads the files.
    pub(super) fn begin(&self) -> Result<Transaction<'_>, Error> {
        let mut transaction = Transaction::begin(self.files()?, self.lock()?)?;
        self.record_learned(&mut transaction);
        Ok(transaction)
    }

    /// Records what has been learned about unverified tokens.
    fn record_learned(&self, transaction: &mut Transaction<'_>) {
        let metadata = &mut transaction.metadata;
        if metadata.is_empty() || self.learned.is_none() {
            return;
        }
        for token in transaction
            .stored
            .iter()
            .filter_map(|entry| entry.token().ok())
        {
            // A broken record is reported by whoever uses it.
            if let Ok(Some(record)) = metadata.get(token.digest())
                && !record.verified
            {
                metadata.set(token.digest(), &self.up_to_date(&token, record));
            }
        }
    }

    /// Takes the lock. A device, FIFO or directory in place of a file fails here, before any file
    /// is created next to it.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        let files = self.files()?;
        for path in files.all() {
            bounded_file::check_replaceable(&path)
                .map_err(|error| io_error("write", &path, &error))?;
        }
        Lock::take(
            files.stored_tokens(),
            self.home.as_deref(),
            self.lock_timeout,
            &self.home_user,
            self.interrupt,
            self.calls,
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
