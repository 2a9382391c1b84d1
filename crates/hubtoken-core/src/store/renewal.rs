//! Renews a stored token, under the lock that `huggingface_hub` takes for that.
//!
//! A refresh token is used once: whoever uses it a second time ends the login. All processes that
//! share the files therefore renew one after the other, and each reads them again once it has the
//! lock. If another process has renewed the token meanwhile, its result is adopted.
//!
//! Before the request, the disk must have room for the answer: an answer that cannot be stored leaves
//! behind a refresh token that was used. If it cannot be stored after all, the caller has it
//! ([`RenewError::NotStored`]), and stores it later.

use super::metadata_file::MetadataFile;
use super::stored_token::{IssuedFields, StoredToken, by_name};
use super::token_metadata::TokenMetadata;
use super::token_store::TokenStore;
use super::transaction::{ActiveToken, Transaction};
use crate::error::Error;
use crate::token::{MAXIMUM_LENGTH, RefreshToken, Token};

/// The room that an answer may need: the tokens, thrice, and what is around them.
const ROOM: usize = 4 * MAXIMUM_LENGTH;

/// A token that a Hub has just issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Token,
    /// What came with it. Without a refresh token, the previous one stays valid.
    pub fields: IssuedFields,
}

/// A stored token that has replaced another one.
#[derive(Debug)]
pub struct RenewedToken {
    /// Its name.
    pub name: String,
    /// The token.
    pub token: Token,
    /// When it expires, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Whether it can be renewed in turn.
    pub has_refresh_token: bool,
    /// What is recorded about it.
    pub metadata: Option<TokenMetadata>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Why a token was not renewed.
#[derive(Debug)]
pub enum RenewError<E> {
    /// The files cannot be changed. Nothing was requested.
    Store(Error),
    /// The token is not stored any more, or cannot be renewed any more. Nothing was requested.
    Gone,
    /// The Hub issued no token.
    Request(E),
    /// The token was issued, and could not be stored.
    NotStored {
        /// The token.
        issued: Box<IssuedToken>,
        /// Why.
        error: Error,
    },
}

impl<E> From<Error> for RenewError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl TokenStore<'_> {
    /// Replaces the stored token `name`, whose value is `old`, by one that `request` obtains for its
    /// refresh token, or by the one that another process has obtained meanwhile. `expires_at` is the
    /// end of `old`, in Unix seconds, as the caller knows it: a Hub may renew a token by issuing the
    /// same value for longer.
    ///
    /// When this returns, the new tokens are on the disk. The token file has the new value if it had
    /// the old one.
    ///
    /// # Errors
    ///
    /// [`RenewError`].
    pub fn renew<E>(
        &self,
        name: &str,
        old: &Token,
        expires_at: i64,
        request: impl FnOnce(&RefreshToken) -> Result<IssuedToken, E>,
    ) -> Result<RenewedToken, RenewError<E>> {
        // A broken file is not set aside for a name that cannot be found in it.
        self.stored()?;
        let transaction = self.begin()?;
        let Some((name, refresh_token)) = renewable(&transaction, name, old) else {
            return self.adopt(transaction, name, old);
        };
        if let Some(entry) = by_name(&transaction.stored, &name)
            && entry.expires_at.is_some_and(|end| end > expires_at)
        {
            return self.found(transaction, &name, old);
        }
        if self.belongs_elsewhere(&transaction.metadata, old)? {
            return Err(RenewError::Gone);
        }
        transaction.check_room(ROOM)?;
        let mut issued = request(&refresh_token).map_err(RenewError::Request)?;
        issued.fields.refresh_token.get_or_insert(refresh_token);
        match self.write(transaction, &name, old, &issued) {
            Ok(renewed) => Ok(renewed),
            Err(error) => Err(RenewError::NotStored {
                issued: Box::new(issued),
                error,
            }),
        }
    }

    /// Stores a renewed token that could not be stored before, unless another process has replaced
    /// the old one by now.
    ///
    /// # Errors
    ///
    /// [`RenewError::Store`], or [`RenewError::Gone`] if the token is not stored any more.
    pub fn store_renewed<E>(
        &self,
        name: &str,
        old: &Token,
        issued: &IssuedToken,
    ) -> Result<RenewedToken, RenewError<E>> {
        self.stored()?;
        let transaction = self.begin()?;
        match renewable(&transaction, name, old) {
            Some((name, _)) => Ok(self.write(transaction, &name, old, issued)?),
            None => self.adopt(transaction, name, old),
        }
    }

