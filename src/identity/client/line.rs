//! The way to one Hub.

use std::sync::Arc;

use crate::error::Error;
use crate::http::HubClient;
use crate::identity::failure::Failure;
use crate::identity::key::Key;
use crate::identity::shared::{Shared, SharedCache};

/// The way to one Hub, made ready while the environment may be read.
#[derive(Clone)]
pub struct Line {
    http: Result<HubClient, Error>,
    offline: bool,
    cache: Option<Arc<dyn SharedCache>>,
}

impl Line {
    pub(super) fn new(
        http: Result<HubClient, Error>,
        offline: bool,
        cache: Option<Arc<dyn SharedCache>>,
    ) -> Self {
        Self {
            http,
            offline,
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

    pub(super) fn http(&self) -> Result<HubClient, Failure> {
        if self.offline {
            return Err(Failure::Offline);
        }
        self.http.clone().map_err(Failure::Setup)
    }
}
