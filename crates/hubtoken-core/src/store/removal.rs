//! Logs out: removes one stored token, the active one, or all of them.

use super::change::{Active, Change};
use super::entry::{StoredToken, find};
use super::machine::Machine;
use crate::error::Error;
use crate::token::{Digest, Token};

/// The result of a removal.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    /// The names of the removed stored tokens.
    pub names: Vec<String>,
    /// The digests of the removed tokens, whose cached identities must be cleared.
    pub tokens: Vec<Digest>,
    /// Whether the token file was removed.
    pub active: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Machine<'_> {
    /// Removes a stored token, and also the token file if it contains the same value.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no token with this name, [`Error::Store`].
    pub fn remove(&self, name: &str) -> Result<Removed, Error> {
        // A broken file is not set aside for a name that cannot be found in it.
        find(&super::read(self.path())?, name)?;
        let change = self.change()?;
        let active = self.active();
        let entry = find(&change.stored, name)?;
        let (name, token) = (entry.name.clone(), entry.token().ok());
        let is_active = active.is_some() && token == active;
        let tokens = token.iter().map(Token::digest).collect();
        self.take_out(change, vec![name], tokens, is_active)
    }

    /// Removes the active token: the token file, and every stored token with the same value.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_active(&self) -> Result<Removed, Error> {
        let change = self.change()?;
        let active = self.active();
        let is_active = |entry: &&StoredToken| active.is_some() && entry.token().ok() == active;
        let names = change.stored.iter().filter(is_active).map(name_of);
        let names = names.collect();
        let tokens = active.iter().map(Token::digest).collect();
        self.take_out(change, names, tokens, true)
    }

    /// Removes all stored tokens and the token file, even if its value is not stored.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn remove_all(&self) -> Result<Removed, Error> {
        let mut change = self.change()?;
        let tokens = change.stored.iter().filter_map(|entry| entry.token().ok());
        let tokens = tokens
            .chain(self.active())
            .map(|token| token.digest())
            .collect();
        let names: Vec<String> = change.stored.iter().map(name_of).collect();
        if !names.is_empty() {
            change.edit(|document| document.forget_inherited(&["hf_token", "refresh_token"]))?;
        }
        self.take_out(change, names, tokens, true)
    }

    fn take_out(
        &self,
        mut change: Change<'_>,
        names: Vec<String>,
        tokens: Vec<Digest>,
        active_goes: bool,
    ) -> Result<Removed, Error> {
        if !names.is_empty() {
            change.edit(|document| document.remove_all(&names))?;
        }
        let active = active_goes && self.token_path().is_file();
        let warnings = change.commit(if active_goes {
            Active::Gone
        } else {
            Active::Same
        })?;
        Ok(Removed {
            names,
            tokens,
            active,
            warnings,
        })
    }
}

fn name_of(entry: &StoredToken) -> String {
    entry.name.clone()
}
