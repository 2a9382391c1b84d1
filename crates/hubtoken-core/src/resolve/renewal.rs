//! Renews the token of an OIDC exchange in the hands of its holder.
//!
//! A server or a training script resolves its token once and uses it for hours. The token of an
//! exchange ends within one, so what the holder gets at each use is the current one: the same, until
//! it ends soon, and then that of another exchange for the same resource. That may be asked for while
//! `HF_OIDC_RESOURCE` is set aside, so the resource is the token's own.

use std::sync::Arc;

use super::Resolver;
use super::host::Host;
use crate::credential::Credential;
use crate::error::Error;
use crate::oauth::{Exchange, Exchanged, IdTokenSource, Resource};

impl Resolver {
    /// Whether a token is used as it is. True for every token that is not of an exchange.
    #[must_use]
    pub fn is_current(&self, credential: &Arc<Credential>) -> bool {
        credential.source.resource().is_none() || self.exchanges.is_fresh(credential)
    }

    /// The current token of the exchange that a token came from.
    ///
    /// `id_tokens` is what the environment has now.
    ///
    /// # Errors
    ///
    /// Why there is no other, if this one has ended.
    pub fn renew(
        &self,
        credential: &Arc<Credential>,
        id_tokens: Result<IdTokenSource, Error>,
        host: &dyn Host,
    ) -> Result<Exchanged, Error> {
        let same = || Exchanged {
            credential: Arc::clone(credential),
            warning: None,
        };
        let has_ended = credential.expires_at.has_passed();
        let resource = credential.source.resource();
        let resource = resource.and_then(|text| Resource::parse(text).ok());
        let (Some(resource), Some(exchanger)) = (resource, host.exchanger(&credential.endpoint))
        else {
            return Ok(same());
        };
        let id_tokens = match id_tokens {
            // A given one may be good for one exchange only.
            Ok(id_tokens) if has_ended || id_tokens.is_repeatable() => id_tokens,
            Err(error) if has_ended => return Err(error),
            _ => return Ok(same()),
        };
        let exchange = Exchange {
            resource,
            id_tokens,
            endpoint: credential.endpoint.clone(),
        };
        let previous = Some(credential);
        self.exchanges
            .get(&exchange, previous, &exchanger, host.interrupt())
    }
}
