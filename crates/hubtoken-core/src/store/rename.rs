//! Gives a stored token another name.

use super::keyring::KeyringItem;
use super::name;
use super::stored_token::{StoredToken, find};
use super::token_store::TokenStore;
use super::transaction::ActiveToken;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sanitize::redacted;

/// A shorter value may be part of an ordinary name.
const SHORTEST_VALUE: usize = 8;

/// The result of renaming a token.
#[derive(Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Its name as stored.
    pub name: String,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl TokenStore<'_> {
    /// Renames a stored token. If its value is in the system's keyring, that shows the new name from
    /// then on. A keyring that does not do so is a warning, since nothing finds the value by that
    /// name, and the same call again tries that again.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`] if the new name contains a token, [`Error::TokenNotFound`] if there
    /// is no token with the old name, [`Error::NameTaken`], [`Error::Store`].
    pub fn rename(&self, old: &str, new: &str) -> Result<Renamed, Error> {
        name::check(new)?;
        let stored = self.stored()?;
        find(&stored, old)?;
        let holds_value = |entry: &StoredToken| {
            let value = entry.value.trim();
            !value.is_empty() && value.len() >= SHORTEST_VALUE && new.contains(value)
        };
        if stored.iter().any(holds_value) {
            return Err(name::refused());
        }
        let mut transaction = self.begin()?;
        let entry = find(&transaction.stored, old)?;
        let (old, item) = (entry.name.clone(), entry.keyring.as_deref().cloned());
        let new = name::safe(new);
        let record = transaction.metadata.get(entry.digest()).ok().flatten();
        let endpoint = record.map_or_else(|| self.ambient().clone(), |record| record.endpoint);
        let mut warnings = if new == old {
            std::mem::take(&mut transaction.warnings)
        } else {
            if transaction.document.has(&new).map_err(Error::Store)? {
                return Err(Error::NameTaken(format!(
                    "there is a stored token `{}` already; log it out or choose another name",
                    redacted(&new)
                )));
            }
            transaction.edit(|document| document.rename(&old, &new))?;
            self.finish(transaction, ActiveToken::Keep)?
        };
        // The keyring may ask the user, so the lock is not held any more.
        warnings.extend(item.and_then(|item| self.relabel(&item, &new, &endpoint)));
        Ok(Renamed {
            name: new,
            warnings,
        })
    }

    /// Has the keyring show the new name of an item. Returns a warning if it does not.
    fn relabel(&self, item: &KeyringItem, name: &str, endpoint: &Endpoint) -> Option<String> {
        let relabeled = self.keyring().and_then(|keyring| {
            keyring.relabel(&item.id, Self::label(name, endpoint), self.interrupt())
        });
        let failure = relabeled.err()?;
        let name = redacted(name);
        Some(format!(
            "the token is stored as `{name}` now, but the keyring's own program may still show its \
             old name: {}. To try that again: `hubtoken rename {name} {name}`",
            failure.sentence()
        ))
    }
}
