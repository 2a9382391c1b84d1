//! The verbs: list, save, switch, rename, remove.
//!
//! Each one reads, changes and writes under the lock, so that processes that do it at once lose
//! nothing. The order of the writes decides what a crash in between leaves: a token's endpoint is
//! known before the token can be found, and forgotten after it is gone.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::document::Document;
use super::endpoints::{self, Endpoints, Record};
use super::write::{self, Lock};
use super::{MAXIMUM_SIZE, StoredToken, name};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::file;
use crate::paths::Paths;
use crate::printable::printable;
use crate::token::{Digest, Token};

/// The largest token file that is read, in bytes.
const MAXIMUM_TOKEN_FILE: u64 = 64 * 1024;

/// The tokens of this machine.
pub struct Machine {
    token: PathBuf,
    stored_tokens: PathBuf,
    ambient: Endpoint,
    patience: Duration,
}

/// A stored token and what is known of it.
pub struct Entry {
    /// The name.
    pub name: String,
    /// The token, or why the stored value is none.
    pub token: Result<Token, Error>,
    /// The Hub that it belongs to.
    pub endpoint: Endpoint,
    /// The account; `None` when `huggingface_hub` stored it.
    pub user: Option<String>,
    /// The role's name.
    pub role: Option<String>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether the token file holds the same value.
    pub active: bool,
}

/// What a change amounts to.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// The names that were saved or removed.
    pub names: Vec<String>,
    /// The tokens that were removed: what is known of them is to be forgotten.
    pub removed: Vec<Digest>,
    /// Whether the token file was changed.
    pub active: bool,
    /// What the user should hear of.
    pub warnings: Vec<String>,
}

/// What `stored_tokens` held when the lock was taken.
struct Open {
    lock: Lock,
    document: Document,
    stored: Vec<StoredToken>,
    endpoints: Endpoints,
    warnings: Vec<String>,
}

impl Machine {
    /// The tokens at the places that an environment selects; `ambient` is its endpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] without a home folder.
    pub fn new(paths: &Paths, ambient: Endpoint) -> Result<Self, Error> {
        match (&paths.token, &paths.stored_tokens) {
            (Some(token), Some(stored_tokens)) => Ok(Self {
                token: token.clone(),
                stored_tokens: stored_tokens.clone(),
                ambient,
                patience: write::PATIENCE,
            }),
            _ => Err(Error::Store(
                "there is no home folder to store tokens in. Set HF_HOME".to_owned(),
            )),
        }
    }

