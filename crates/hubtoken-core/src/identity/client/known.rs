//! What this machine knows about a token, without a request.

use std::sync::Arc;

use super::Client;
use super::whoami::FreshnessWindow;
use crate::endpoint::Endpoint;
use crate::expiry::Expiry;
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::SharedEntry;
use crate::identity::model::Identity;
use crate::identity::settings::Settings;
use crate::identity::{MAXIMUM_STALE, Options};
use crate::token::Digest;

impl Client {
    /// The identity that this process or another one of this machine learned within the last 24
    /// hours, for display. It decides nothing, so it may be older than one that is trusted.
    #[must_use]
    pub fn known(
        &self,
        digest: Digest,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Option<Arc<Identity>> {
        let key = Key {
            digest,
            endpoint: endpoint.clone(),
        };
        let options = Options {
            max_age: Some(MAXIMUM_STALE),
            ..Options::default()
        };
        let window = FreshnessWindow::new(self.clock.now(), &options, Expiry::UNKNOWN);
        let answer = self.cached_within(&key, &window).or_else(|| {
            let cache = self.shared_caches.of(settings)?;
            let shared = SharedEntry::new(cache, &digest, endpoint);
            self.read_shared(&key, &shared, &window)
        })?;
        answer.ok().map(|(_, identity)| identity)
    }
}
