//! The table of trusted publishers, and the id tokens that were exchanged.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CacheEffect, Sqlite, WriteTransaction, is_taken};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AuditAction, AuditContext, NewPublisher, Publisher, PublisherTarget, Publishers, Repository,
    RepositoryType, Resource, Subject, UsedIdToken,
};
use crate::secret;

const SELECT: &str =
    "SELECT publishers.*, users.name AS user, repositories.kind AS repository_kind,
        repositories.name AS repository_name, owners.name AS namespace
    FROM publishers
    JOIN namespaces AS users ON users.id = publishers.user_id
    LEFT JOIN repositories ON repositories.id = publishers.repository_id
    LEFT JOIN namespaces AS owners ON owners.id = repositories.namespace_id";
const ORDER: &str = " ORDER BY publishers.created_at, publishers.id";

#[async_trait]
impl Publishers for Sqlite {
    async fn create_publisher(
        &self,
        new: NewPublisher<'_>,
        context: &AuditContext,
    ) -> Result<Publisher, HubError> {
        new.trust.check()?;
        let id = secret::object_id()?;
        let claims =
            serde_json::to_string(&new.trust.claims).map_err(|error| HubError::InvalidOption {
                what: "the claims".to_owned(),
                reason: error.to_string(),
            })?;
        let repository = match new.target {
            PublisherTarget::Repository(repository) => Some(repository),
            PublisherTarget::User => None,
        };
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO publishers (id, repository_id, user_id, issuer, claims, keys, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(repository.map(|repository| &repository.id))
        .bind(&new.user.id)
        .bind(&new.trust.issuer)
        .bind(claims)
        .bind(&new.trust.keys)
        .bind(to_milliseconds(context.at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let publisher = Publisher {
            id,
            resource: repository.map_or_else(|| new.user.name.clone(), Repository::page),
            user: new.user.name.clone(),
            issuer: new.trust.issuer,
            claims: new.trust.claims,
            keys: new.trust.keys,
            created_at: from_milliseconds(to_milliseconds(context.at)),
            last_used_at: None,
        };
        let action = AuditAction::PublisherAdd;
        self.record_audit(&mut transaction, action, subject_of(&publisher), context)
            .await?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(publisher)
    }

    async fn publishers(&self) -> Result<Vec<Publisher>, HubError> {
        self.list_publishers("", "").await
    }

    async fn publishers_of_repository(
        &self,
        repository_id: &str,
    ) -> Result<Vec<Publisher>, HubError> {
        self.list_publishers(" WHERE publishers.repository_id = ?", repository_id)
            .await
    }

    async fn publishers_of_user(&self, user_id: &str) -> Result<Vec<Publisher>, HubError> {
        let condition = " WHERE publishers.repository_id IS NULL AND publishers.user_id = ?";
        self.list_publishers(condition, user_id).await
    }

    async fn delete_publisher(&self, id: &str, context: &AuditContext) -> Result<(), HubError> {
        let mut transaction = self.begin_write().await?;
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
        query.push(" WHERE publishers.id = ?");
        let row = query
            .build()
            .bind(id)
            .fetch_optional(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let Some(row) = row else {
            return Err(HubError::UnknownPublisher {
                id: super::tokens::redacted(id),
            });
        };
        let publisher = self.publisher(&row)?;
        // The tokens that were issued for it go with it.
        sqlx::query("DELETE FROM publishers WHERE id = ?")
            .bind(id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let action = AuditAction::PublisherRemove;
        self.record_audit(&mut transaction, action, subject_of(&publisher), context)
            .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }
}

impl Sqlite {
    async fn list_publishers(
        &self,
        condition: &'static str,
        id: &str,
    ) -> Result<Vec<Publisher>, HubError> {
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT);
        query.push(condition).push(ORDER);
        let query = query.build();
        let query = if condition.is_empty() {
            query
        } else {
            query.bind(id)
        };
        let rows = query
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter().map(|row| self.publisher(row)).collect()
    }

    /// Marks an id token as exchanged, for a token of this Hub that is inserted in the same
    /// transaction.
    pub(super) async fn use_id_token(
        &self,
        transaction: &mut WriteTransaction,
        token_id: &str,
        used: &UsedIdToken<'_>,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        sqlx::query("INSERT INTO used_id_tokens (digest, expires_at) VALUES (?, ?)")
            .bind(used.digest.as_slice())
            .bind(to_milliseconds(used.expires_at))
            .execute(transaction.connection())
            .await
            .map_err(|error| {
                if is_taken(&error) {
                    HubError::UsedIdToken
                } else {
                    self.database_error(&error)
                }
            })?;
        let updated = sqlx::query("UPDATE publishers SET last_used_at = ? WHERE id = ?")
            .bind(to_milliseconds(context.at))
            .bind(used.publisher_id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        // It may have been deleted since the id token was compared with it.
        if updated.rows_affected() == 0 {
            return Err(HubError::UnknownPublisher {
                id: used.publisher_id.to_owned(),
            });
        }
        sqlx::query("UPDATE tokens SET publisher_id = ? WHERE id = ?")
            .bind(used.publisher_id)
            .bind(token_id)
            .execute(transaction.connection())
            .await
            .map(|_| ())
            .map_err(|error| self.database_error(&error))
    }

    fn publisher(&self, row: &SqliteRow) -> Result<Publisher, HubError> {
        let map_error = |error: sqlx::Error| self.database_error(&error);
        let user: String = row.try_get("user").map_err(map_error)?;
        let kind: Option<String> = row.try_get("repository_kind").map_err(map_error)?;
        let resource = match kind {
            None => user.clone(),
            Some(kind) => {
                let kind = RepositoryType::parse(&kind)
                    .ok_or_else(|| self.unreadable("repository type"))?;
                let namespace: String = row.try_get("namespace").map_err(map_error)?;
                let name: String = row.try_get("repository_name").map_err(map_error)?;
                format!("{}{namespace}/{name}", kind.prefix())
            }
        };
        let claims: String = row.try_get("claims").map_err(map_error)?;
        let claims: BTreeMap<String, String> =
            serde_json::from_str(&claims).map_err(|_| self.unreadable("publisher"))?;
        let last_used_at: Option<i64> = row.try_get("last_used_at").map_err(map_error)?;
        Ok(Publisher {
            id: row.try_get("id").map_err(map_error)?,
            resource,
            user,
            issuer: row.try_get("issuer").map_err(map_error)?,
            claims,
            keys: row.try_get("keys").map_err(map_error)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(map_error)?),
            last_used_at: last_used_at.map(from_milliseconds),
        })
    }
}

/// The audit subject: the repository and the user in whose name the publisher acts, with what it
/// trusts.
fn subject_of(publisher: &Publisher) -> Subject {
    let claims: Vec<String> = publisher
        .claims
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let keys = if publisher.keys.is_some() {
        " (with its own keys)"
    } else {
        ""
    };
    let subject = Subject::user(&publisher.user).with_detail(format!(
        "{}{keys} {}",
        publisher.issuer,
        claims.join(" ")
    ));
    match Resource::parse(&publisher.resource) {
        Ok(Resource::Repository(_, namespace, _)) => Subject {
            repository: Some(publisher.resource.clone()),
            ..subject
        }
        .in_organization(namespace),
        _ => subject,
    }
}
