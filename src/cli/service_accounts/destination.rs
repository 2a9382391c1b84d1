//! Where the value of a new token goes: into the store, to a file descriptor, or onto the terminal.
//!
//! The Hub says a value once, so what can go wrong is checked before it is asked for one. It is never in
//! the JSON output, nor on a standard output that nobody chose: both end up in logs.

use std::collections::HashSet;
use std::io::ErrorKind;

use zeroize::Zeroizing;

use super::local_copies::ending;
use super::manager::Manager;
use super::stored_value::{Name, Predecessor, default_name, metadata, store};
use crate::cli::context::Context;
use crate::cli::descriptors::Descriptor;
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::token_context;
use crate::error::Error;
use crate::git::own_helpers;
use crate::manage::{AccountToken, IssuedToken, ServiceAccount};
use crate::sanitize::redacted;
use crate::store::token_store::TokenStore;

const STANDARD_OUTPUT: i32 = 1;
const STANDARD_ERROR: i32 = 2;

/// Selects where the value goes.
#[derive(clap::Args)]
#[group(multiple = false)]
pub struct DestinationArgs {
    /// Store the value on this machine under this name [default: the account's and the token's]
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// Write the value to this file descriptor instead, such as 9 after `9>file`
    #[arg(long, value_name = "NUMBER")]
    fd: Option<i32>,
    /// Show the value on the terminal instead
    #[arg(long)]
    reveal: bool,
}

/// A destination that was checked.
pub enum Destination<'a> {
    /// The store, and the name that was asked for.
    Store(Box<TokenStore<'a>>, Option<String>),
    /// A descriptor, and what is behind it.
    Descriptor(i32, Descriptor),
    /// The terminal.
    Terminal,
}

/// What became of the value.
#[derive(Default)]
pub struct Delivered {
    /// The names that it is stored under.
    pub names: Vec<String>,
    /// Whether it is the active token now, since the old value was.
    pub active: bool,
    /// The descriptor that it was written to.
    pub descriptor: Option<i32>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl DestinationArgs {
    /// Checks what can be checked before there is a value.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for a descriptor or a terminal that cannot take it, and what the store says.
    pub fn check<'a>(
        &self,
        context: &'a Context<'_>,
        output: &Output<'_, '_>,
    ) -> Result<Destination<'a>, Failure> {
        if let Some(number) = self.fd {
            let found = check_descriptor(number, context, output)?;
            return Ok(Destination::Descriptor(number, found));
        }
        if self.reveal {
            return match (output.is_json(), context.stdout.is_terminal) {
                (true, _) => Err(Failure::Usage(
                    "the value is never in the JSON output: --fd writes it elsewhere".to_owned(),
                )),
                (false, false) => Err(Failure::Usage(
                    "standard output is not a terminal, so --reveal could write the value to a \
                     log: --fd 1 writes it there, and nothing else"
                        .to_owned(),
                )),
                (false, true) => Ok(Destination::Terminal),
            };
        }
        let token_store = token_context::token_store(context)?;
        token_store.check_addition(None)?;
        Ok(Destination::Store(
            Box::new(token_store),
            self.store.clone(),
        ))
    }
}

