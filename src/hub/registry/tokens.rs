//! Access tokens: made, listed, renamed, renewed, deleted, and looked up at every request.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::users::user;
use super::{FineGrained, GrantedRole, Membership, Registry, TokenRole, User};
use crate::hub::clock::{from_milliseconds, to_milliseconds};
use crate::hub::error::HubError;
use crate::hub::names;
use crate::hub::secret::{self, Digest, Secret};

/// What is asked for in a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name; names may repeat.
    pub name: String,
    /// What it may do.
    pub role: TokenRole,
    /// When it stops working, if ever.
    pub expires_at: Option<OffsetDateTime>,
}

/// A token, without its value, which nobody can learn again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// 24 hexadecimal digits; stays the same when the value is renewed.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: GrantedRole,
    /// The last four characters of its value.
    pub last4: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it stops working, if ever.
    pub expires_at: Option<OffsetDateTime>,
}

/// A token with its value, which is shown this once.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    /// The value.
    pub value: Secret,
    /// Everything else.
    pub info: TokenInfo,
}

/// Who is asking, as far as a valid token tells.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub user: User,
    pub memberships: Vec<Membership>,
    pub token: TokenInfo,
}

const TOKENS_OF_USER: &str = "SELECT * FROM tokens WHERE user_id = ? ORDER BY created_at, id";

