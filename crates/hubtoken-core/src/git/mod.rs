//! Integrates hubtoken with git's credential helpers.
//!
//! git asks a *helper* for a password and later reports whether it worked. This module contains the
//! [protocol](protocol) between the two, our [helper](helper), the [setup](setup) that adds the
//! helper to git's configuration for the Hub's address only, a [check](configured_helper) of what is
//! there, and what git's [own helpers](own_helpers) are given on request.

pub mod configured_helper;
mod failure;
pub mod helper;
pub mod helper_command;
pub mod own_helpers;
pub mod protocol;
pub mod setup;

#[cfg(test)]
mod test_machine;
