//! Speaks OAuth with a Hub: obtains tokens at its token endpoint, and renews them.
//!
//! A login by browser (RFC 8628), an exchange of id tokens (RFC 8693) and a renewal (RFC 6749,
//! section 6) end with the same request, which [`TokenEndpoint`] sends, and with the same answer,
//! which [`TokenResponse`] parses. Everything in an answer is untrusted, and most of it is secret.

mod claims;
mod device_authorization;
mod device_poll;
mod exchange;
mod exchanges;
#[cfg(test)]
pub(crate) mod fake_hub;
mod field;
mod id_token;
mod renewer;
mod resource;
mod token_endpoint;
mod token_failure;
mod token_response;

pub use claims::Claims;
pub use device_authorization::DeviceAuthorization;
pub use device_poll::{Pace, SystemPace, poll};
pub use exchange::{Exchange, Exchanger};
pub use exchanges::{Exchanged, Exchanges};
pub use id_token::{GitHubRequest, IdToken, IdTokenSource, IdTokenSourceId};
pub use renewer::{Current, RenewalSettings, Renewer};
pub use resource::{Resource, ResourceType};
pub use token_endpoint::{Encoding, TOKEN_TIMEOUT, TokenEndpoint, client_id};
pub use token_failure::TokenFailure;
pub use token_response::TokenResponse;
