//! Obtains a token by OIDC exchange, if `HF_OIDC_RESOURCE` asks for one.
//!
//! Whoever sets that variable wants that token and no other, so a failure stops the chain: nothing
//! falls back to a token that may be another account's. An exchange sends requests, so it is made for
//! the token alone, and not to explain or to list which token is in use.

use super::ChainRun;
use crate::env;
use crate::error::Error;
use crate::oauth::{Exchange, Exchanged, Resource};
use crate::source::{OIDC, Placement, Source};
use crate::token::Token;
use crate::trace::SourceStatus;

impl ChainRun<'_> {
    /// Exchanges an id token for a token.
    pub(in crate::resolve) fn ask_oidc(&mut self) -> Result<(), Error> {
        let Some(oidc) = &self.inputs.oidc else {
            let detail = format!("{} is not set", env::HF_OIDC_RESOURCE);
            self.trace.note(OIDC, SourceStatus::Absent, detail);
            return Ok(());
        };
        // Also if the variable has an unusable value.
        if self.is_shadowed(&Source::Oidc(String::new()), "not exchanged") {
            return Ok(());
        }
        let resource = oidc.resource.clone()?;
        let endpoint = self.inputs.endpoint.clone()?;
        if let Some(asked) = self.requested_endpoint.filter(|asked| **asked != endpoint) {
            return Err(Error::UntrustedEndpoint(format!(
                "the OIDC exchange for `{resource}` is with {endpoint}, and a token was requested \
                 for {asked}. Set HF_ENDPOINT to that Hub, or hand over its own token"
            )));
        }
        self.inputs.plain_http.check(&endpoint)?;
        if self.has_inherited_exchange(&resource) {
            return self.ask_variable(env::HF_TOKEN, self.inputs.tokens[0].as_ref());
        }
        let source = Source::Oidc(resource.to_string());
        if !self.asks_slow_sources && oidc.id_tokens.is_err() {
            // The source is told alone, and not what is wrong with it.
            self.unasked = Some(source);
            return Ok(());
        }
        let exchange = Exchange {
            resource,
            id_tokens: oidc.id_tokens.clone()?,
            endpoint,
        };
        let exchanged = match self.resolver.exchanges.cached(&exchange) {
            Some(cached) => cached,
            None if self.exhaustive || !self.asks_slow_sources => {
                let detail = format!(
                    "an id token from {} will be exchanged for a token that {}",
                    exchange.id_tokens.describe(),
                    exchange.resource.describe_right()
                );
                self.trace.note(OIDC, SourceStatus::Found, detail);
                self.unasked = Some(source);
                return Ok(());
            }
            None => self.exchange(&exchange)?,
        };
        self.trace.warnings.extend(exchanged.warning);
        self.accept_credential(exchanged.credential)
    }

    fn exchange(&self, exchange: &Exchange) -> Result<Exchanged, Error> {
        let host = self.inputs.slow_sources.host;
        let Some(exchanger) = host.exchanger(&exchange.endpoint) else {
            return Err(Error::Configuration(format!(
                "{} asks for an OIDC exchange, and this program sends no requests. Start it with \
                 `hubtoken run`, which hands over an exchanged token",
                env::HF_OIDC_RESOURCE
            )));
        };
        let cache = &self.resolver.exchanges;
        cache.get(exchange, None, &exchanger, host.interrupt())
    }

    /// Whether `HF_TOKEN` has the token of an exchange for this resource, handed over by a parent
    /// process, which does not end soon.
    fn has_inherited_exchange(&self, resource: &Resource) -> bool {
        let value = self.inputs.tokens[0]
            .as_ref()
            .and_then(|value| value.to_str());
        let token = value.and_then(|value| Token::parse_ambient(value).ok().flatten());
        let placed = token.and_then(|token| self.inputs.placed(env::HF_TOKEN, &token));
        placed.is_some_and(|placed| {
            let is_handed_over = matches!(
                placed.source,
                Source::Placed {
                    by: Placement::Run | Placement::Environ,
                    ..
                }
            );
            is_handed_over
                && placed.source.resource() == Some(resource.to_string().as_str())
                && !self.resolver.exchanges.ends_soon(placed.expires_at)
        })
    }
}
