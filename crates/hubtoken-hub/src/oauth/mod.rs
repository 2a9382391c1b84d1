//! The Hub as an OAuth issuer: logins of programs, and what they are given.
//!
//! A token that is issued here is a JWT, because clients of the real Hub read the claims of theirs.
//! The Hub does not trust what a token says: it looks the digest up in its registry, like that of
//! any other token, so a token that is revoked or whose user is gone is dead at once.

pub(crate) mod crypto;
pub(crate) mod issue;
pub(crate) mod keys;
pub(crate) mod options;
pub(crate) mod service;
