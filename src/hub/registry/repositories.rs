//! Repositories: what the registry knows of them beside their content, which is git's.

use std::fmt;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{Namespace, Registry, is_taken};
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::names;

/// The three kinds of repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepositoryType {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
}

/// How access to a gated repository is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// To whoever asks.
    Auto,
    /// By the owner, one by one.
    Manual,
}

/// A repository as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// 24 hexadecimal digits; never used again, so that a right to a deleted repository does not pass on.
    pub id: String,
    /// Model, dataset or Space.
    pub kind: RepositoryType,
    /// The id of the owning user or organization.
    pub namespace_id: String,
    /// The name of the owning user or organization.
    pub namespace: String,
    /// The name, without the namespace.
    pub name: String,
    /// The id of the user who created it.
    pub creator_id: String,
    /// Whether only the owner and its members may see it.
    pub private: bool,
    /// Whether its content is for those only who were granted access.
    pub gated: Option<Gate>,
    /// Whether the Hub refuses all access to it.
    pub disabled: bool,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// What is needed to register a repository.
#[derive(Clone, Debug)]
pub(crate) struct NewRepository<'a> {
    pub id: &'a str,
    pub kind: RepositoryType,
    pub namespace: &'a Namespace,
    pub name: &'a str,
    pub creator_id: &'a str,
    pub private: bool,
    pub gated: Option<Gate>,
}

/// What to do with a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GateChange {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Set this one, or none.
    Set(Option<Gate>),
}

/// Settings to change; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RepositoryChange {
    pub private: Option<bool>,
    pub gated: GateChange,
    pub disabled: Option<bool>,
}

impl GateChange {
    /// From JSON: nothing, `"auto"`, `"manual"` or `false`. `None` for anything else.
    pub(crate) fn from_json(value: Option<&serde_json::Value>) -> Option<Self> {
        match value {
            None => Some(Self::Keep),
            Some(serde_json::Value::Bool(false)) => Some(Self::Set(None)),
            Some(serde_json::Value::String(gate)) => {
                Gate::parse(gate).map(|gate| Self::Set(Some(gate)))
            }
            Some(_) => None,
        }
    }

    /// The gate afterwards, where none was before.
    pub(crate) fn gate(self) -> Option<Gate> {
        match self {
            Self::Keep => None,
            Self::Set(gate) => gate,
        }
    }
}

impl RepositoryType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// `model`, `dataset` or `space`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// `models`, `datasets` or `spaces`: the word in the API's paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the id in every other URL: nothing for a model.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    /// Reads `model`, `dataset` or `space`.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == kind)
    }

    /// Reads `models`, `datasets` or `spaces`.
    #[must_use]
    pub fn parse_plural(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.plural() == kind)
    }
}

impl fmt::Display for RepositoryType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Gate {
    /// `auto` or `manual`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }

    /// Reads `auto` or `manual`.
    #[must_use]
    pub fn parse(gate: &str) -> Option<Self> {
        [Self::Auto, Self::Manual]
            .into_iter()
            .find(|each| each.as_str() == gate)
    }
}

impl Repository {
    /// `namespace/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The path of its page: `namespace/name`, with `datasets/` or `spaces/` before it.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}{}/{}", self.kind.prefix(), self.namespace, self.name)
    }
}

const SELECT: &str = "SELECT repositories.*, namespaces.name AS namespace FROM repositories
    JOIN namespaces ON namespaces.id = repositories.namespace_id";

impl Registry {
    pub(crate) async fn create_repository(
        &self,
        new: NewRepository<'_>,
        now: OffsetDateTime,
    ) -> Result<Repository, HubError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO repositories
                (id, kind, namespace_id, name, name_key, creator_id, private, gated, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.id)
        .bind(new.kind.as_str())
        .bind(&new.namespace.id)
        .bind(new.name)
        .bind(names::key(new.name))
        .bind(new.creator_id)
        .bind(new.private)
        .bind(new.gated.map(Gate::as_str))
        .bind(to_milliseconds(now))
        .execute(&mut *transaction)
        .await
        .map_err(|error| {
            if is_taken(&error) {
                HubError::RepositoryExists {
                    kind: new.kind,
                    id: format!("{}/{}", new.namespace.name, new.name),
                }
            } else {
                self.fault(&error)
            }
        })?;
        self.commit(transaction).await?;
        self.repository(new.kind, &new.namespace.name, new.name)
            .await
    }

    pub(crate) async fn find_repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Repository>, HubError> {
        let row = sqlx::query(
            "SELECT repositories.*, namespaces.name AS namespace FROM repositories
             JOIN namespaces ON namespaces.id = repositories.namespace_id
             WHERE repositories.kind = ? AND namespaces.name_key = ? AND repositories.name_key = ?",
        )
        .bind(kind.as_str())
        .bind(names::key(namespace))
        .bind(names::key(name))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.fault(&error))?;
        row.as_ref()
            .map(|row| self.read_repository(row))
            .transpose()
    }

    pub(crate) async fn repository(
        &self,
        kind: RepositoryType,
        namespace: &str,
        name: &str,
    ) -> Result<Repository, HubError> {
        self.find_repository(kind, namespace, name)
            .await?
            .ok_or_else(|| HubError::UnknownRepository {
                kind,
                id: format!("{namespace}/{name}"),
            })
    }

    /// All repositories, the newest first.
    pub(crate) async fn repositories(&self) -> Result<Vec<Repository>, HubError> {
        let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT);
        query.push(" ORDER BY repositories.created_at DESC, repositories.id");
        let rows = query
            .build()
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        rows.iter().map(|row| self.read_repository(row)).collect()
    }

    /// Changes what is named and leaves the rest, so that two changes at once cannot undo each other.
    pub(crate) async fn update_repository(
        &self,
        id: &str,
        change: RepositoryChange,
    ) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE repositories SET
                private = COALESCE(?, private),
                disabled = COALESCE(?, disabled),
                gated = CASE WHEN ? THEN ? ELSE gated END
             WHERE id = ?",
        )
        .bind(change.private)
        .bind(change.disabled)
        .bind(change.gated != GateChange::Keep)
        .bind(change.gated.gate().map(Gate::as_str))
        .bind(id)
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Forgets a repository; says whether it was there.
    pub(crate) async fn delete_repository(&self, id: &str) -> Result<bool, HubError> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM repositories WHERE id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        Ok(done.rows_affected() > 0)
    }

    fn read_repository(&self, row: &SqliteRow) -> Result<Repository, HubError> {
        let fault = |error| self.fault(&error);
        let kind: String = row.try_get("kind").map_err(fault)?;
        let gated: Option<String> = row.try_get("gated").map_err(fault)?;
        Ok(Repository {
            id: row.try_get("id").map_err(fault)?,
            kind: RepositoryType::parse(&kind).ok_or_else(|| self.unreadable("repository type"))?,
            namespace_id: row.try_get("namespace_id").map_err(fault)?,
            namespace: row.try_get("namespace").map_err(fault)?,
            name: row.try_get("name").map_err(fault)?,
            creator_id: row.try_get("creator_id").map_err(fault)?,
            private: row.try_get("private").map_err(fault)?,
            gated: gated
                .map(|gate| Gate::parse(&gate).ok_or_else(|| self.unreadable("gate")))
                .transpose()?,
            disabled: row.try_get("disabled").map_err(fault)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(fault)?),
        })
    }
}
