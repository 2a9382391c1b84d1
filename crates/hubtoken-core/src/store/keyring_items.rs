//! The items of stored tokens in the system's keyring: put there, and removed.
//!
//! The keyring may ask the user, so none of this is done while the store's lock is held.

use super::keyring::{Failure, KeyringItem, Label};
use super::name;
use super::stored_token::StoredToken;
use super::token_store::TokenStore;
use super::transaction::{ActiveToken, Transaction};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::sanitize::{redacted, redacted_path};
use crate::token::Token;

/// Items that could not be removed from the keyring, with a warning each.
#[derive(Default)]
pub(super) struct KeptItems(Vec<(KeyringItem, String)>);

impl KeptItems {
    /// Whether the value of a stored token is one of them.
    pub(super) fn has(&self, entry: &StoredToken) -> bool {
        let mut items = self.0.iter().map(|(item, _)| item);
        items.any(|item| entry.only_item() == Some(item))
    }

    /// The warnings.
    pub(super) fn into_warnings(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(_, warning)| warning)
    }
}

impl TokenStore<'_> {
    /// Stores a value in the keyring, and reads it back.
    pub(super) fn put_in_keyring(
        &self,
        item: &KeyringItem,
        name: &str,
        token: &Token,
        endpoint: &Endpoint,
    ) -> Result<(), Failure> {
        let label = Self::label(name, endpoint);
        self.keyring()?
            .write(&item.id, label, token.expose(), self.interrupt())
    }

    /// What the keyring's own program shows of a token.
    pub(super) fn label(name: &str, endpoint: &Endpoint) -> Label {
        Label {
            name: redacted(&name::safe(name)),
            endpoint: endpoint.to_string(),
        }
    }

    /// Removes an item from the keyring.
    pub(super) fn delete_from_keyring(&self, item: &KeyringItem) -> Result<(), Failure> {
        self.keyring()?.delete(&item.id, self.interrupt())
    }

    /// Removes the item of a stored token, before its section goes.
    pub(super) fn remove_item(&self, name: &str, item: &KeyringItem) -> Result<(), Error> {
        self.delete_from_keyring(item)
            .map_err(|failure| match failure {
                Failure::Interrupted => Error::Interrupted,
                Failure::Settings(error) => error,
                failure => Error::Store(self.stays(name, &failure)),
            })
    }

    /// Removes the items of stored tokens, and returns those that are still there.
    pub(super) fn remove_items<'b>(
        &self,
        stored: impl IntoIterator<Item = &'b StoredToken>,
    ) -> KeptItems {
        let mut kept = KeptItems::default();
        let mut silent = None;
        for entry in stored {
            let Some(item) = entry.only_item() else {
                continue;
            };
            // Whoever has not answered once is not waited for again.
            let removed = silent
                .clone()
                .map_or_else(|| self.delete_from_keyring(item), Err);
            if let Err(failure) = removed {
                let warning = self.stays(&entry.name, &failure);
                kept.0.push((item.clone(), warning));
                silent = Some(failure);
            }
        }
        kept
    }

    fn stays(&self, name: &str, failure: &Failure) -> String {
        let path = self.path().map(redacted_path).unwrap_or_default();
        format!(
            "the stored token `{}` could not be removed from the keyring, and stays stored: {}. If \
             that keyring is gone for good, delete the token's section in {path}",
            redacted(name),
            failure.sentence()
        )
    }

    /// Completes a change, and removes the items that no section names any more.
    pub(super) fn finish(
        &self,
        transaction: Transaction<'_>,
        active: ActiveToken<'_>,
    ) -> Result<Vec<String>, Error> {
        let dropped = transaction.dropped_items()?;
        let mut warnings = transaction.commit(active)?;
        let mut silent = None;
        for (name, item) in dropped {
            // Whoever has not answered once is not waited for again.
            let removed = silent
                .clone()
                .map_or_else(|| self.delete_from_keyring(&item), Err);
            if let Err(failure) = removed {
                warnings.push(copy_left(&name, &failure));
                silent = Some(failure);
            }
        }
        Ok(warnings)
    }
}

pub(super) fn copy_left(name: &str, failure: &Failure) -> String {
    format!(
        "a copy of the stored token `{}` may still be in the keyring, under `hubtoken`: {}",
        redacted(name),
        failure.sentence()
    )
}
