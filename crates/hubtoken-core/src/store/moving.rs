//! Moves a stored token between the file and the system's keyring.
//!
//! A crash leaves the token in at least one of the two. On the way to the keyring, its section first
//! names the item that will arrive; then the value is written to the keyring and read back, and only
//! then removed from the file. On the way back, the value is written to the file beside the item,
//! and then removed from the keyring. In between, the file counts, and the item that its section
//! names is a copy that the next move, login or logout removes.
//!
//! The keyring may ask the user, so the store's lock is not held meanwhile. Each move has an item of
//! its own, and completes only if its section still names that item: of two moves at once, one
//! completes, and the other says that it did not.

use super::entries;
use super::keyring::{FIELD, Failure, KeyringAccess, KeyringItem};
use super::keyring_items::copy_left;
use super::stored_token::find;
use super::token_store::{TokenStore, shown};
use super::transaction::{ActiveToken, Transaction};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sanitize::redacted;
use crate::token::Token;

/// The result of a move.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// The token's name.
    pub name: String,
    /// Whether it was somewhere else before.
    pub changed: bool,
    /// Whether it was the active token, which it cannot be in the keyring.
    pub was_active: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl TokenStore<'_> {
    /// Moves a stored token to the system's keyring. If it was the active one, no token is active
    /// afterwards, unless the file has the value under another name as well.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] if there is no token with this name, [`Error::TokenFormat`] if its
    /// value is not a token, [`Error::Store`].
    pub fn move_to_keyring(&self, name: &str) -> Result<Moved, Error> {
        if find(&self.stored()?, name)?.is_in_keyring() {
            return Ok(unchanged(name, Vec::new()));
        }
        self.keyring()
            .and_then(KeyringAccess::open)
            .map_err(Failure::into_error)?;
        let (token, item, endpoint, mut warnings) = self.announce(name)?;
        if let Err(failure) = self.put_in_keyring(&item, name, &token, &endpoint) {
            if failure.is_definite() {
                self.forget_item(&item)?;
            }
            return Err(failure.into_error());
        }
        match self.take_from_file(name, &token, &item) {
            Ok(moved) => {
                warnings.extend(moved.warnings);
                Ok(Moved { warnings, ..moved })
            }
            Err(error) => {
                // The file still counts, or names another copy.
                let _ = self.delete_from_keyring(&item);
                Err(error)
            }
        }
    }

    /// Moves a stored token from the system's keyring to the file.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] if there is no token with this name, [`Error::Store`].
    pub fn move_to_file(&self, name: &str) -> Result<Moved, Error> {
        let stored = self.stored()?;
        let entry = find(&stored, name)?;
        let Some(item) = entry.keyring.as_deref() else {
            return Ok(unchanged(&entry.name, Vec::new()));
        };
        let is_here = !entry.is_in_keyring();
        let mut warnings = if is_here {
            Vec::new()
        } else {
            self.copy_to_file(&entry.name, item)?
        };
        match self.delete_from_keyring(item) {
            Ok(()) => warnings.extend(self.forget_item(item)?),
            Err(failure) => warnings.push(copy_left(&entry.name, &failure)),
        }
        Ok(Moved {
            changed: !is_here,
            ..unchanged(&entry.name, warnings)
        })
    }

    /// Names the item that will have the value, in the section that has it now.
    fn announce(&self, name: &str) -> Result<(Token, KeyringItem, Endpoint, Vec<String>), Error> {
        let mut transaction = self.begin()?;
        let entry = find(&transaction.stored, name)?;
        let (name, token) = (entry.name.clone(), entry.token()?);
        transaction.check_not_renewable(&name)?;
        let record = transaction.metadata.get(token.digest())?;
        let is_in_git = record.as_ref().is_some_and(|record| record.in_git);
        let endpoint = record.map_or_else(|| self.ambient().clone(), |record| record.endpoint);
        let item = KeyringItem::new(&token)?;
        transaction.edit(|document| document.set(&name, &[(FIELD, Some(&item.to_text()))]))?;
        let mut warnings = self.finish(transaction, ActiveToken::Keep)?;
        if is_in_git {
            warnings.push(format!(
                "git's own helper has a copy of `{}`, which stays there",
                redacted(&name)
            ));
        }
        Ok((token, item, endpoint, warnings))
    }

    /// Removes the value from the file, if the section still names this item.
    fn take_from_file(
        &self,
        name: &str,
        token: &Token,
        item: &KeyringItem,
    ) -> Result<Moved, Error> {
        let mut transaction = self.begin()?;
        let entry = find(&transaction.stored, name)?;
        if entry.keyring.as_deref() != Some(item) || !entry.holds(token) {
            return Err(changed_meanwhile(name));
        }
        let (name, expires_at) = (entry.name.clone(), entry.expires_at);
        let was_active = self.active().as_ref() == Some(token);
        transaction.set_item(&name, item, expires_at)?;
        let mut left = Vec::new();
        let change = self.without_active(&transaction, token, &mut left)?;
        let mut warnings = self.finish(transaction, change)?;
        warnings.extend(left);
        Ok(Moved {
            changed: true,
            was_active,
            ..unchanged(&name, warnings)
        })
    }

    /// Writes the value of an item to the file. The section still names the item.
    fn copy_to_file(&self, name: &str, item: &KeyringItem) -> Result<Vec<String>, Error> {
        let keyring = self.keyring().map_err(Failure::into_error)?;
        let value = keyring.value(&item.id, self.interrupt());
        let value = value.map_err(Failure::into_error)?;
        let token = value
            .and_then(|value| Token::parse(&value).ok().flatten())
            .filter(|token| token.digest() == item.digest)
            .ok_or_else(|| {
                Error::Store(format!(
                    "the keyring does not have the value of the stored token `{}` any more. Log it \
                     out, and log in again",
                    redacted(name)
                ))
            })?;
        let mut transaction = self.begin()?;
        let entry = find(&transaction.stored, name)?;
        if entry.only_item() != Some(item) {
            return Err(changed_meanwhile(name));
        }
        let name = entry.name.clone();
        transaction.edit(|document| document.set(&name, &[("hf_token", Some(token.expose()))]))?;
        self.finish(transaction, ActiveToken::Keep)
    }

    /// Removes the name of an item from its section, if it is still there.
    fn forget_item(&self, item: &KeyringItem) -> Result<Vec<String>, Error> {
        let mut transaction = self.begin()?;
        let stored = transaction.stored.iter();
        let mut named = stored.filter(|entry| entry.keyring.as_deref() == Some(item));
        let Some(entry) = named.find(|entry| !entry.is_in_keyring()) else {
            return Ok(Vec::new());
        };
        let name = entry.name.clone();
        transaction.edit(|document| document.set(&name, &[(FIELD, None)]))?;
        // Removed from the keyring already, or never there.
        transaction.commit(ActiveToken::Keep)
    }

    /// What becomes of the token file when this value goes to the keyring: it must not have it
    /// either, unless another name does, which is worth a warning.
    pub(super) fn without_active<'b>(
        &self,
        transaction: &Transaction<'_>,
        token: &Token,
        warnings: &mut Vec<String>,
    ) -> Result<ActiveToken<'b>, Error> {
        let left = entries(transaction.document.text()).map_err(Error::Store)?;
        let left: Vec<String> = left
            .into_iter()
            .filter(|entry| entry.holds(token))
            .map(|entry| shown(entry.name))
            .collect();
        if !left.is_empty() {
            warnings.push(redacted(&format!(
                "the file still has the same token as: {}. Move that as well, or log it out",
                left.join(", ")
            )));
            return Ok(ActiveToken::Keep);
        }
        Ok(if self.active().as_ref() == Some(token) {
            ActiveToken::Clear
        } else {
            ActiveToken::Keep
        })
    }
}

fn unchanged(name: &str, warnings: Vec<String>) -> Moved {
    Moved {
        name: shown(name.to_owned()),
        changed: false,
        was_active: false,
        warnings,
    }
}

fn changed_meanwhile(name: &str) -> Error {
    Error::Store(format!(
        "another process has changed the stored token `{}` meanwhile; it was not moved. Try again",
        redacted(name)
    ))
}
