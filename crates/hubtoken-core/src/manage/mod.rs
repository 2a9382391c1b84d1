//! Manages tokens at their Hub: what needs more than to find and to know one.
//!
//! Most of it changes the Hub, so an answer that is lost on its way is not the same as a refusal: the
//! error then says what may have happened, and where to look.

mod hub_api;
pub mod leaked_values;
mod name_lookup;
pub mod revoke;
mod service_account;
mod service_accounts;
mod token_change;

pub use service_account::{AccountToken, ServiceAccount};
pub use service_accounts::{IssuedToken, ServiceAccounts};
pub use token_change::TokenChange;
