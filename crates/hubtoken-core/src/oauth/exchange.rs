//! Exchanges the id token of a CI job for a token of the Hub (RFC 8693), as `huggingface_hub` does.
//!
//! The Hub issues a token if the resource trusts the job: if one of its trusted publishers has the
//! issuer and the claims of the id token. It does not say which claim did not match, so a refusal
//! comes with what can be seen here: another audience, an id token that has ended.

use super::claims::Claims;
use super::id_token::IdTokenSource;
use super::resource::Resource;
use super::{Encoding, TokenEndpoint, TokenResponse};
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::interrupt::NeverInterrupted;

/// The kind of the request (RFC 8693, section 2.1).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The kind of what is exchanged (RFC 8693, section 3).
const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What is exchanged for what, and where.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the token is for.
    pub resource: Resource,
    /// Where the id token comes from.
    pub id_tokens: IdTokenSource,
    /// The Hub.
    pub endpoint: Endpoint,
}

/// Carries out exchanges. A program that sends no requests has none.
pub trait Exchanger: Send + Sync {
    /// Obtains an id token, and exchanges it. Blocks until the Hub has answered.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] with the Hub's code if it refuses; [`Error::Unknown`] if there is no answer.
    fn exchange(&self, exchange: &Exchange) -> Result<TokenResponse, Error>;
}

impl Exchanger for TokenEndpoint {
    fn exchange(&self, exchange: &Exchange) -> Result<TokenResponse, Error> {
        let hub = self.at(exchange.endpoint.clone());
        let id_token = exchange.id_tokens.fetch(&hub, &NeverInterrupted)?;
        let resource = exchange.resource.to_string();
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("subject_token_type", ID_TOKEN_TYPE),
            ("subject_token", id_token.expose()),
            ("resource", &resource),
        ];
        hub.request(Encoding::Json, &fields, &NeverInterrupted)
            .map_err(|failure| {
                let advice = exchange.advice(id_token.claims().as_ref());
                failure.into_error(&exchange.describe(), &advice)
            })
    }
}

impl Exchange {
    /// "the exchange of an id token for `acme/model` at <https://huggingface.co>".
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "the exchange of an id token from {} for a token of `{}` at {}",
            self.id_tokens.describe(),
            self.resource,
            self.endpoint
        )
    }

    /// What to do about a refusal.
    fn advice(&self, claims: Option<&Claims>) -> String {
        let Self {
            resource, endpoint, ..
        } = self;
        if let Some(claims) = claims {
            if !claims.is_for(endpoint.as_str()) {
                let audience = claims.get("aud").unwrap_or("missing");
                return format!(
                    "The audience of the id token (aud) is {audience}, and must be {endpoint}"
                );
            }
            if let (false, Some(end)) = (self.id_tokens.is_repeatable(), claims.expires_at())
                && Expiry::at_unix_seconds(end).has_passed()
            {
                return format!(
                    "The id token has expired: set {} to a new one, shortly before it is needed",
                    env::HF_OIDC_ID_TOKEN
                );
            }
        }
        let again = if self.id_tokens.is_repeatable() {
            ""
        } else {
            ". A Hub may take an id token once: make one exchange in a job, with `hubtoken run`"
        };
        format!(
            "Check that {} exists and trusts this job ({}); `hubtoken oidc` shows the claims that \
             its trusted publisher must match{again}",
            resource,
            resource.settings_url(endpoint)
        )
    }
}

#[cfg(test)]
mod tests;