fn check_descriptor(
    number: i32,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Descriptor, Failure> {
    let refused = |why: &str| Err(Failure::Usage(format!("--fd {number}: {why}")));
    if number == STANDARD_ERROR {
        return refused("standard error is where messages go, and logs take it");
    }
    if number == STANDARD_OUTPUT && output.is_json() {
        return refused("standard output has the JSON object");
    }
    match context.descriptors.inspect(number) {
        Err(error) => refused(&format!("it cannot be written: {error}")),
        Ok(found) if found.is_terminal => {
            refused("it is a terminal; --reveal shows the value there")
        }
        Ok(found) => Ok(found),
    }
}

impl Destination<'_> {
    /// Whether the text about it must leave standard output to the value.
    pub fn takes_standard_output(&self) -> bool {
        matches!(self, Self::Descriptor(STANDARD_OUTPUT, _))
    }

    /// Checks the name, before a new token is created.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`], and the others of the store.
    pub fn check_name(&self) -> Result<(), Error> {
        match self {
            Self::Store(token_store, name) => token_store.check_addition(name.as_deref()),
            Self::Descriptor(..) | Self::Terminal => Ok(()),
        }
    }

    /// The stored value that a rotation replaces, and its names. It is looked for whatever the
    /// destination is, since it is dead then.
    ///
    /// # Errors
    ///
    /// As for [`check_name`](Self::check_name), unless the name is one of those of the old value.
    pub fn predecessor(
        &self,
        manager: &Manager<'_>,
        context: &Context<'_>,
        account: &ServiceAccount,
        token: &AccountToken,
    ) -> Result<Option<Predecessor>, Error> {
        let credential = &manager.session.credential;
        let (endpoint, own) = (&credential.endpoint, credential.token.digest());
        let found = match ending(account, token) {
            Some(last) => token_context::token_store(context)
                .and_then(|store| store.values_of(endpoint, &account.user, Some(last), own)),
            None => Ok((Vec::new(), HashSet::new())),
        };
        let found = match (found, self) {
            // A store that cannot be read keeps no value from going elsewhere.
            (Err(_), Self::Descriptor(..) | Self::Terminal) => return Ok(None),
            (found, _) => found?,
        };
        // Two values with the same end: neither is known to be the one.
        let predecessor = match (found.1.len(), found.1.iter().next()) {
            (1, Some(digest)) => Some(Predecessor {
                digest: *digest,
                names: found.0,
            }),
            _ => None,
        };
        if let Self::Store(_, Some(name)) = self
            && predecessor.as_ref().is_none_or(|old| !old.has_name(name))
        {
            self.check_name()?;
        }
        Ok(predecessor)
    }

    /// Hands the value over.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], which says that nobody has the value now, and what to do.
    pub fn deliver(
        &self,
        manager: &Manager<'_>,
        context: &Context<'_>,
        output: &Output<'_, '_>,
        account: &ServiceAccount,
        issued: &IssuedToken,
        predecessor: Option<&Predecessor>,
    ) -> Result<Delivered, Failure> {
        let mut delivered = match self {
            Self::Store(token_store, name) => {
                let metadata = metadata(manager, account, issued);
                let name = name.as_deref().map_or_else(
                    || Name::Default(default_name(account, &issued.info)),
                    |name| Name::Wanted(name.to_owned()),
                );
                let added = store(token_store, &name, &metadata, issued, predecessor)?;
                let mut warnings = added.warnings;
                warnings.extend(own_helpers::take_back(context.environment, &added.in_git));
                Delivered {
                    names: added.names,
                    active: added.active,
                    warnings,
                    ..Delivered::default()
                }
            }
            Self::Descriptor(number, found) => {
                let line = Zeroizing::new(format!("{}\n", issued.credential.token.expose()));
                context
                    .descriptors
                    .write(*number, &line)
                    .map_err(|error| match error.kind() {
                        ErrorKind::Interrupted => Error::Interrupted,
                        _ => {
                            Error::Store(format!("descriptor {number} cannot be written: {error}"))
                        }
                    })?;
                let warning = found.is_exposed.then(|| {
                    format!("other users of this machine can read the file of descriptor {number}")
                });
                Delivered {
                    descriptor: Some(*number),
                    warnings: warning.into_iter().collect(),
                    ..Delivered::default()
                }
            }
            Self::Terminal => {
                output.note("The value, which is shown this once:");
                let line = Zeroizing::new(format!("{}\n", issued.credential.token.expose()));
                output.raw(&line);
                Delivered::default()
            }
        };
        delivered.warnings.extend(predecessor.and_then(|old| {
            let left = old
                .names
                .iter()
                .filter(|name| !delivered.names.contains(name));
            let left: Vec<&str> = left.map(String::as_str).collect();
            (!left.is_empty()).then(|| {
                redacted(&format!(
                    "the old value, which no longer works, is still stored as: {}",
                    left.join(", ")
                ))
            })
        }));
        Ok(delivered)
    }
}