    /// Whether the old token's record says that it belongs to another Hub than this store's.
    fn belongs_elsewhere(&self, metadata: &MetadataFile, old: &Token) -> Result<bool, Error> {
        let record = metadata.get(old.digest())?;
        Ok(record.is_some_and(|record| record.endpoint != *self.ambient()))
    }

    fn write(
        &self,
        mut transaction: Transaction<'_>,
        name: &str,
        old: &Token,
        issued: &IssuedToken,
    ) -> Result<RenewedToken, Error> {
        let IssuedToken { token, fields } = issued;
        let known = transaction.metadata.get(old.digest())?;
        let metadata = TokenMetadata {
            created_at: fields.issued_at,
            expires_at: fields.expires_at,
            replaces: Some(old.digest()).filter(|_| token != old),
            // Who it belongs to is learned as for any other token.
            ..known.unwrap_or_else(|| TokenMetadata::unverified(self.ambient().clone()))
        };
        transaction.metadata.set(token.digest(), &metadata);
        // The same value may be stored under several names, and all of them had one refresh token.
        let names: Vec<String> = transaction
            .stored
            .iter()
            .filter(|entry| entry.has_refresh_token && entry.holds(old))
            .map(|entry| entry.name.clone())
            .collect();
        for name in names {
            transaction.set_token(&name, token, fields)?;
        }
        let is_active = self.active().is_some_and(|active| active == *old);
        let warnings = transaction.commit(if is_active {
            ActiveToken::Set(token)
        } else {
            ActiveToken::Keep
        })?;
        Ok(RenewedToken {
            name: name.to_owned(),
            token: copy(token)?,
            expires_at: fields.expires_at,
            has_refresh_token: fields.refresh_token.is_some(),
            metadata: Some(metadata),
            warnings,
        })
    }

    /// Takes over what another process has stored in place of a token.
    fn adopt<E>(
        &self,
        transaction: Transaction<'_>,
        name: &str,
        old: &Token,
    ) -> Result<RenewedToken, RenewError<E>> {
        let stored = &transaction.stored;
        let successor = transaction.metadata.successor(old.digest());
        let replaced = stored
            .iter()
            .find(|entry| successor.is_some_and(|successor| entry.digest() == successor));
        let same_name = || by_name(stored, name).filter(|entry| !entry.holds(old));
        let Some(entry) = replaced.or_else(same_name) else {
            return Err(RenewError::Gone);
        };
        let name = entry.name.clone();
        self.found(transaction, &name, old)
    }

    /// Hands over the stored token `name`, and completes what another process did if that was killed
    /// before it changed the token file.
    fn found<E>(
        &self,
        transaction: Transaction<'_>,
        name: &str,
        old: &Token,
    ) -> Result<RenewedToken, RenewError<E>> {
        let Some(entry) = by_name(&transaction.stored, name) else {
            return Err(RenewError::Gone);
        };
        let token = entry.token()?;
        if self.belongs_elsewhere(&transaction.metadata, &token)? {
            return Err(RenewError::Gone);
        }
        let mut renewed = RenewedToken {
            name: entry.name.clone(),
            expires_at: entry.expires_at,
            has_refresh_token: entry.has_refresh_token,
            metadata: transaction.metadata.get(token.digest())?,
            token,
            warnings: Vec::new(),
        };
        if renewed.token != *old && self.active().is_some_and(|active| active == *old) {
            renewed.warnings = transaction.commit(ActiveToken::Set(&renewed.token))?;
        }
        Ok(renewed)
    }
}

/// The name under which a token is stored with a refresh token, and that refresh token.
fn renewable(
    transaction: &Transaction<'_>,
    name: &str,
    old: &Token,
) -> Option<(String, RefreshToken)> {
    let holds = |entry: &&StoredToken| entry.has_refresh_token && entry.holds(old);
    let stored = &transaction.stored;
    let named = by_name(stored, name).filter(holds);
    let entry = named.or_else(|| stored.iter().find(holds))?;
    let refresh_token = transaction.field(&entry.name, "refresh_token")?;
    Some((entry.name.clone(), RefreshToken::parse(&refresh_token)?))
}

/// A token can only be copied through its value, which has already been parsed once.
fn copy(token: &Token) -> Result<Token, Error> {
    Token::parse(token.expose())?.ok_or_else(|| Error::Store("the new token is blank".to_owned()))
}
