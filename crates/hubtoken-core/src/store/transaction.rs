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

use super::atomic_write::{self, StagedFile};
use super::files::Files;
use super::ini_document::IniDocument;
use super::keyring::KeyringItem;
use super::lock::Lock;
use super::metadata_file::{self, MetadataFile};
use super::name;
use super::stored_token::{IssuedFields, StoredToken};
use super::{all_entries, ini, keyring, settled};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::sanitize::{redacted, redacted_path};
use crate::token::{Digest, RefreshToken, Token};

/// What happens to the token file.
#[derive(Clone, Copy)]
pub(super) enum ActiveToken<'a> {
    /// It is unchanged.
    Keep,
    /// It will contain this token.
    Set(&'a Token),
    /// It is removed.
    Clear,
}

/// Refuses to put a token in the keyring that renews itself: `huggingface_hub` looks for what renews
/// it in the file.
pub(super) fn not_renewable_in_keyring(name: &str) -> Error {
    Error::Store(format!(
        "the stored token `{}` comes from a browser login and renews itself. Every library needs \
         its refresh token in the file, so it cannot be in the keyring. Create an access token for \
         that",
        redacted(name)
    ))
}

/// A warning that other users can read what was written, if they can.
fn exposure(staged: [&Option<StagedFile>; 2]) -> Option<String> {
    let exposed = staged.into_iter().flatten();
    let exposed: Vec<(&Path, &str)> = exposed
        .filter_map(|staged| Some((staged.path(), staged.exposed()?)))
        .collect();
    let (_, cause) = exposed.first()?;
    let paths: Vec<String> = exposed
        .iter()
        .map(|(path, _)| redacted_path(path))
        .collect();
    Some(format!(
        "other users of this machine can read {}: the file system did not restrict access to the \
         owner ({cause})",
        paths.join(" and ")
    ))
}

/// The contents of the files when the lock was taken, and the edits to them.
pub(super) struct Transaction<'a> {
    files: &'a Files,
    lock: Lock,
    /// The text of `stored_tokens`.
    pub(super) document: IniDocument,
    /// Its entries before the change, with those whose values are in the system's keyring.
    pub(super) stored: Vec<StoredToken>,
    /// The endpoint and other metadata of each token.
    pub(super) metadata: MetadataFile,
    /// Warnings for the user.
    pub(super) warnings: Vec<String>,
    /// Whether `stored_tokens` must be written.
    edited: bool,
}

impl<'a> Transaction<'a> {
    /// Reads the files, which must be locked. A file that cannot be parsed is set aside.
    pub(super) fn begin(files: &'a Files, lock: Lock) -> Result<Self, Error> {
        let path = files.stored_tokens();
        let metadata = MetadataFile::read(path)?;
        let mut warnings: Vec<String> = lock.warning().map(str::to_owned).into_iter().collect();
        let (document, edited) = match settled(path, IniDocument::parse)? {
            Ok(document) => (document, false),
            Err(problem) => {
                let aside = atomic_write::quarantine(path, &lock)?;
                warnings.push(format!(
                    "the stored tokens in {} could not be understood ({problem}); the file was \
                     set aside as {}",
                    redacted_path(path),
                    redacted_path(&aside)
                ));
                (IniDocument::parse("").map_err(Error::Store)?, true)
            }
        };
        for file in files.all() {
            atomic_write::remove_leftovers(&file, &lock)?;
        }
        Ok(Self {
            files,
            lock,
            stored: all_entries(document.text()).map_err(Error::Store)?,
            document,
            metadata,
            warnings,
            edited,
        })
    }

    /// Edits the text of `stored_tokens`.
    pub(super) fn edit<T>(
        &mut self,
        edit: impl FnOnce(&mut IniDocument) -> Result<T, String>,
    ) -> Result<T, Error> {
        self.edited = true;
        edit(&mut self.document).map_err(Error::Store)
    }

    /// Writes a token and what came with it into a section, as `huggingface_hub` does. Fields that
    /// neither library knows are kept.
    pub(super) fn set_token(
        &mut self,
        name: &str,
        token: &Token,
        issued: &IssuedFields,
    ) -> Result<(), Error> {
        let expires_at = issued.expires_at.map(|seconds| seconds.to_string());
        let fields = [
            (keyring::FIELD, None),
            ("hf_token", Some(token.expose())),
            (
                "refresh_token",
                issued.refresh_token.as_ref().map(RefreshToken::expose),
            ),
            ("expires_at", expires_at.as_deref()),
        ];
        self.edit(|document| document.set(name, &fields))
    }

    /// A field of a section, as `huggingface_hub` reads it.
    pub(super) fn field(&self, name: &str, key: &str) -> Option<Zeroizing<String>> {
        let sections = ini::parse(self.document.text()).ok()?;
        let section = sections.iter().find(|section| section.name == name)?;
        section.get(key).cloned()
    }

