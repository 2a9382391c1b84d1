//! The copies on this machine of a service account's tokens.
//!
//! The Hub does not say a token's value again, but whose it is and how it ends: that tells which of the
//! stored values are no longer alive after a change.

use serde_json::{Value, json};

use super::manager::Manager;
use crate::cli::context::Context;
use crate::cli::layout::Layout;
use crate::cli::output::Output;
use crate::cli::token_context;
use crate::error::Error;
use crate::git::own_helpers;
use crate::manage::{AccountToken, ServiceAccount};
use crate::sanitize::redacted;
use crate::store::logout::Removed;
use crate::store::token_store::TokenStore;

/// Fewer characters do not tell tokens apart.
const ENOUGH: usize = 4;

/// How a token ends, if the Hub says enough of it to tell it from the account's other tokens.
pub fn ending<'a>(account: &ServiceAccount, token: &'a AccountToken) -> Option<&'a str> {
    let last = token.last4.as_deref()?;
    let tokens = account.tokens.iter().flatten();
    let others = tokens.filter(|other| other.id != token.id);
    let is_unique = others
        .filter_map(|other| other.last4.as_deref())
        .all(|other| other != last);
    (is_unique && last.chars().count() >= ENOUGH).then_some(last)
}

/// What was removed here of an account, or of one of its tokens, which is gone.
#[derive(Default)]
pub struct Forgotten {
    names: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Forgotten {
    /// Removes the copies. That it is gone at the Hub is not undone by what fails here.
    pub fn of(
        manager: &Manager<'_>,
        context: &Context<'_>,
        account: &ServiceAccount,
        token: Option<&AccountToken>,
    ) -> Self {
        let last = match token {
            None => None,
            Some(token) => match ending(account, token) {
                Some(last) => Some(last),
                None => return Self::default(),
            },
        };
        let removed = token_context::token_store(context)
            .and_then(|token_store| remove(&token_store, manager, &account.user, last));
        match removed {
            Ok(removed) => {
                let mut warnings = removed.warnings;
                warnings.extend(own_helpers::take_back(context.environment, &removed.in_git));
                Self {
                    names: removed.names,
                    warnings,
                }
            }
            Err(error) => Self {
                names: Vec::new(),
                warnings: vec![format!(
                    "what is stored of it on this machine was not removed: {error}"
                )],
            },
        }
    }

    /// Writes the warnings.
    pub fn warn(&self, output: &Output<'_, '_>) {
        for warning in &self.warnings {
            output.warning(warning);
        }
    }

    /// The names that were removed.
    pub fn names_json(&self) -> Value {
        json!(
            self.names
                .iter()
                .map(|name| redacted(name))
                .collect::<Vec<_>>()
        )
    }

    /// The same as text.
    pub fn show(&self, page: &mut Layout) {
        if !self.names.is_empty() {
            page.paragraph(&redacted(&format!(
                "removed from this machine: {}",
                self.names.join(", ")
            )));
        }
    }
}

fn remove(
    token_store: &TokenStore<'_>,
    manager: &Manager<'_>,
    user: &str,
    last: Option<&str>,
) -> Result<Removed, Error> {
    let credential = &manager.session.credential;
    let own = credential.token.digest();
    let (_, values) = token_store.values_of(&credential.endpoint, user, last, own)?;
    token_store.remove_values(&values)
}
