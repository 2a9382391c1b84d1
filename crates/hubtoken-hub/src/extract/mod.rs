//! What handlers take out of a request, with the Hub's errors instead of the framework's.

pub(crate) mod body;
pub(crate) mod repository;
