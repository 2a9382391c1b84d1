//! Hugging Face Hub user access tokens: find, know, keep, and renew them.
//!
//! A token takes one path: [`resolve`] finds it and knows nothing of the network, [`identity`] asks
//! the Hub whose it is and knows nothing of roles, [`authorization`] decides and knows nothing of
//! either. [`require`] puts the three together. Python, the command, and the embedded Hub are
//! packages of their own that use this one.

pub mod authorization;
pub mod credential;
pub mod edits;
pub mod endpoint;
pub mod env;
pub mod error;
pub mod file;
pub mod folder;
pub mod git;
pub mod hexadecimal;
pub mod http;
pub mod identity;
pub mod interrupt;
pub mod known_end;
pub mod live;
pub mod login;
pub mod paths;
pub mod printable;
pub mod process;
pub mod recipient;
pub mod repository;
pub mod require;
pub mod resolve;
pub mod role;
pub mod similar_repositories;
pub mod single_flight;
pub mod source;
pub mod store;
pub mod strict_url;
pub mod sync;
pub mod token;
pub mod token_reference;
pub mod trace;
