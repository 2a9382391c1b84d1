//! Who sends a request, and what they may do.

pub(crate) mod access;
pub(crate) mod authentication;
