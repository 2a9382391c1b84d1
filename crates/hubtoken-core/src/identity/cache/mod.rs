//! What is known of tokens, and for how long: in this process's memory, and [shared] by the
//! processes of a machine.

pub mod bounded;
pub mod disk;
pub mod fixed_window;
pub mod grouped;
pub mod key;
pub(in crate::identity) mod memory;
pub mod shared;
pub(in crate::identity) mod shared_caches;
