//! Logs out: removes one stored token, the active one, or all of them.

use std::collections::HashSet;
use std::path::Path;

use super::all_entries;
use super::stored_token::{StoredToken, find};
use super::token_store::{TokenStore, shown};
use super::transaction::{ActiveToken, Transaction};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::token::{Digest, Token};

/// The result of a removal.
#[derive(Debug, Default)]
pub struct Removed {
    /// The names of the removed stored tokens.
    pub names: Vec<String>,
    /// The digests of the removed tokens, whose cached identities must be cleared.
    pub tokens: Vec<Digest>,
    /// The removed tokens of which git's own helpers keep a copy, and their Hubs.
    pub in_git: Vec<(Endpoint, Token)>,
    /// Whether the token file was removed.
    pub active: bool,
    /// The names under which the removed value is still stored.
    pub also_stored_as: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Removed {
    /// Adds another removal.
    pub fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.tokens.extend(other.tokens);
        self.in_git.extend(other.in_git);
        self.active |= other.active;
        self.also_stored_as.extend(other.also_stored_as);
        self.warnings.extend(other.warnings);
    }
}

impl TokenStore<'_> {
    /// Removes a stored token, and also the token file if it contains the same value and no other
    /// name has it: the value of another name stays the active token.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] if there is no token with this name, [`Error::Store`].
    pub fn remove(&self, name: &str) -> Result<Removed, Error> {
        // A broken file is not set aside for a name that cannot be found in it.
        if let Some(item) = find(&self.stored()?, name)?.only_item() {
            self.remove_item(name, item)?;
        }
        let mut transaction = self.begin()?;
        let active = self.active().map(|token| token.digest());
        let entry = find(&transaction.stored, name)?;
        let (name, token) = (entry.name.clone(), entry.token().ok());
        let item = entry.only_item().map(|item| item.digest);
        let value = token.as_ref().map(Token::digest).or(item);
        let is_active = active.is_some() && value == active;
        let names = vec![name];
        transaction.edit(|document| document.remove_all(&names))?;
        // Read again, because removing a section can also change what others inherit.
        let mut left = all_entries(transaction.document.text()).map_err(Error::Store)?;
        left.retain(|entry| Some(entry.digest()) == value);
        // A value that is only in the keyring now must not be in the token file.
        let active_goes = is_active && left.iter().all(StoredToken::is_in_keyring);
        let also_stored_as: Vec<String> = left.into_iter().map(|entry| shown(entry.name)).collect();
        let tokens = value.into_iter().collect();
        let mut removed = self.commit(transaction, names, tokens, active_goes)?;
        if !also_stored_as.is_empty() {
            // Git's copy is that of the other name as well.
            removed.in_git.clear();
        }
        removed.also_stored_as = also_stored_as;
        Ok(removed)
    }

    /// Removes the active token: the token file, and every stored token with the same value. Without
    /// a home folder there is nothing to remove.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_active(&self) -> Result<Removed, Error> {
        if self.path().is_none() {
            return Ok(Removed::default());
        }
        let active = self.active().map(|token| token.digest());
        let is_active = |entry: &&StoredToken| active == Some(entry.digest());
        // A broken file is set aside by the change.
        let stored = self.stored().unwrap_or_default();
        let kept = self.remove_items(stored.iter().filter(is_active));
        let mut transaction = self.begin()?;
        let going = transaction.stored.iter().filter(is_active);
        let names = going.filter(|entry| !kept.has(entry)).map(name_of);
        let names = names.collect();
        transaction.warnings.extend(kept.into_warnings());
        self.take_out(transaction, names, active.into_iter().collect(), true)
    }

    /// Removes all stored tokens and the token file, even if its value is not stored. Without a home
    /// folder there is nothing to remove.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_all(&self) -> Result<Removed, Error> {
        if self.path().is_none() {
            return Ok(Removed::default());
        }
        let kept = self.remove_items(&self.stored().unwrap_or_default());
        let mut transaction = self.begin()?;
        let going = transaction.stored.iter().filter(|entry| !kept.has(entry));
        let tokens = going.clone().filter_map(|entry| match entry.only_item() {
            Some(item) => Some(item.digest),
            None => entry.token().ok().map(|token| token.digest()),
        });
        let active = self.active().map(|token| token.digest());
        let tokens = tokens.chain(active).collect();
        let names: Vec<String> = going.map(name_of).collect();
        transaction.warnings.extend(kept.into_warnings());
        if !names.is_empty() {
            transaction
                .edit(|document| document.forget_inherited(&["hf_token", "refresh_token"]))?;
        }
        self.take_out(transaction, names, tokens, true)
    }

    /// Removes values wherever they are stored: their entries, and the token file if it has one of
    /// them. Without a home folder there is nothing to remove.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_values(&self, values: &HashSet<Digest>) -> Result<Removed, Error> {
        if self.path().is_none() {
            return Ok(Removed::default());
        }
        let active = self.active().map(|token| token.digest());
        let is_active = active.is_some_and(|digest| values.contains(&digest));
        let is_stored = |stored: &StoredToken| values.contains(&stored.digest());
        // Nothing is locked or written for values that are not here.
        if !is_active && !self.stored()?.iter().any(is_stored) {
            return Ok(Removed::default());
        }
        let transaction = self.begin()?;
        let gone = transaction.stored.iter().filter(|stored| is_stored(stored));
        let (names, mut tokens): (Vec<String>, Vec<Digest>) = gone
            .map(|stored| (name_of(stored), stored.digest()))
            .unzip();
        tokens.extend(active.filter(|_| is_active));
        self.take_out(transaction, names, tokens, is_active)
    }

    fn take_out(
        &self,
        mut transaction: Transaction<'_>,
        names: Vec<String>,
        tokens: Vec<Digest>,
        active_goes: bool,
    ) -> Result<Removed, Error> {
        if !names.is_empty() {
            transaction.edit(|document| document.remove_all(&names))?;
        }
        self.commit(transaction, names, tokens, active_goes)
    }

    fn commit(
        &self,
        transaction: Transaction<'_>,
        names: Vec<String>,
        tokens: Vec<Digest>,
        active_goes: bool,
    ) -> Result<Removed, Error> {
        let in_git = in_git(&transaction, &tokens);
        let active = active_goes && self.token_path().is_some_and(Path::is_file);
        let change = if active_goes {
            ActiveToken::Clear
        } else {
            ActiveToken::Keep
        };
        let warnings = self.finish(transaction, change)?;
        Ok(Removed {
            names,
            tokens,
            in_git,
            active,
            also_stored_as: Vec::new(),
            warnings,
        })
    }
}

/// The stored tokens of these digests that were handed to git's own helpers.
pub(super) fn in_git(transaction: &Transaction<'_>, digests: &[Digest]) -> Vec<(Endpoint, Token)> {
    let mut found: Vec<(Endpoint, Token)> = Vec::new();
    for token in transaction
        .stored
        .iter()
        .filter_map(|entry| entry.token().ok())
    {
        let record = transaction.metadata.get(token.digest());
        if digests.contains(&token.digest())
            && let Ok(Some(record)) = record
            && record.in_git
            && found.iter().all(|(_, known)| *known != token)
        {
            found.push((record.endpoint, token));
        }
    }
    found
}

fn name_of(entry: &StoredToken) -> String {
    entry.name.clone()
}
