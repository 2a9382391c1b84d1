//! Tests of the crate from outside, in one binary.

#[cfg(feature = "hub")]
mod hub;