impl Registry {
    pub(crate) async fn create_token(
        &self,
        user: &str,
        new: NewToken,
        now: OffsetDateTime,
    ) -> Result<CreatedToken, HubError> {
        names::check_token(&new.name)?;
        if new.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(HubError::InvalidToken {
                reason: "it would have expired already".to_owned(),
            });
        }
        let user = self.user(user).await?;
        let role = self.resolve_role(new.role).await?;
        let fine_grained = stored_scopes(&role)?;
        let value = Secret::access_token()?;
        let whole = |moment| from_milliseconds(to_milliseconds(moment));
        let info = TokenInfo {
            id: secret::object_id()?,
            name: new.name,
            role,
            last4: value.last4(),
            created_at: whole(now),
            last_used_at: None,
            expires_at: new.expires_at.map(whole),
        };
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO tokens (id, user_id, name, role, fine_grained, digest, last4, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&info.id)
        .bind(&user.id)
        .bind(&info.name)
        .bind(info.role.as_str())
        .bind(fine_grained)
        .bind(value.digest().as_slice())
        .bind(&info.last4)
        .bind(to_milliseconds(info.created_at))
        .bind(info.expires_at.map(to_milliseconds))
        .execute(&mut *transaction)
        .await
        .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        Ok(CreatedToken { value, info })
    }

    pub(crate) async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        let user = self.user(user).await?;
        let rows = sqlx::query(TOKENS_OF_USER)
            .bind(&user.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        rows.iter().map(|row| self.token(row)).collect()
    }

    pub(crate) async fn rename_token(
        &self,
        user: &str,
        wanted: &str,
        name: &str,
    ) -> Result<TokenInfo, HubError> {
        names::check_token(name)?;
        let owner = self.user(user).await?;
        let mut transaction = self.write().await?;
        let mut found = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("UPDATE tokens SET name = ? WHERE id = ?")
            .bind(name)
            .bind(&found.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        name.clone_into(&mut found.name);
        Ok(found)
    }

    /// Changes what a token may do; its value stays.
    pub(crate) async fn change_token_role(
        &self,
        user: &str,
        wanted: &str,
        role: TokenRole,
    ) -> Result<TokenInfo, HubError> {
        let owner = self.user(user).await?;
        let role = self.resolve_role(role).await?;
        let fine_grained = stored_scopes(&role)?;
        let mut transaction = self.write().await?;
        let mut found = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("UPDATE tokens SET role = ?, fine_grained = ? WHERE id = ?")
            .bind(role.as_str())
            .bind(fine_grained)
            .bind(&found.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        found.role = role;
        Ok(found)
    }

    /// Gives the token a new value. The old one stops working in the same transaction: at no time do both work, or
    /// neither.
    pub(crate) async fn refresh_token(
        &self,
        user: &str,
        wanted: &str,
    ) -> Result<CreatedToken, HubError> {
        let owner = self.user(user).await?;
        let value = Secret::access_token()?;
        let mut transaction = self.write().await?;
        let mut info = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("UPDATE tokens SET digest = ?, last4 = ?, last_used_at = NULL WHERE id = ?")
            .bind(value.digest().as_slice())
            .bind(value.last4())
            .bind(&info.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await?;
        info.last4 = value.last4();
        info.last_used_at = None;
        Ok(CreatedToken { value, info })
    }

    pub(crate) async fn delete_token(&self, user: &str, wanted: &str) -> Result<(), HubError> {
        let owner = self.user(user).await?;
        let mut transaction = self.write().await?;
        let found = self.find_token(&mut transaction, &owner, wanted).await?;
        sqlx::query("DELETE FROM tokens WHERE id = ?")
            .bind(&found.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        self.commit(transaction).await
    }

    /// Deletes the tokens with these digests, whosever they are; unknown ones are passed over.
    pub(crate) async fn revoke(&self, digests: &[Digest]) -> Result<(), HubError> {
        let mut transaction = self.write().await?;
        for digest in digests {
            sqlx::query("DELETE FROM tokens WHERE digest = ?")
                .bind(digest.as_slice())
                .execute(&mut *transaction)
                .await
                .map_err(|error| self.fault(&error))?;
        }
        self.commit(transaction).await
    }

    /// Whose token has this digest, if it has not expired.
    pub(crate) async fn authenticate(
        &self,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<Principal>, HubError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE digest = ?")
            .bind(digest.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.fault(&error))?;
        let Some(row) = row else { return Ok(None) };
        let token = self.token(&row)?;
        if token.expires_at.is_some_and(|expiry| expiry <= now) {
            return Ok(None);
        }
        let user_id: String = row.try_get("user_id").map_err(|error| self.fault(&error))?;
        let user = sqlx::query("SELECT * FROM namespaces WHERE id = ?")
            .bind(&user_id)
            .fetch_one(&self.pool)
            .await
            .and_then(|row| user(&row))
            .map_err(|error| self.fault(&error))?;
        let memberships = self.memberships(&user_id).await?;
        Ok(Some(Principal {
            user,
            memberships,
            token,
        }))
    }

    pub(crate) async fn touch_token(&self, id: &str, now: OffsetDateTime) -> Result<(), HubError> {
        sqlx::query("UPDATE tokens SET last_used_at = ? WHERE id = ?")
            .bind(to_milliseconds(now))
            .bind(id)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.fault(&error))
    }

    /// An id is looked for first: it is exact, and a name that looks like one must not hide it.
    async fn find_token(
        &self,
        transaction: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
        owner: &User,
        wanted: &str,
    ) -> Result<TokenInfo, HubError> {
        let rows = sqlx::query(TOKENS_OF_USER)
            .bind(&owner.id)
            .fetch_all(&mut **transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        let tokens = rows
            .iter()
            .map(|row| self.token(row))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(token) = tokens.iter().find(|token| token.id == wanted) {
            return Ok(token.clone());
        }
        let mut named: Vec<_> = tokens
            .into_iter()
            .filter(|token| token.name == wanted)
            .collect();
        match named.len() {
            0 => Err(HubError::UnknownToken {
                user: owner.name.clone(),
                token: shown(wanted),
            }),
            1 => Ok(named.remove(0)),
            _ => Err(HubError::AmbiguousToken {
                user: owner.name.clone(),
                name: wanted.to_owned(),
                ids: named.into_iter().map(|token| token.id).collect(),
            }),
        }
    }

    fn token(&self, row: &SqliteRow) -> Result<TokenInfo, HubError> {
        let fault = |error| self.fault(&error);
        let role: String = row.try_get("role").map_err(fault)?;
        let fine_grained: Option<String> = row.try_get("fine_grained").map_err(fault)?;
        let role = match (role.as_str(), fine_grained) {
            ("read", _) => GrantedRole::Read,
            ("write", _) => GrantedRole::Write,
            ("fineGrained", Some(fine)) => GrantedRole::FineGrained(
                serde_json::from_str::<FineGrained>(&fine)
                    .map_err(|_| self.unreadable("token's scopes"))?,
            ),
            _ => return Err(self.unreadable("token's role")),
        };
        Ok(TokenInfo {
            id: row.try_get("id").map_err(fault)?,
            name: row.try_get("name").map_err(fault)?,
            role,
            last4: row.try_get("last4").map_err(fault)?,
            created_at: from_milliseconds(row.try_get("created_at").map_err(fault)?),
            last_used_at: row
                .try_get::<Option<i64>, _>("last_used_at")
                .map_err(fault)?
                .map(from_milliseconds),
            expires_at: row
                .try_get::<Option<i64>, _>("expires_at")
                .map_err(fault)?
                .map(from_milliseconds),
        })
    }
}

/// The scopes of a role as they are stored; only a fine-grained one has any.
fn stored_scopes(role: &GrantedRole) -> Result<Option<String>, HubError> {
    match role {
        GrantedRole::FineGrained(fine) => {
            serde_json::to_string(fine)
                .map(Some)
                .map_err(|error| HubError::InvalidToken {
                    reason: error.to_string(),
                })
        }
        GrantedRole::Read | GrantedRole::Write => Ok(None),
    }
}

/// People paste the value where a name is asked for; it must not come back in a message.
fn shown(wanted: &str) -> String {
    if wanted.starts_with("hf_") {
        "hf_…".to_owned()
    } else {
        wanted.chars().filter(|each| !each.is_control()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_value_in_place_of_a_name_is_not_repeated() {
        assert_eq!(shown(&format!("hf_{}", "a".repeat(34))), "hf_…");
        assert_eq!(shown("ci\n"), "ci");
    }
}
