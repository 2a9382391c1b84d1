//! Adds a token that was created for a job: under a name of its own, or in the place of its old value.
//!
//! Its value cannot be asked for a second time. It therefore never takes the place of another token,
//! unlike that of a login, and whether it can be stored is checked before it is created. It becomes
//! the active token only if its old value was: who creates a token for a job goes on with their own.

use std::collections::{HashMap, HashSet};

use super::keyring::{Failure, KeyringItem};
use super::logout::in_git;
use super::name;
use super::stored_token::{IssuedFields, StoredToken};
use super::token_metadata::TokenMetadata;
use super::token_store::{TokenStore, shown};
use super::transaction::{ActiveToken, Transaction};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sanitize::redacted;
use crate::token::{Digest, MAXIMUM_LENGTH, Token};

/// The result of an addition.
#[derive(Debug, Default)]
pub struct Added {
    /// The names that it is stored under.
    pub names: Vec<String>,
    /// Whether it is the active token now, since its old value was.
    pub active: bool,
    /// The old value, if git's own helpers keep a copy, and its Hub.
    pub in_git: Vec<(Endpoint, Token)>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl TokenStore<'_> {
    /// Checks that a token could be stored: under this name, or without one in the place of an old
    /// value. A check that passes leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`], [`Error::TokenFormat`] if the name holds a token, [`Error::Store`].
    pub fn check_addition(&self, name: Option<&str>) -> Result<(), Error> {
        let transaction = self.begin()?;
        if let Some(name) = name {
            free_name(&transaction, name)?;
        }
        transaction.check_room(MAXIMUM_LENGTH)
    }

    /// Stores a token under a name that is not taken.
    ///
    /// # Errors
    ///
    /// As for [`check_addition`](Self::check_addition).
    pub fn add(&self, name: &str, token: &Token, metadata: &TokenMetadata) -> Result<Added, Error> {
        let mut transaction = self.begin()?;
        let name = free_name(&transaction, name)?;
        transaction.metadata.set(token.digest(), metadata);
        transaction.set_token(&name, token, &IssuedFields::default())?;
        let warnings = transaction.commit(ActiveToken::Keep)?;
        Ok(Added {
            names: vec![shown(name)],
            warnings,
            ..Added::default()
        })
    }

