//! git and its passwords.
//!
//! git asks a *helper* for a password and tells it afterwards whether the password was any good.
//! Here are the [protocol](protocol) between the two, our [helper](helper), and the
//! [setup](setup) that writes it into git's configuration for the Hub's address and no other.

pub mod helper;
pub mod protocol;
pub mod setup;
