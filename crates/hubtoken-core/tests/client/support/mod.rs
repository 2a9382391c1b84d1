//! What these tests run against: a Hub that answers as it is told, a shared cache in memory, and
//! a clock that is set by hand.

pub mod fake_hub;
pub mod issuer;
pub mod memory_cache;
pub mod time;
