//! Changes the token store: reads, edits and writes its files under one lock.
//!
//! A change writes up to three files, which cannot be replaced in one step. All new contents are
//! therefore written to disk before the first file is replaced, so a full disk changes nothing. The
//! order of the replacements determines what a crash leaves behind: a token's endpoint is recorded
//! before the token can be found and removed after the token is gone, and a token stops being
//! active before its name is removed. Anything that cannot be removed after a change is removed by
//! the next one.

use std::collections::HashSet;
use std::path::Path;

use super::document::Document;
use super::endpoints::{self, Endpoints};
use super::entry::StoredToken;
use super::files::Files;
use super::lock::Lock;
use super::write::{self, Prepared};
use super::{entries, settled};
use crate::error::Error;
use crate::printable::printable_path;
use crate::token::{Digest, Token};

/// What happens to the token file.
#[derive(Clone, Copy)]
pub(super) enum Active<'a> {
    /// It is unchanged.
    Same,
    /// It will contain this token.
    Is(&'a Token),
    /// It is removed.
    Gone,
}

/// The contents of the files when the lock was taken, and the edits to them.
pub(super) struct Change<'a> {
    files: &'a Files,
    lock: Lock,
    /// The text of `stored_tokens`.
    pub(super) document: Document,
    /// Its entries before the change.
    pub(super) stored: Vec<StoredToken>,
    /// The endpoint and other metadata of each token.
    pub(super) endpoints: Endpoints,
    /// Warnings for the user.
    pub(super) warnings: Vec<String>,
    /// Whether `stored_tokens` must be written.
    edited: bool,
}

impl<'a> Change<'a> {
    /// Reads the files, which must be locked. A file that cannot be parsed is set aside.
    pub(super) fn open(files: &'a Files, lock: Lock) -> Result<Self, Error> {
        let path = files.stored_tokens();
        let endpoints = Endpoints::read(path)?;
        let mut warnings = Vec::new();
        let (document, edited) = match settled(path, Document::parse)? {
            Ok(document) => (document, false),
            Err(problem) => {
                let aside = write::set_aside(path, &lock)?;
                warnings.push(format!(
                    "the stored tokens in {} could not be understood ({problem}); the file was \
                     set aside as {}",
                    printable_path(path),
                    printable_path(&aside)
                ));
                (Document::parse("").map_err(Error::Store)?, true)
            }
        };
        for file in files.all() {
            write::clear(&file, &lock)?;
        }
        Ok(Self {
            files,
            lock,
            stored: entries(document.text()).map_err(Error::Store)?,
            document,
            endpoints,
            warnings,
            edited,
        })
    }

    /// Edits the text of `stored_tokens`.
    pub(super) fn edit<T>(
        &mut self,
        edit: impl FnOnce(&mut Document) -> Result<T, String>,
    ) -> Result<T, Error> {
        self.edited = true;
        edit(&mut self.document).map_err(Error::Store)
    }

    /// Writes the files and returns warnings for the user.
    pub(super) fn commit(self, active: Active<'_>) -> Result<Vec<String>, Error> {
        let path = self.files.stored_tokens();
        let endpoints_path = endpoints::path(path);
        let learned = self.endpoints.is_new();
        let endpoints = learned.then(|| self.prepare(&endpoints_path, &self.endpoints.text()));
        let endpoints = endpoints.transpose()?;
        let text = self.document.text();
        // A blank file would look like one that `huggingface_hub` is about to write.
        let stored = (self.edited && !text.trim().is_empty()).then(|| self.prepare(path, text));
        let stored = stored.transpose()?;
        let token_path = self.files.token();
        let token = match active {
            Active::Is(token) => Some(self.prepare(token_path, token.expose())?),
            Active::Same | Active::Gone => None,
        };
        if let Some(endpoints) = endpoints {
            endpoints.place()?;
        }
        if matches!(active, Active::Gone) {
            write::remove(token_path, &self.lock)?;
        }
        match stored {
            Some(stored) => stored.place()?,
            None if self.edited => write::remove(path, &self.lock)?,
            None => {}
        }
        if let Some(token) = token {
            token.place()?;
        }
        // The change is complete. Metadata that cannot be removed now is removed by the next
        // change.
        let _ = self.forget(&endpoints_path);
        // Syncs the folder once, since all files are in the same one unless a symbolic link leads
        // elsewhere.
        write::settle(path, &self.lock);
        if !matches!(active, Active::Same) {
            write::settle(token_path, &self.lock);
        }
        Ok(self.warnings)
    }

    fn prepare(&self, path: &Path, content: &str) -> Result<Prepared, Error> {
        Prepared::new(path, content, &self.lock)
    }

    /// Removes the metadata of tokens that are in neither file anymore.
    fn forget(&self, path: &Path) -> Result<(), Error> {
        let stored = entries(self.document.text()).map_err(Error::Store)?;
        let kept: HashSet<Digest> = stored
            .iter()
            .map(StoredToken::digest)
            .chain(self.files.active().map(|token| token.digest()))
            .collect();
        match self.endpoints.text_of(&kept) {
            None => Ok(()),
            Some(text) if text.is_empty() => write::remove(path, &self.lock),
            Some(text) => self.prepare(path, &text)?.place(),
        }
    }
}
