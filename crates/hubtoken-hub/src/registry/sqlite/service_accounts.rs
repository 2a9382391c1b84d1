//! The table of service accounts.

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CacheEffect, Sqlite, WriteTransaction};
use crate::clock::{from_milliseconds, to_milliseconds};
use crate::error::HubError;
use crate::registry::{
    AccountToken, AuditAction, AuditContext, NewServiceAccount, Organization, Organizations as _,
    ServiceAccount, ServiceAccounts, Subject,
};
use crate::secret;

const SELECT_ACCOUNT: &str = "SELECT accounts.id AS account_id, accounts.user_name AS account_user,
        accounts.name AS account_name, accounts.description AS account_description,
        accounts.created_at AS account_created_at
    FROM service_accounts AS accounts WHERE accounts.organization_id = ?1";

impl Sqlite {
    pub(super) fn account_and_organization(
        &self,
        row: &SqliteRow,
    ) -> Result<ServiceAccount, HubError> {
        let read = || {
            Ok(Organization {
                id: row.try_get("organization_id")?,
                name: row.try_get("organization_name")?,
                fullname: row.try_get("organization_fullname")?,
                created_at: from_milliseconds(row.try_get("organization_created_at")?),
            })
        };
        let organization = read().map_err(|error: sqlx::Error| self.database_error(&error))?;
        self.account(row, &organization)
    }

    fn account(
        &self,
        row: &SqliteRow,
        organization: &Organization,
    ) -> Result<ServiceAccount, HubError> {
        let read = || {
            Ok(ServiceAccount {
                id: row.try_get("account_id")?,
                organization: organization.clone(),
                user: row.try_get("account_user")?,
                name: row.try_get("account_name")?,
                description: row.try_get("account_description")?,
                created_at: from_milliseconds(row.try_get("account_created_at")?),
            })
        };
        read().map_err(|error: sqlx::Error| self.database_error(&error))
    }

    /// The account, if the actor may change it.
    pub(super) async fn account_to_change(
        &self,
        transaction: &mut WriteTransaction,
        organization: &Organization,
        account: &str,
        context: &AuditContext,
    ) -> Result<ServiceAccount, HubError> {
        self.check_administrator(transaction, organization, context)
            .await?;
        self.find_account(transaction.connection(), organization, account)
            .await
    }

    async fn find_account(
        &self,
        connection: &mut sqlx::SqliteConnection,
        organization: &Organization,
        account: &str,
    ) -> Result<ServiceAccount, HubError> {
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT_ACCOUNT);
        query.push(" AND accounts.id = ?2");
        let row = query
            .build()
            .bind(&organization.id)
            .bind(account)
            .fetch_optional(connection)
            .await
            .map_err(|error| self.database_error(&error))?;
        match row {
            Some(row) => self.account(&row, organization),
            None => Err(HubError::UnknownServiceAccount {
                organization: organization.name.clone(),
                account: super::tokens::redacted(account),
            }),
        }
    }
}

#[async_trait]
impl ServiceAccounts for Sqlite {
    async fn create_service_account(
        &self,
        organization: &str,
        new: NewServiceAccount,
        context: &AuditContext,
    ) -> Result<ServiceAccount, HubError> {
        new.check()?;
        let organization = self.organization(organization).await?;
        let id = secret::object_id()?;
        let account = ServiceAccount {
            user: ServiceAccount::user_name(&organization, &new.name, &id),
            id,
            organization,
            name: new.name,
            description: new.description.filter(|text| !text.is_empty()),
            created_at: from_milliseconds(to_milliseconds(context.at)),
        };
        let mut transaction = self.begin_write().await?;
        self.check_administrator(&mut transaction, &account.organization, context)
            .await?;
        sqlx::query(
            "INSERT INTO service_accounts (id, organization_id, user_name, name, description, created_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&account.id)
        .bind(&account.organization.id)
        .bind(&account.user)
        .bind(&account.name)
        .bind(&account.description)
        .bind(to_milliseconds(account.created_at))
        .execute(transaction.connection())
        .await
        .map_err(|error| self.database_error(&error))?;
        let subject = Subject::user(&account.user).in_organization(&account.organization.name);
        self.record_audit(
            &mut transaction,
            AuditAction::ServiceAccountCreate,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::None).await?;
        Ok(account)
    }

    async fn service_accounts(&self, organization: &str) -> Result<Vec<ServiceAccount>, HubError> {
        let organization = self.organization(organization).await?;
        let mut query = sqlx::QueryBuilder::<super::Database>::new(SELECT_ACCOUNT);
        query.push(" ORDER BY accounts.created_at, accounts.id");
        let rows = query
            .build()
            .bind(&organization.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.database_error(&error))?;
        rows.iter()
            .map(|row| self.account(row, &organization))
            .collect()
    }

    async fn service_account(
        &self,
        organization: &str,
        account: &str,
    ) -> Result<(ServiceAccount, Vec<AccountToken>), HubError> {
        let map_error = |error| self.database_error(&error);
        let organization = self.organization(organization).await?;
        let mut connection = self.pool.acquire().await.map_err(map_error)?;
        let account = self
            .find_account(&mut connection, &organization, account)
            .await?;
        let rows = sqlx::query(
            "SELECT * FROM service_account_tokens WHERE account_id = ? ORDER BY created_at, id",
        )
        .bind(&account.id)
        .fetch_all(&mut *connection)
        .await
        .map_err(map_error)?;
        let tokens = rows
            .iter()
            .map(|row| self.account_token(row, &organization))
            .collect::<Result<_, _>>()?;
        Ok((account, tokens))
    }

    async fn delete_service_account(
        &self,
        organization: &str,
        account: &str,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        let organization = self.organization(organization).await?;
        let mut transaction = self.begin_write().await?;
        let account = self
            .account_to_change(&mut transaction, &organization, account, context)
            .await?;
        let tokens = sqlx::query("DELETE FROM service_account_tokens WHERE account_id = ?")
            .bind(&account.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?
            .rows_affected();
        sqlx::query("DELETE FROM service_accounts WHERE id = ?")
            .bind(&account.id)
            .execute(transaction.connection())
            .await
            .map_err(|error| self.database_error(&error))?;
        let subject = Subject::user(&account.user)
            .in_organization(&organization.name)
            .with_detail(format!("with {tokens} of its tokens"));
        self.record_audit(
            &mut transaction,
            AuditAction::ServiceAccountDelete,
            subject,
            context,
        )
        .await?;
        self.commit(transaction, CacheEffect::InvalidatePrincipals)
            .await
    }
}