    /// Makes sure that the disk has room for the files with as many bytes more, and that they can be
    /// written. What is written for that has no secret in it, and is removed.
    pub(super) fn check_room(&self, more: usize) -> Result<(), Error> {
        let path = self.files.stored_tokens();
        let length = self.document.text().len() + self.metadata.text().len() + more;
        let room = "#".repeat(length);
        let token = self.stage(self.files.token(), "")?;
        let metadata = self.stage(&metadata_file::path(path), "")?;
        let stored = self.stage(path, &room)?;
        drop((token, metadata, stored));
        Ok(())
    }

    /// Writes into a section that its token is in the system's keyring, and not in the file.
    pub(super) fn set_item(
        &mut self,
        name: &str,
        item: &KeyringItem,
        expires_at: Option<i64>,
    ) -> Result<(), Error> {
        let item = item.to_text();
        let expires_at = expires_at.map(|seconds| seconds.to_string());
        let fields = [
            ("hf_token", None),
            ("refresh_token", None),
            (keyring::FIELD, Some(item.as_str())),
            ("expires_at", expires_at.as_deref()),
        ];
        self.edit(|document| document.set(name, &fields))
    }

    /// Refuses a section whose token renews itself.
    pub(super) fn check_not_renewable(&self, name: &str) -> Result<(), Error> {
        let has_one = self.document.has_field(name, "refresh_token");
        if has_one.map_err(Error::Store)? {
            return Err(not_renewable_in_keyring(name));
        }
        Ok(())
    }

    /// The items of the keyring that no section names any more, and the names they had.
    pub(super) fn dropped_items(&self) -> Result<Vec<(String, KeyringItem)>, Error> {
        let left = all_entries(self.document.text()).map_err(Error::Store)?;
        let is_left = |item: &KeyringItem| {
            let mut left = left.iter().filter_map(|entry| entry.keyring.as_deref());
            left.any(|other| other.id == item.id)
        };
        let before = self.stored.iter().filter_map(|entry| {
            let item = entry.keyring.as_deref()?;
            (!is_left(item)).then(|| (entry.name.clone(), item.clone()))
        });
        Ok(before.collect())
    }

    /// Removes the entry that a token was stored under before it had the name `chosen`.
    pub(super) fn forget_placeholder(&mut self, chosen: &str, token: &Token) -> Result<(), Error> {
        let placeholder = name::placeholder(token);
        let is_placeholder = |entry: &StoredToken| entry.name == placeholder && entry.holds(token);
        if chosen != placeholder && self.stored.iter().any(is_placeholder) {
            self.edit(|document| document.remove_all(&[placeholder]))?;
        }
        Ok(())
    }

    /// Writes the files and returns warnings for the user.
    pub(super) fn commit(mut self, active: ActiveToken<'_>) -> Result<Vec<String>, Error> {
        let path = self.files.stored_tokens();
        let metadata_path = metadata_file::path(path);
        let learned = self.metadata.is_new();
        let metadata = learned.then(|| self.stage(&metadata_path, &self.metadata.text()));
        let metadata = metadata.transpose()?;
        let text = self.document.text();
        // A blank file would look like one that `huggingface_hub` is about to write.
        let stored = (self.edited && !text.trim().is_empty()).then(|| self.stage(path, text));
        let stored = stored.transpose()?;
        let token_path = self.files.token();
        let token = match active {
            ActiveToken::Set(token) => Some(self.stage(token_path, token.expose())?),
            ActiveToken::Keep | ActiveToken::Clear => None,
        };
        self.lock.check()?;
        // The metadata has no token in it.
        self.warnings.extend(exposure([&stored, &token]));
        if let Some(metadata) = metadata {
            metadata.commit()?;
        }
        if matches!(active, ActiveToken::Clear) {
            atomic_write::remove(token_path, &self.lock)?;
        }
        match stored {
            Some(stored) => stored.commit()?,
            None if self.edited => atomic_write::remove(path, &self.lock)?,
            None => {}
        }
        if let Some(token) = token {
            token.commit()?;
        }
        // The change is complete. Metadata that cannot be removed now is removed by the next
        // change.
        let _ = self.prune_metadata(&metadata_path);
        // Syncs the folder once, since all files are in the same one unless a symbolic link leads
        // elsewhere.
        atomic_write::sync_folder(path, &self.lock);
        if !matches!(active, ActiveToken::Keep) {
            atomic_write::sync_folder(token_path, &self.lock);
        }
        Ok(self.warnings)
    }

    fn stage(&self, path: &Path, content: &str) -> Result<StagedFile, Error> {
        StagedFile::new(path, content, &self.lock)
    }

    /// Removes the metadata of tokens that are in neither file anymore.
    fn prune_metadata(&self, path: &Path) -> Result<(), Error> {
        let stored = all_entries(self.document.text()).map_err(Error::Store)?;
        let kept: HashSet<Digest> = stored
            .iter()
            .map(StoredToken::digest)
            .chain(self.files.active().map(|token| token.digest()))
            .collect();
        match self.metadata.text_of(&kept) {
            None => Ok(()),
            Some(text) if text.is_empty() => atomic_write::remove(path, &self.lock),
            Some(text) => self.stage(path, &text)?.commit(),
        }
    }
}
