//! The way to one Hub.
//!
//! It is known before anybody is asked, and made when somebody is: certificates are read, and a
//! client is built, by the one process of many that asks, not by those that wait for what it learns.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::http::{HubClient, Settings, Transport, Way};
use crate::identity::failure::Failure;
use crate::identity::key::Key;
use crate::identity::shared::{Shared, SharedCache};

/// The way to one Hub, as it was when the environment could be read.
#[derive(Clone)]
pub struct Line {
    transport: Arc<Transport>,
    endpoint: Endpoint,
    settings: Settings,
    cache: Option<Arc<dyn SharedCache>>,
}

impl Line {
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

    /// The same way, with another place for what is shared.
    #[must_use]
    pub fn sharing(self, cache: Arc<dyn SharedCache>) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    pub(super) fn shared(&self, key: &Key) -> Option<Shared> {
        let cache = self.cache.clone()?;
        Some(Shared::new(cache, &key.digest, &key.endpoint))
    }

    /// What tells this way from others to the same Hub.
    pub(super) fn way(&self) -> Way {
        self.settings.way(&self.endpoint)
    }

    /// Whether requests are allowed at all.
    pub(super) fn check_open(&self) -> Result<(), Failure> {
        if self.settings.offline {
            return Err(Failure::Offline);
        }
        Ok(())
    }

    /// The client that takes this way. The first use builds it, which may read certificates.
    pub(super) fn http(&self) -> Result<HubClient, Failure> {
        self.check_open()?;
        self.transport
            .client(&self.endpoint, &self.settings)
            .map_err(Failure::Setup)
    }
}
