//! Repository operations for the routes: git work that must not block the async threads, and the
//! few operations that change both the registry and git.
//!
//! A commit is not tied to the request that started it. If the client disconnects, the commit still
//! runs to completion, together with its cache invalidation.

use std::sync::Arc;

use time::OffsetDateTime;

use super::blocking::{attempt, blocking};
use super::error::HubError;
use super::names;
use super::registry::{Gate, Namespace, NewRepository, Origin, Repository, RepositoryType, User};
use super::repository::{Author, Content, GitFault, Store};
use super::secret;
use super::state::HubState;

impl HubState {
    /// Creates a repository: its folder before its row, so that a row always has a folder.
    pub(crate) async fn create_repository(
        &self,
        kind: RepositoryType,
        namespace: &Namespace,
        name: &str,
        creator: Option<&User>,
        (private, gated): (bool, Option<Gate>),
        origin: &Origin,
    ) -> Result<Repository, HubError> {
        names::check_repository(name)?;
        if let Some(existing) = self
            .registry
            .find_repository(kind, &namespace.name, name)
            .await?
        {
            return Err(HubError::RepositoryExists {
                kind,
                id: existing.full_name(),
            });
        }
        let now = origin.at;
        let id = secret::object_id()?;
        let author = author(creator.map_or(&namespace.name, |user| &user.name), now);
        self.on_store(&id, move |store, id| store.create(kind, id, &author))
            .await?;
        let creator_id = creator.map_or(namespace.id.as_str(), |user| user.id.as_str());
        let new = NewRepository {
            id: &id,
            kind,
            namespace,
            name,
            creator_id,
            private,
            gated,
        };
        match self.registry.create_repository(new, origin).await {
            Ok(repository) => {
                self.on_store(&id, move |store, id| store.settle(kind, id))
                    .await?;
                Ok(repository)
            }
            Err(error) => {
                self.on_store(&id, move |store, id| store.delete(kind, id))
                    .await?;
                Err(error)
            }
        }
    }

    /// Deletes a repository: its row first, so that no request finds it half deleted.
    pub(crate) async fn delete_repository(
        &self,
        repository: &Repository,
        origin: &Origin,
    ) -> Result<(), HubError> {
        let kind = repository.kind;
        self.on_store(&repository.id, move |store, id| store.unsettle(kind, id))
            .await?;
        self.registry
            .delete_repository(&repository.id, origin)
            .await?;
        self.on_store(&repository.id, move |store, id| store.delete(kind, id))
            .await
    }

    /// Runs git work on a repository's content.
    pub(crate) async fn on_content<T: Send + 'static>(
        &self,
        repository: &Repository,
        work: impl FnOnce(&Content) -> Result<T, GitFault> + Send + 'static,
    ) -> Result<T, GitFault> {
        let store = Arc::clone(&self.store);
        let repository = repository.clone();
        attempt(move || work(&store.open(&repository)?))
            .await
            .map_err(|fault| fault.for_want_of_room(&self.folder, 0))
    }

    async fn on_store(
        &self,
        id: &str,
        work: impl FnOnce(&Store, &str) -> Result<(), GitFault> + Send + 'static,
    ) -> Result<(), HubError> {
        let store = Arc::clone(&self.store);
        let id = id.to_owned();
        blocking(move || work(&store, &id)).await?.map_err(|fault| {
            match fault.for_want_of_room(&self.folder, 0) {
                GitFault::DiskFull => HubError::DiskFull {
                    path: self.folder.clone(),
                },
                fault => HubError::Repository {
                    detail: fault.to_string(),
                },
            }
        })
    }
}

/// A user as the author of a commit; for commits that no particular user made, the repository's
/// owner. The e-mail addresses are placeholders, so that no real address ends up in a history that
/// others can read.
pub(crate) fn author(name: &str, when: OffsetDateTime) -> Author {
    Author {
        name: name.to_owned(),
        email: format!("{name}@users.noreply.localhost"),
        when,
    }
}
