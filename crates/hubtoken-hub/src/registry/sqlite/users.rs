//! Users, and the names that they share with organizations.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CacheEffect, Sqlite, is_taken};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AuditAction, AuditContext, Namespace, NamespaceType, NewUser, Subject, User, Users,
};
use crate::{names, secret};

#[async_trait]
impl Users for Sqlite {
    async fn create_user(&self, new: NewUser, context: &AuditContext) -> Result<User, HubError> {
        names::check_namespace("a user", &new.name)?;
        names::check_text("a full name", &new.fullname)?;
        if let Some(email) = &new.email {
            names::check_text("an e-mail address", email)?;
        }
        let id = secret::object_id()?;
        let mut transaction = self.begin_write().await?;
        sqlx::query(
            "INSERT INTO namespaces (id, kind, name, name_key, fullname, email, password_hash, created_at)
             VALUES (?, 'user', ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(&new.name)
        .bind(names::key(&new.name))
        .bind(&new.fullname)
        .bind(&new.email)
        .bind(&new.password_hash)
        .bind(to_milliseconds(context.at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.name_taken_or(&error, &new.name))?;
        let subject = Subject::user(&new.name);
        self.record_audit(&mut transaction, AuditAction::UserCreate, subject, context)
            .await?;
        self.commit(transaction, CacheEffect::None).await?;
        let created_at = from_milliseconds(to_milliseconds(context.at));
        Ok(User {
            id,
            name: new.name,
            fullname: new.fullname,
            email: new.email,
            created_at,
        })
    }

    async fn user(&self, name: &str) -> Result<User, HubError> {
        sqlx::query(
            "SELECT id, name, fullname, email, created_at FROM namespaces WHERE name_key = ? AND kind = 'user'",
        )
        .bind(names::key(name))
        .fetch_optional(&self.pool)
        .await
        .and_then(|row| row.as_ref().map(user).transpose())
        .map_err(|error| self.database_error(&error))?
        .ok_or_else(|| HubError::UnknownUser { name: name.to_owned() })
    }

    async fn users(&self) -> Result<Vec<User>, HubError> {
        sqlx::query("SELECT id, name, fullname, email, created_at FROM namespaces WHERE kind = 'user' ORDER BY name_key")
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(user).collect())
            .map_err(|error| self.database_error(&error))
    }

    async fn namespace(&self, name: &str) -> Result<Namespace, HubError> {
        let row = sqlx::query("SELECT id, name, kind FROM namespaces WHERE name_key = ?")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?
            .ok_or_else(|| HubError::UnknownNamespace {
                name: name.to_owned(),
            })?;
        let read = || {
            Ok((
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get::<String, _>(2)?,
            ))
        };
        let (id, name, kind) = read().map_err(|error| self.database_error(&error))?;
        let kind = NamespaceType::parse(&kind).ok_or_else(|| self.unreadable("namespace"))?;
        Ok(Namespace { id, name, kind })
    }
}

impl Sqlite {
    /// Maps the error of an insert into the namespaces table.
    pub(super) fn name_taken_or(&self, error: &sqlx::Error, name: &str) -> HubError {
        if is_taken(error) {
            HubError::NameTaken {
                name: name.to_owned(),
            }
        } else {
            self.database_error(error)
        }
    }
}

pub(super) fn user(row: &SqliteRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        fullname: row.try_get("fullname")?,
        email: row.try_get("email")?,
        created_at: from_milliseconds(row.try_get("created_at")?),
    })
}
