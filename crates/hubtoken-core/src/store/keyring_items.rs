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
        let items = stored
            .into_iter()
            .filter_map(|entry| Some((entry.name.as_str(), entry.only_item()?)));
        let kept = self.delete_each(items).into_iter();
        KeptItems(
            kept.map(|(name, item, failure)| (item.clone(), self.stays(name, &failure)))
                .collect(),
        )
    }

    /// Removes items, and returns those that may still be there. After a failure the keyring is not
    /// asked again, since each question may take as long as the first.
    fn delete_each<'b>(
        &self,
        items: impl Iterator<Item = (&'b str, &'b KeyringItem)>,
    ) -> Vec<(&'b str, &'b KeyringItem, Failure)> {
        let mut kept: Vec<(&str, &KeyringItem, Failure)> = Vec::new();
        for (name, item) in items {
            let deleted = match kept.last() {
                Some((_, _, failure)) => Err(failure.clone()),
                None => self.delete_from_keyring(item),
            };
            kept.extend(deleted.err().map(|failure| (name, item, failure)));
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
        let items = dropped.iter().map(|(name, item)| (name.as_str(), item));
        let kept = self.delete_each(items).into_iter();
        warnings.extend(kept.map(|(name, _, failure)| copy_left(name, &failure)));
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
