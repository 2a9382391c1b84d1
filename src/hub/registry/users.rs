//! Users, and the names that they share with organizations.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{Registry, is_taken};
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::{names, secret};

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The name in URLs.
    pub name: String,
    /// The name for people.
    pub fullname: String,
    /// The e-mail address, if one was given.
    pub email: Option<String>,
    /// When the account was created.
    pub created_at: OffsetDateTime,
}

/// What a namespace belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamespaceType {
    User,
    Organization,
}

/// The first part of a repository's id: a user or an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub id: String,
    pub name: String,
    pub kind: NamespaceType,
}

/// What is needed to create a user; the password is hashed already.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    pub name: String,
    pub fullname: String,
    pub email: Option<String>,
    pub password_hash: Option<String>,
}

impl NamespaceType {
    pub(super) fn parse(kind: &str) -> Option<Self> {
        match kind {
            "user" => Some(Self::User),
            "org" => Some(Self::Organization),
            _ => None,
        }
    }
}

impl Registry {
    pub(crate) async fn create_user(
        &self,
        new: NewUser,
        now: OffsetDateTime,
    ) -> Result<User, HubError> {
        names::check_namespace("a user", &new.name)?;
        names::check_text("a full name", &new.fullname)?;
        if let Some(email) = &new.email {
            names::check_text("an e-mail address", email)?;
        }
        let id = secret::object_id()?;
        let mut transaction = self.write().await?;
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
        .bind(to_milliseconds(now))
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.taken(&error, &new.name))?;
        self.commit(transaction).await?;
        let created_at = from_milliseconds(to_milliseconds(now));
        Ok(User {
            id,
            name: new.name,
            fullname: new.fullname,
            email: new.email,
            created_at,
        })
    }

    pub(crate) async fn user(&self, name: &str) -> Result<User, HubError> {
        sqlx::query(
            "SELECT id, name, fullname, email, created_at FROM namespaces WHERE name_key = ? AND kind = 'user'",
        )
        .bind(names::key(name))
        .fetch_optional(&self.pool)
        .await
        .and_then(|row| row.as_ref().map(user).transpose())
        .map_err(|error| self.fault(&error))?
        .ok_or_else(|| HubError::UnknownUser { name: name.to_owned() })
    }

    pub(crate) async fn users(&self) -> Result<Vec<User>, HubError> {
        sqlx::query("SELECT id, name, fullname, email, created_at FROM namespaces WHERE kind = 'user' ORDER BY name_key")
            .fetch_all(&self.pool)
            .await
            .and_then(|rows| rows.iter().map(user).collect())
            .map_err(|error| self.fault(&error))
    }

    pub(crate) async fn namespace(&self, name: &str) -> Result<Namespace, HubError> {
        let row = sqlx::query("SELECT id, name, kind FROM namespaces WHERE name_key = ?")
            .bind(names::key(name))
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?
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
        let (id, name, kind) = read().map_err(|error| self.fault(&error))?;
        let kind = NamespaceType::parse(&kind).ok_or_else(|| self.unreadable("namespace"))?;
        Ok(Namespace { id, name, kind })
    }

    /// The error of an insert into the names.
    pub(super) fn taken(&self, error: &sqlx::Error, name: &str) -> HubError {
        if is_taken(error) {
            HubError::NameTaken {
                name: name.to_owned(),
            }
        } else {
            self.fault(error)
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