    /// Stores a token wherever another value is stored that it replaces. That it is no longer stored
    /// anywhere is not an error, and nothing is changed then.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn replace_value(
        &self,
        old: Digest,
        token: &Token,
        metadata: &TokenMetadata,
    ) -> Result<Added, Error> {
        let holds_old = |stored: &&StoredToken| stored.digest() == old;
        let mut copies = self.copies(token, metadata, self.stored()?.iter().filter(holds_old));
        let mut transaction = self.begin()?;
        let entries = transaction.stored.iter().filter(holds_old);
        let entries: Vec<(String, bool)> = entries
            .map(|stored| (stored.name.clone(), stored.is_in_keyring()))
            .collect();
        if entries.is_empty() {
            drop(transaction);
            self.delete_unused(copies);
            return Ok(Added::default());
        }
        let in_git = in_git(&transaction, &[old]);
        transaction.metadata.set(token.digest(), metadata);
        for (name, is_in_keyring) in &entries {
            match copies.remove(name).filter(|_| *is_in_keyring) {
                Some(Ok(item)) => transaction.set_item(name, &item, None)?,
                Some(Err(failure)) => {
                    transaction.warnings.push(in_file_instead(name, &failure));
                    transaction.set_token(name, token, &IssuedFields::default())?;
                }
                None => transaction.set_token(name, token, &IssuedFields::default())?,
            }
        }
        let active = self.active().is_some_and(|active| active.digest() == old);
        let change = if active {
            ActiveToken::Set(token)
        } else {
            ActiveToken::Keep
        };
        let warnings = self.finish(transaction, change)?;
        self.delete_unused(copies);
        let names = entries.into_iter().map(|(name, _)| shown(name));
        Ok(Added {
            names: names.collect(),
            active,
            in_git,
            warnings,
        })
    }

    /// Puts the new value into the keyring for each entry whose old one is there. The keyring may ask
    /// the user, so the store's lock is not held.
    fn copies<'b>(
        &self,
        token: &Token,
        metadata: &TokenMetadata,
        entries: impl Iterator<Item = &'b StoredToken>,
    ) -> HashMap<String, Result<KeyringItem, Failure>> {
        let copy = |entry: &StoredToken| {
            let item = KeyringItem::new(token).map_err(Failure::Settings)?;
            self.put_in_keyring(&item, &entry.name, token, &metadata.endpoint)?;
            Ok(item)
        };
        entries
            .filter(|entry| entry.is_in_keyring())
            .map(|entry| (entry.name.clone(), copy(entry)))
            .collect()
    }

    /// Removes copies that no entry names, since another process has changed it meanwhile.
    fn delete_unused(&self, copies: HashMap<String, Result<KeyringItem, Failure>>) {
        for item in copies.into_values().flatten() {
            // It is not found by anybody.
            let _ = self.delete_from_keyring(&item);
        }
    }

    /// The stored values of an account, or those of them that end with these characters, and their
    /// names. The value of whoever manages the account is none of them, whatever the Hub says. Without
    /// a home folder there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the files cannot be read, or the keyring has a value of the account and
    /// does not tell how it ends.
    pub fn values_of(
        &self,
        endpoint: &Endpoint,
        user: &str,
        last_characters: Option<&str>,
        manager: Digest,
    ) -> Result<(Vec<String>, HashSet<Digest>), Error> {
        let (mut names, mut values) = (Vec::new(), HashSet::new());
        for entry in self.list()? {
            // What is broken is not known to be the account's.
            let Ok(entry) = entry else { continue };
            let token = entry.token.as_ref().ok();
            let Some(digest) = entry.keyring.or_else(|| token.map(Token::digest)) else {
                continue;
            };
            if entry.endpoint != *endpoint
                || entry.user.as_deref() != Some(user)
                || digest == manager
            {
                continue;
            }
            let is_wanted = match (last_characters, token) {
                (None, _) => true,
                (Some(last), Some(token)) => token.expose().ends_with(last),
                (Some(last), None) => self.ends_in_keyring(digest, last)?,
            };
            if is_wanted {
                values.insert(digest);
                names.push(entry.name);
            }
        }
        Ok((names, values))
    }

    /// Whether a value in the keyring ends with these characters.
    fn ends_in_keyring(&self, digest: Digest, last: &str) -> Result<bool, Error> {
        let stored = self.stored()?;
        let mut items = stored.iter().filter_map(StoredToken::only_item);
        let Some(item) = items.find(|item| item.digest == digest) else {
            return Ok(false);
        };
        let keyring = self.keyring().map_err(Failure::into_error)?;
        let value = keyring.value(&item.id, self.interrupt());
        let value = value.map_err(Failure::into_error)?;
        Ok(value.is_some_and(|value| value.ends_with(last)))
    }
}

fn in_file_instead(name: &str, failure: &Failure) -> String {
    let name = redacted(name);
    format!(
        "the new value of `{name}` is in the file, and not in the keyring like the old one: {}. \
         To move it there: `hubtoken move {name} --keyring`",
        failure.sentence()
    )
}

/// A name as the file has it, if no section has it yet.
fn free_name(transaction: &Transaction<'_>, name: &str) -> Result<String, Error> {
    name::check(name)?;
    let name = name::safe(name);
    if transaction.document.has(&name).map_err(Error::Store)? {
        return Err(Error::NameTaken(format!(
            "there is a stored token `{}` already; log it out or choose another name",
            redacted(&name)
        )));
    }
    Ok(name)
}
