//! hubtoken: Hugging Face Hub user access tokens, and an embedded Hub that issues and checks them.

#[cfg(feature = "hub")]
pub mod hub;
pub mod role;
pub mod token;
