//! Adds a token that was created for a job: under a name of its own, or in the place of its old value.
//!
//! Its value cannot be asked for a second time. It therefore never takes the place of another token,
//! unlike that of a login, and whether it can be stored is checked before it is created. It becomes
//! the active token only if its old value was: who creates a token for a job goes on with their own.

use std::collections::HashSet;

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
        let mut transaction = self.begin()?;
        let holds_old = |stored: &&StoredToken| stored.digest() == old;
        let names = transaction.stored.iter().filter(holds_old);
        let names: Vec<String> = names.map(|stored| stored.name.clone()).collect();
        if names.is_empty() {
            return Ok(Added::default());
        }
        let in_git = in_git(&transaction, &[old]);
        transaction.metadata.set(token.digest(), metadata);
        for name in &names {
            transaction.set_token(name, token, &IssuedFields::default())?;
        }
        let active = self.active().is_some_and(|active| active.digest() == old);
        let warnings = transaction.commit(if active {
            ActiveToken::Set(token)
        } else {
            ActiveToken::Keep
        })?;
        Ok(Added {
            names: names.into_iter().map(shown).collect(),
            active,
            in_git,
            warnings,
        })
    }

    /// The stored values of an account, or those of them that end with these characters, and their
    /// names. The value of whoever manages the account is none of them, whatever the Hub says. Without
    /// a home folder there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the files cannot be read.
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
            let Ok(token) = &entry.token else { continue };
            if entry.endpoint == *endpoint
                && entry.user.as_deref() == Some(user)
                && token.digest() != manager
                && last_characters.is_none_or(|last| token.expose().ends_with(last))
            {
                values.insert(token.digest());
                names.push(entry.name);
            }
        }
        Ok((names, values))
    }
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
