//! Tests of the crate from outside, in one binary.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]

mod client;
mod denials;
#[cfg(feature = "hub")]
mod hub;
mod place;
mod remembered;
mod server;
mod shared;
mod time;
mod turns;
