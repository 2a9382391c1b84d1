//! Finds, identifies, stores and renews Hugging Face Hub user access tokens.
//!
//! Data flows in one direction. [`resolve`] finds a token and is independent of the network.
//! [`identity`] asks the Hub whose token it is and is independent of roles. [`authorization`]
//! decides whether the token has a role and is independent of both. [`require`] combines the three.
//! The Python binding, the command line and the embedded Hub are separate packages that use this
//! one.

pub mod authorization;
pub mod bounded_file;
pub mod clock;
pub mod credential;
pub mod edit_distance;
pub mod endpoint;
pub mod env;
pub mod error;
pub mod expiry;
pub mod file_lock;
pub mod folder;
pub mod git;
pub mod hexadecimal;
pub mod http;
pub mod identity;
pub mod interrupt;
pub mod live_tokens;
pub mod login;
pub mod manage;
pub mod oauth;
pub mod paths;
pub mod process_stat;
pub mod process_state;
pub mod project_uses;
pub mod recipient;
pub mod record_folder;
pub mod repository;
pub mod requested_access;
pub mod require;
pub mod resolve;
pub mod role;
pub mod runtime;
pub mod sanitize;
pub mod similar_repositories;
pub mod single_flight;
pub mod source;
pub mod source_timeout;
pub mod store;
pub mod strict_url;
pub mod sync;
pub mod target;
pub mod timestamp;
pub mod token;
pub mod token_reference;
pub mod trace;
