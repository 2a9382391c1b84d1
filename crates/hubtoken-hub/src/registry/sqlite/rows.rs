//! Reads tokens and principals from table rows.

use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use crate::clock::from_milliseconds;
use crate::error::HubError;
use crate::registry::{
    ApprovalStatus, FineGrained, GrantedRole, Membership, Organization, OrganizationRole,
    Principal, TokenInfo, TokenOwner, TokenPolicy, User,
};

/// Selects a token, its owner, and one row per organization of the owner: one query instead of
/// three.
pub(super) const PRINCIPAL: &str = "SELECT tokens.id, tokens.name, tokens.role, tokens.fine_grained, tokens.last4,
        tokens.created_at, tokens.last_used_at, coalesce(presented.expires_at, tokens.expires_at) AS expires_at,
        tokens.inference_requests, tokens.kind, tokens.granted,
        users.id AS user_id, users.name AS user_name, users.fullname AS user_fullname, users.email AS user_email,
        users.created_at AS user_created_at,
        organizations.id AS organization_id, organizations.name AS organization_name,
        organizations.fullname AS organization_fullname, organizations.created_at AS organization_created_at,
        organizations.token_policy AS token_policy, members.role AS member_role, approvals.status AS approval_status
    FROM (
        SELECT id, NULL AS expires_at FROM tokens WHERE digest = ?1
        UNION ALL SELECT token_id, expires_at FROM access_tokens WHERE digest = ?1
    ) AS presented
    JOIN tokens ON tokens.id = presented.id
    JOIN namespaces AS users ON users.id = tokens.user_id
    LEFT JOIN members ON members.user_id = users.id
    LEFT JOIN namespaces AS organizations ON organizations.id = members.organization_id
    LEFT JOIN approvals ON approvals.organization_id = members.organization_id AND approvals.token_id = tokens.id
    ORDER BY organizations.name_key";

impl Sqlite {
    /// The principal in the rows of [`PRINCIPAL`].
    pub(super) fn principal(&self, rows: &[SqliteRow]) -> Result<Option<Principal>, HubError> {
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let token = self.token(first)?;
        let user = || {
            Ok(User {
                id: first.try_get("user_id")?,
                name: first.try_get("user_name")?,
                fullname: first.try_get("user_fullname")?,
                email: first.try_get("user_email")?,
                created_at: from_milliseconds(first.try_get("user_created_at")?),
            })
        };
        let user = user().map_err(|error: sqlx::Error| self.database_error(&error))?;
        // A token for one repository may do less than any fine-grained one.
        let is_fine_grained = matches!(
            token.role,
            GrantedRole::FineGrained(_) | GrantedRole::Repository(_)
        );
        let mut memberships = Vec::new();
        let mut restrictions = Vec::new();
        for row in rows {
            let Some((membership, policy, status)) = self.membership(row)? else {
                continue;
            };
            let is_administrators = membership.role == OrganizationRole::Admin;
            if let Some(restriction) =
                policy.restriction(is_fine_grained, is_administrators, status)
            {
                restrictions.push((membership.organization.id.clone(), restriction));
            }
            memberships.push(membership);
        }
        Ok(Some(Principal {
            owner: TokenOwner::User(user),
            memberships,
            restrictions,
            token,
            whoami: OnceLock::new(),
            last_touched: AtomicI64::new(i64::MIN),
        }))
    }

    /// The organization in a row of [`PRINCIPAL`]. It is `None` for a user who belongs to no
    /// organization.
    fn membership(
        &self,
        row: &SqliteRow,
    ) -> Result<Option<(Membership, TokenPolicy, Option<ApprovalStatus>)>, HubError> {
        let map_error = |error| self.database_error(&error);
        let Some(id) = row
            .try_get::<Option<String>, _>("organization_id")
            .map_err(map_error)?
        else {
            return Ok(None);
        };
        let read = || {
            Ok((
                row.try_get("organization_name")?,
                row.try_get("organization_fullname")?,
                row.try_get("organization_created_at")?,
                row.try_get::<String, _>("member_role")?,
                row.try_get::<String, _>("token_policy")?,
                row.try_get::<Option<String>, _>("approval_status")?,
            ))
        };
        let (name, fullname, created_at, role, policy, status) = read().map_err(map_error)?;
        let status = status
            .map(|status| ApprovalStatus::parse(&status).ok_or_else(|| self.unreadable("approval")))
            .transpose()?;
        let membership = Membership {
            organization: Organization {
                id,
                name,
                fullname,
                created_at: from_milliseconds(created_at),
            },
            role: OrganizationRole::parse(&role).ok_or_else(|| self.unreadable("role"))?,
        };
        let policy = TokenPolicy::parse(&policy).ok_or_else(|| self.unreadable("token policy"))?;
        Ok(Some((membership, policy, status)))
    }

    pub(super) fn token(&self, row: &SqliteRow) -> Result<TokenInfo, HubError> {
        let map_error = |error| self.database_error(&error);
        let role: String = row.try_get("role").map_err(map_error)?;
        let fine_grained: Option<String> = row.try_get("fine_grained").map_err(map_error)?;
        let (kind, granted): (String, Option<String>) = (
            row.try_get("kind").map_err(map_error)?,
            row.try_get("granted").map_err(map_error)?,
        );
        let role = match (role.as_str(), fine_grained) {
            _ if kind != "user" => {
                self.issued_role(&kind, granted.as_deref().unwrap_or_default())?
            }
            ("read", _) => GrantedRole::Read,
            ("write", _) => GrantedRole::Write,
            ("fineGrained", Some(fine)) => GrantedRole::FineGrained(
                serde_json::from_str::<FineGrained>(&fine)
                    .map_err(|_| self.unreadable("token's scopes"))?,
            ),
            _ => return Err(self.unreadable("token's role")),
        };
        Ok(TokenInfo {
            id: row.try_get("id").map_err(map_error)?,
            name: row.try_get("name").map_err(map_error)?,
            role,
            last4: row.try_get("last4").map_err(map_error)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(map_error)?),
            last_used_at: row
                .try_get::<Option<i64>, _>("last_used_at")
                .map_err(map_error)?
                .map(from_milliseconds),
            expires_at: row
                .try_get::<Option<i64>, _>("expires_at")
                .map_err(map_error)?
                .map(from_milliseconds),
            inference_requests: row
                .try_get::<i64, _>("inference_requests")
                .map_err(map_error)?
                .try_into()
                .unwrap_or(0),
        })
    }
}
