//! A whole revocation: sends values, forgets those that are dead, and asks about them.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::{Revocation, Revoked, State, sent};
use crate::error::Error;
use crate::identity::Options;
use crate::store::logout::Removed;
use crate::store::token_store::TokenStore;
use crate::token::Digest;

/// What came of a revocation.
#[derive(Debug)]
pub struct Outcome {
    /// Each value and its state.
    pub revoked: Vec<Revoked>,
    /// What was removed from this machine.
    pub removed: Removed,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Why the Hub took no more, or why the wait has ended.
    pub failure: Option<Error>,
}

impl Outcome {
    /// Whether the Hub took nothing, so that there is nothing to say but the failure.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        sent(&self.revoked).is_empty() && !self.revoked.iter().any(|each| each.state == State::Dead)
    }

    /// How far an interrupted revocation came, as a sentence.
    #[must_use]
    pub fn progress(&self) -> String {
        let is_dead = |each: &&Revoked| each.state == State::Dead;
        format!(
            "of {} tokens, {} were sent to the Hub and forgotten here, and {} are known to be dead",
            self.revoked.len(),
            sent(&self.revoked).len(),
            self.revoked.iter().filter(is_dead).count()
        )
    }
}

impl Revocation<'_> {
    /// Sends values, removes them from this machine, and asks whoami about them.
    ///
    /// What the Hub has acknowledged is removed before anything else can happen. A request without
    /// an answer may have done its work or not, so its values are kept until whoami says that they
    /// are dead.
    #[must_use]
    pub fn run(
        &self,
        values: &[Zeroizing<String>],
        token_store: &TokenStore<'_>,
        options: &Options,
    ) -> Outcome {
        let (revoked, failure) = self.send(values);
        let mut outcome = Outcome {
            revoked,
            removed: Removed::default(),
            warnings: Vec::new(),
            failure,
        };
        let gone = sent(&outcome.revoked);
        self.forget(&gone, token_store, &mut outcome);
        if !matches!(outcome.failure, Some(Error::Interrupted))
            && let Err(error) = self.verify(values, &mut outcome.revoked, options)
        {
            outcome.failure = Some(error);
        }
        let late: HashSet<Digest> = outcome
            .revoked
            .iter()
            .filter(|each| each.state == State::Dead && !gone.contains(&each.digest))
            .map(|each| each.digest)
            .collect();
        self.forget(&late, token_store, &mut outcome);
        outcome
    }

    fn forget(&self, gone: &HashSet<Digest>, token_store: &TokenStore<'_>, outcome: &mut Outcome) {
        if gone.is_empty() {
            return;
        }
        match token_store.remove_values(gone) {
            Ok(removed) => {
                outcome.warnings.extend(removed.warnings.iter().cloned());
                outcome.removed.add(removed);
            }
            Err(error) => outcome.warnings.push(format!(
                "the Hub was sent the tokens, but they were not removed from this machine: {error}"
            )),
        }
        for digest in gone {
            self.client.invalidate_shared(self.settings, *digest);
        }
    }
}
