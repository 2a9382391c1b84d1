//! The faces of hubtoken: the `hubtoken` command and, with the feature `python`, the extension
//! module `hubtoken._core`.
//!
//! They wrap [`hubtoken_core`] and `hubtoken_hub`, and decide nothing.

pub mod cli;
#[cfg(feature = "python")]
mod python;

pub use hubtoken_core::*;
#[cfg(feature = "hub")]
pub use hubtoken_hub as hub;