    /// The file of the named tokens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.stored_tokens
    }

    /// All stored tokens, in the order of the file.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when a file cannot be read or understood.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        let stored = super::read(&self.stored_tokens)?;
        let endpoints = Endpoints::read(&self.stored_tokens)?;
        let active = self.active();
        let entry = |stored: StoredToken| {
            let token = parse(&stored);
            let digest = Digest::of(stored.value.trim());
            let record = endpoints.get(digest)?;
            let known = record.as_ref();
            Ok(Entry {
                endpoint: known.map_or(&self.ambient, |known| &known.endpoint).clone(),
                user: known.and_then(|known| known.user.clone()),
                role: known.and_then(|known| known.role.clone()),
                created_at: known.and_then(|known| known.created_at),
                expires_at: stored
                    .expires_at
                    .or(known.and_then(|known| known.expires_at)),
                active: active.is_some() && token.as_ref().ok() == active.as_ref(),
                name: stored.name,
                token,
            })
        };
        stored.into_iter().map(entry).collect()
    }

    /// Stores a token, and makes it the active one if it belongs to the ambient endpoint:
    /// `huggingface_hub` would send it there.
    ///
    /// Without `replace` an entry of another endpoint or account keeps its name, and the new one
    /// gets a longer one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn save(
        &self,
        wanted: &str,
        token: &Token,
        record: &Record,
        replace: bool,
    ) -> Result<Changed, Error> {
        let mut open = self.open()?;
        let mut name = name::safe(wanted);
        if !replace && self.is_anothers(&open, &name, record)? {
            let digest = Digest::of(&format!("{} {:?}", record.endpoint, record.user));
            let owner = record.user.as_deref().unwrap_or("token");
            let digits = digest.fingerprint();
            name = name::safe(&format!("{name}-{owner}~{}", &digits[..8]));
        }
        open.endpoints.set(token.digest(), record);
        self.write_endpoints(&open)?;
        let same = open
            .stored
            .iter()
            .any(|stored| stored.name == name && stored.value.as_str() == token.expose());
        if !same {
            // What belonged to the token before must not renew or end this one.
            let fields = [
                ("hf_token", Some(token.expose())),
                ("refresh_token", None),
                ("expires_at", None),
            ];
            open.document.set(&name, &fields).map_err(Error::Store)?;
            write::replace(&self.stored_tokens, open.document.text(), &open.lock)?;
        }
        let active = record.endpoint == self.ambient;
        if active {
            write::replace(&self.token, token.expose(), &open.lock)?;
        }
        self.tidy(&mut open)?;
        Ok(Changed {
            names: vec![name],
            removed: Vec::new(),
            active,
            warnings: open.warnings,
        })
    }

    /// Makes a stored token the active one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when there is none of this name, [`Error::UntrustedEndpoint`]
    /// when it belongs to another Hub than the ambient one, [`Error::Store`].
    pub fn switch(&self, name: &str) -> Result<(), Error> {
        let lock = Lock::take(&self.stored_tokens, self.patience)?;
        let stored = super::read(&self.stored_tokens)?;
        let entry = find(&stored, name)?;
        let token = parse(entry)?;
        let endpoints = Endpoints::read(&self.stored_tokens)?;
        if let Some(record) = endpoints.get(token.digest())?
            && record.endpoint != self.ambient
        {
            return Err(Error::UntrustedEndpoint(format!(
                "the stored token `{}` belongs to {}, and every library would send the active \
                 token to {}. Set HF_ENDPOINT={} first, or use the token by its name",
                printable(name),
                record.endpoint,
                self.ambient,
                record.endpoint
            )));
        }
        write::replace(&self.token, token.expose(), &lock)
    }

    /// Removes a stored token, and the token file if it holds the same value.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when there is none of this name, [`Error::Store`].
    pub fn remove(&self, name: &str) -> Result<Changed, Error> {
        // A broken file is not set aside for a name that nobody can find in it.
        find(&super::read(&self.stored_tokens)?, name)?;
        let mut open = self.open()?;
        let active = self.active();
        let entry = find(&open.stored, name)?;
        let token = parse(entry).ok();
        let removed = token.iter().map(Token::digest).collect();
        let is_active = active.is_some() && token == active;
        if is_active {
            write::remove(&self.token, &open.lock)?;
        }
        open.document.remove(name).map_err(Error::Store)?;
        write::replace(&self.stored_tokens, open.document.text(), &open.lock)?;
        self.tidy(&mut open)?;
        Ok(Changed {
            names: vec![name.to_owned()],
            removed,
            active: is_active,
            warnings: open.warnings,
        })
    }

    /// Removes the active token: the token file, and every stored token of the same value.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_active(&self) -> Result<Changed, Error> {
        let mut open = self.open()?;
        let active = self.active();
        let there = fs::symlink_metadata(&self.token).is_ok();
        write::remove(&self.token, &open.lock)?;
        let is_active = |entry: &&StoredToken| active.is_some() && parse(entry).ok() == active;
        let names: Vec<String> = open
            .stored
            .iter()
            .filter(is_active)
            .map(|entry| entry.name.clone())
            .collect();
        for name in &names {
            open.document.remove(name).map_err(Error::Store)?;
        }
        if !names.is_empty() {
            write::replace(&self.stored_tokens, open.document.text(), &open.lock)?;
        }
        self.tidy(&mut open)?;
        Ok(Changed {
            names,
            removed: active.iter().map(Token::digest).collect(),
            active: there,
            warnings: open.warnings,
        })
    }

    /// Removes all stored tokens and the token file, which may hold a value that is not stored.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_all(&self) -> Result<Changed, Error> {
        let mut open = self.open()?;
        let active = fs::symlink_metadata(&self.token).is_ok();
        let tokens = open.stored.iter().filter_map(|entry| parse(entry).ok());
        let removed = tokens
            .chain(self.active())
            .map(|token| token.digest())
            .collect();
        write::remove(&self.token, &open.lock)?;
        let names: Vec<String> = open.stored.iter().map(|entry| entry.name.clone()).collect();
        for name in &names {
            open.document.remove(name).map_err(Error::Store)?;
        }
        if open.document.text().trim().is_empty() {
            write::remove(&self.stored_tokens, &open.lock)?;
        } else {
            write::replace(&self.stored_tokens, open.document.text(), &open.lock)?;
        }
        self.tidy(&mut open)?;
        Ok(Changed {
            names,
            removed,
            active,
            warnings: open.warnings,
        })
    }

    /// Gives a stored token another name, and returns that as it is stored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when there is none of the old name or one of the new,
    /// [`Error::Store`].
    pub fn rename(&self, old: &str, new: &str) -> Result<String, Error> {
        find(&super::read(&self.stored_tokens)?, old)?;
        let mut open = self.open()?;
        find(&open.stored, old)?;
        let new = name::safe(new);
        if new == old {
            return Ok(new);
        }
        if open.document.has(&new).map_err(Error::Store)? {
            return Err(Error::InvalidArgument(format!(
                "there is a stored token `{}` already; log it out or choose another name",
                printable(&new)
            )));
        }
        open.document.rename(old, &new).map_err(Error::Store)?;
        write::replace(&self.stored_tokens, open.document.text(), &open.lock)?;
        Ok(new)
    }

    /// The token file's token; one that is broken or absent is none.
    fn active(&self) -> Option<Token> {
        let text = file::read_secret(&self.token, MAXIMUM_TOKEN_FILE).ok()??;
        Token::parse(&text).ok()?
    }

    fn open(&self) -> Result<Open, Error> {
        let lock = Lock::take(&self.stored_tokens, self.patience)?;
        let endpoints = Endpoints::read(&self.stored_tokens)?;
        let mut warnings = Vec::new();
        let document = match self.read_document()? {
            Ok(document) => document,
            Err(problem) => {
                let aside = write::set_aside(&self.stored_tokens, &lock)?;
                warnings.push(format!(
                    "the stored tokens in {} could not be understood ({problem}); the file was \
                     set aside as {}",
                    self.stored_tokens.display(),
                    aside.display()
                ));
                // From here on a new file: the old one has its other name.
                write::replace(&self.stored_tokens, "", &lock)?;
                Document::parse("").map_err(Error::Store)?
            }
        };
        Ok(Open {
            stored: super::entries(document.text()).map_err(Error::Store)?,
            lock,
            document,
            endpoints,
            warnings,
        })
    }

    /// The outer error is the disk's, the inner one the file's.
    fn read_document(&self) -> Result<Result<Document, String>, Error> {
        let failed = |what: &str| {
            Error::Store(format!(
                "the stored tokens in {} cannot be read: {what}",
                self.stored_tokens.display()
            ))
        };
        let size = fs::metadata(&self.stored_tokens).map_or(0, |metadata| metadata.len());
        if size > MAXIMUM_SIZE {
            return Err(failed("the file is too large"));
        }
        match fs::read(&self.stored_tokens).map(Zeroizing::new) {
            Ok(bytes) => Ok(match std::str::from_utf8(&bytes) {
                Ok(text) => Document::parse(text),
                Err(_) => Err("it is not text (UTF-8)".to_owned()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Document::parse("")),
            Err(error) => Err(failed(&file::describe(&error))),
        }
    }

    /// Whether an entry of this name belongs to another endpoint or account than the record.
    fn is_anothers(&self, open: &Open, name: &str, record: &Record) -> Result<bool, Error> {
        let Some(stored) = open.stored.iter().find(|stored| stored.name == name) else {
            // A section without a token is somebody's as well, and keeps its fields.
            return Ok(false);
        };
        let known = open.endpoints.get(Digest::of(stored.value.trim()))?;
        Ok(match known {
            Some(known) => {
                let other = known.user.is_some() && known.user != record.user;
                known.endpoint != record.endpoint || other
            }
            None => record.endpoint != self.ambient,
        })
    }

    fn write_endpoints(&self, open: &Open) -> Result<(), Error> {
        let path = endpoints::path(&self.stored_tokens);
        write::replace(&path, &open.endpoints.text(), &open.lock)
    }

    /// Forgets what was known of tokens that are in neither file any more.
    fn tidy(&self, open: &mut Open) -> Result<(), Error> {
        let stored = super::entries(open.document.text()).map_err(Error::Store)?;
        let mut kept: HashSet<String> = stored
            .iter()
            .map(|entry| Digest::of(entry.value.trim()).hex())
            .collect();
        kept.extend(self.active().map(|token| token.digest().hex()));
        if open.endpoints.retain(|digest| kept.contains(digest)) {
            self.write_endpoints(open)?;
        }
        Ok(())
    }
}

fn parse(stored: &StoredToken) -> Result<Token, Error> {
    let what = || format!("the stored token `{}`", printable(&stored.name));
    Token::parse(&stored.value)
        .map_err(|error| error.context(&what()))?
        .ok_or_else(|| Error::Store(format!("{} is blank", what())))
}

fn find<'a>(stored: &'a [StoredToken], name: &str) -> Result<&'a StoredToken, Error> {
    stored
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| {
            let known: Vec<&str> = stored.iter().map(|entry| entry.name.as_str()).collect();
            Error::InvalidArgument(format!(
                "there is no stored token `{}`: {}",
                printable(name),
                if known.is_empty() {
                    "no token is stored".to_owned()
                } else {
                    printable(&format!("stored are: {}", known.join(", ")))
                }
            ))
        })
}
