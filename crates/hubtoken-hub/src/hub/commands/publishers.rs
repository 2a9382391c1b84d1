//! Operations on trusted publishers.

use crate::error::HubError;
use crate::hub::Hub;
use crate::registry::{Publisher, PublisherTrust};

impl Hub {
    /// Lets jobs of a CI provider exchange their id tokens. With a repository as `resource`
    /// (`namespace/name`, prefixed with `datasets/` or `spaces/` where applicable), the resulting
    /// token writes to it alone, in the name of `user`: by default the one whose namespace it is.
    /// With a user's name, it reads what that user may read through a gate.
    pub fn create_publisher(
        &self,
        resource: &str,
        user: Option<&str>,
        trust: PublisherTrust,
    ) -> Result<Publisher, HubError> {
        let (resource, user) = (resource.to_owned(), user.map(ToOwned::to_owned));
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state
                .create_publisher(&resource, user.as_deref(), trust, &context)
                .await
        })
    }

    /// The publishers of a repository or of a user, or all of them.
    pub fn list_publishers(&self, resource: Option<&str>) -> Result<Vec<Publisher>, HubError> {
        let resource = resource.map(ToOwned::to_owned);
        self.block_on(|state| async move { state.list_publishers(resource.as_deref()).await })
    }

    /// Deletes a publisher. The tokens that were issued for it stop working at once.
    pub fn delete_publisher(&self, id: &str) -> Result<(), HubError> {
        let id = id.to_owned();
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state.registry.delete_publisher(&id, &context).await
        })
    }
}
