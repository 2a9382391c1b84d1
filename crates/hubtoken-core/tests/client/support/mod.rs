//! What these tests run against: a Hub that answers as it is told, and a shared cache in memory.

pub mod fake_hub;
pub mod memory_cache;
