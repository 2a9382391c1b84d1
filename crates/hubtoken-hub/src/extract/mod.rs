//! Extractors for handlers, with the Hub's errors instead of the framework's.

pub(crate) mod body;
pub(crate) mod repository;
