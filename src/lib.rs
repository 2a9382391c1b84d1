//! The user-facing layers of hubtoken: the `hubtoken` command and, with the feature `python`, the
//! extension module `hubtoken._core`.
//!
//! They only wrap [`hubtoken_core`] and `hubtoken_hub`; all decisions are made there.

pub mod cli;
#[cfg(feature = "hub")]
mod hub_clock;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "test-clock")]
mod test_clock;

pub use hubtoken_core::*;
#[cfg(feature = "hub")]
pub use hubtoken_hub as hub;
