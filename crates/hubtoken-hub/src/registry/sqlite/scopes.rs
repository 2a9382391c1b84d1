//! Resolves the entities that a role refers to.

use super::Sqlite;
use crate::error::HubError;
use crate::names;
use crate::registry::scopes::check_permissions;
use crate::registry::{
    Entity, EntityType, FineGrained, GrantedRole, GrantedScope, NamespaceType, Repositories as _,
    RepositoryType, TokenRole, Users as _,
};

impl Sqlite {
    /// Replaces the entity names in a role by entity ids.
    pub(super) async fn resolve_role(&self, role: TokenRole) -> Result<GrantedRole, HubError> {
        let TokenRole::FineGrained {
            scopes,
            global,
            can_read_gated_repos,
        } = role
        else {
            return Ok(if role == TokenRole::Read {
                GrantedRole::Read
            } else {
                GrantedRole::Write
            });
        };
        check_permissions(&global)?;
        let mut scoped: Vec<GrantedScope> = Vec::new();
        for scope in scopes {
            check_permissions(&scope.permissions)?;
            let entity = self.entity(&scope.entity).await?;
            // Two scopes on the same entity are merged, as in the Hub's form.
            if let Some(same) = scoped.iter_mut().find(|each| each.entity.id == entity.id) {
                same.permissions.extend(scope.permissions);
                same.permissions.sort();
                same.permissions.dedup();
            } else {
                scoped.push(GrantedScope {
                    entity,
                    permissions: scope.permissions,
                });
            }
        }
        Ok(GrantedRole::FineGrained(FineGrained {
            can_read_gated_repos,
            global,
            scoped,
        }))
    }

    async fn entity(&self, path: &str) -> Result<Entity, HubError> {
        if !path.contains('/') {
            let namespace = self.namespace(path).await?;
            let kind = match namespace.kind {
                NamespaceType::User => EntityType::User,
                NamespaceType::Organization => EntityType::Org,
            };
            return Ok(Entity {
                id: namespace.id,
                kind,
                name: namespace.name,
            });
        }
        let (kind, id, type_of_entity) = if let Some(id) = path.strip_prefix("datasets/") {
            (RepositoryType::Dataset, id, EntityType::Dataset)
        } else if let Some(id) = path.strip_prefix("spaces/") {
            (RepositoryType::Space, id, EntityType::Space)
        } else {
            (RepositoryType::Model, path, EntityType::Model)
        };
        let (namespace, name) = names::split_repository(id)?;
        let repository = self.repository(kind, namespace, name).await?;
        Ok(Entity {
            name: repository.full_name(),
            id: repository.id,
            kind: type_of_entity,
        })
    }
}
