//! What operators see of a running Hub: its health, its metrics, its log.

pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod request_counter;
