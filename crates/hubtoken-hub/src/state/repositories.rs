//! Repository operations for the routes: git work that must not block the async threads, and the
//! few operations that change both the registry and git.
//!
//! A commit is not tied to the request that started it. If the client disconnects, the commit still
//! runs to completion, together with its cache invalidation.

use std::sync::Arc;

use time::OffsetDateTime;

use super::HubState;
use crate::blocking::{run_blocking, spawn_io};
use crate::error::HubError;
use crate::names;
use crate::registry::{
    AuditContext, Gate, Namespace, NewRepository, Repository, RepositoryType, TokenOwner,
};
use crate::repository::{Author, OpenRepository, RepositoryError, Store};
use crate::secret;

impl HubState {
    /// Creates a repository: its folder before its row, so that a row always has a folder.
    pub(crate) async fn create_repository(
        &self,
        kind: RepositoryType,
        namespace: &Namespace,
        name: &str,
        creator: Option<&TokenOwner>,
        (private, gated): (bool, Option<Gate>),
        context: &AuditContext,
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
        let now = context.at;
        let id = secret::object_id()?;
        let author = author(
            creator.map_or(namespace.name.as_str(), TokenOwner::name),
            now,
        );
        self.with_store(&id, move |store, id| store.create(kind, id, &author))
            .await?;
        let creator_id = creator.map_or(namespace.id.as_str(), TokenOwner::id);
        let new = NewRepository {
            id: &id,
            kind,
            namespace,
            name,
            creator_id,
            private,
            gated,
        };
        match self.registry.create_repository(new, context).await {
            Ok(repository) => {
                self.with_store(&id, move |store, id| store.mark_complete(kind, id))
                    .await?;
                Ok(repository)
            }
            Err(error) => {
                self.with_store(&id, move |store, id| store.delete(kind, id))
                    .await?;
                Err(error)
            }
        }
    }

    /// Deletes a repository: its row first, so that no request finds it half deleted.
    pub(crate) async fn delete_repository(
        &self,
        repository: &Repository,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let kind = repository.kind;
        self.with_store(&repository.id, move |store, id| {
            store.mark_deleting(kind, id)
        })
        .await?;
        self.registry
            .delete_repository(&repository.id, context)
            .await?;
        self.with_store(&repository.id, move |store, id| store.delete(kind, id))
            .await
    }

    /// Runs git work on a repository's content.
    pub(crate) async fn with_repository<T: Send + 'static>(
        &self,
        repository: &Repository,
        work: impl FnOnce(&OpenRepository) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let store = Arc::clone(&self.store);
        let repository = repository.clone();
        spawn_io(move || work(&store.open(&repository)?))
            .await
            .map_err(|error| error.map_disk_full(&self.folder, 0))
    }

    async fn with_store(
        &self,
        id: &str,
        work: impl FnOnce(&Store, &str) -> Result<(), RepositoryError> + Send + 'static,
    ) -> Result<(), HubError> {
        let store = Arc::clone(&self.store);
        let id = id.to_owned();
        run_blocking(move || work(&store, &id))
            .await?
            .map_err(|error| match error.map_disk_full(&self.folder, 0) {
                RepositoryError::DiskFull => HubError::DiskFull {
                    path: self.folder.clone(),
                },
                error => HubError::Repository {
                    detail: error.to_string(),
                },
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
