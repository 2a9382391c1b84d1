//! Manages tokens at their Hub: what needs more than to find and to know one.

pub mod leaked_values;
pub mod revoke;
