//! Operations on repositories, and on the users granted access to gated ones.

use crate::error::HubError;
use crate::hub::Hub;
use crate::names;
use crate::registry::{Gate, GateChange, Repository, RepositoryChange, RepositoryType};
use crate::state::HubState;

impl Hub {
    /// Creates a repository; `id` is `namespace/name`. It belongs to the user, or to the
    /// organization as a whole.
    pub fn create_repository(
        &self,
        kind: RepositoryType,
        id: &str,
        private: bool,
        gated: Option<Gate>,
    ) -> Result<Repository, HubError> {
        let id = id.to_owned();
        self.block_on(move |state| async move {
            let (namespace, name) = names::split_repository(&id)?;
            let namespace = state.registry.namespace(namespace).await?;
            state
                .create_repository(
                    kind,
                    &namespace,
                    name,
                    None,
                    (private, gated),
                    &state.embedder_context(),
                )
                .await
        })
    }

    /// Deletes a repository with all its content.
    pub fn delete_repository(&self, kind: RepositoryType, id: &str) -> Result<(), HubError> {
        let id = id.to_owned();
        self.block_on(move |state| async move {
            let repository = find_repository(&state, kind, &id).await?;
            state
                .delete_repository(&repository, &state.embedder_context())
                .await
        })
    }

    /// Makes a repository private or public.
    pub fn set_private(
        &self,
        kind: RepositoryType,
        id: &str,
        private: bool,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                private: Some(private),
                ..RepositoryChange::default()
            },
        )
    }

    /// Gates a repository, or removes its gate.
    pub fn set_gated(
        &self,
        kind: RepositoryType,
        id: &str,
        gated: Option<Gate>,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                gated: GateChange::Set(gated),
                ..RepositoryChange::default()
            },
        )
    }

    /// Disables all access to a repository, or enables it again.
    pub fn set_disabled(
        &self,
        kind: RepositoryType,
        id: &str,
        disabled: bool,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                disabled: Some(disabled),
                ..RepositoryChange::default()
            },
        )
    }

    /// Grants a user access to a gated repository.
    pub fn grant_access(&self, kind: RepositoryType, id: &str, user: &str) -> Result<(), HubError> {
        self.set_access(kind, id, user, true)
    }

    /// Revokes a user's access to a gated repository.
    pub fn revoke_access(
        &self,
        kind: RepositoryType,
        id: &str,
        user: &str,
    ) -> Result<(), HubError> {
        self.set_access(kind, id, user, false)
    }

    fn set_access(
        &self,
        kind: RepositoryType,
        id: &str,
        user: &str,
        granted: bool,
    ) -> Result<(), HubError> {
        let (id, user) = (id.to_owned(), user.to_owned());
        self.block_on(move |state| async move {
            let (registry, context) = (&state.registry, state.embedder_context());
            let repository = find_repository(&state, kind, &id).await?;
            let user = registry.user(&user).await?;
            if granted {
                registry.grant(&repository.id, &user.id, &context).await
            } else {
                registry
                    .revoke_grant(&repository.id, &user.id, &context)
                    .await
            }
        })
    }

    fn change(
        &self,
        kind: RepositoryType,
        id: &str,
        change: RepositoryChange,
    ) -> Result<Repository, HubError> {
        let id = id.to_owned();
        self.block_on(move |state| async move {
            let repository = find_repository(&state, kind, &id).await?;
            state
                .registry
                .update_repository(&repository.id, change, &state.embedder_context())
                .await?;
            find_repository(&state, kind, &id).await
        })
    }
}

/// Looks a repository up by its id, which is `namespace/name`.
async fn find_repository(
    state: &HubState,
    kind: RepositoryType,
    id: &str,
) -> Result<Repository, HubError> {
    let (namespace, name) = names::split_repository(id)?;
    state.registry.repository(kind, namespace, name).await
}
