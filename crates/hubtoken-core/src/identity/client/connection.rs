//! The settings and the client for reaching one Hub.
//!
//! They are known before any request, but the client is built only for one: among many processes,
//! only the leader reads certificates and builds a client. The followers do neither.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::http::{HubClient, RouteId, Settings, Transport};
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::{SharedCache, SharedEntry};
use crate::identity::failure::Failure;

/// How to reach one Hub, from the environment as it was when it was read.
#[derive(Clone)]
pub struct HubConnection {
    transport: Arc<Transport>,
    endpoint: Endpoint,
    settings: Settings,
    cache: Option<Arc<dyn SharedCache>>,
}

impl HubConnection {
    pub(super) fn new(
        transport: Arc<Transport>,
        endpoint: Endpoint,
        settings: Settings,
        cache: Option<Arc<dyn SharedCache>>,
    ) -> Self {
        Self {
            transport,
            endpoint,
            settings,
            cache,
        }
    }

    /// The same connection with another shared cache.
    #[must_use]
    pub fn with_shared_cache(self, cache: Arc<dyn SharedCache>) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    pub(super) fn shared(&self, key: &Key) -> Option<SharedEntry> {
        let cache = self.cache.clone()?;
        Some(SharedEntry::new(cache, &key.digest, &key.endpoint))
    }

    /// Distinguishes this route from others to the same Hub.
    pub(super) fn route_id(&self) -> RouteId {
        self.settings.route_id(&self.endpoint)
    }

    /// Fails if requests are disabled.
    pub(super) fn check_open(&self) -> Result<(), Failure> {
        if self.settings.offline {
            return Err(Failure::Offline);
        }
        Ok(())
    }

    /// The client for this route. The first use builds it, which may read certificates.
    pub(super) fn http(&self) -> Result<HubClient, Failure> {
        self.check_open()?;
        self.transport
            .client(&self.endpoint, &self.settings)
            .map_err(Failure::Configuration)
    }
}
