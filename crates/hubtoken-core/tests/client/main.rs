//! The client's public interface, against servers that this process runs.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic"
)]

mod client;
mod deadlines;
mod denials;
mod leader;
mod remembered;
mod renewal_kills;
mod request_log;
mod shared_cache;
mod support;
