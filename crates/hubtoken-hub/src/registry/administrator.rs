//! Who administers the Hub, beside whoever holds the admin key.

use async_trait::async_trait;

use super::{NewUser, Origin, User};
use crate::error::HubError;

/// What the registry knows of administrators.
#[async_trait]
pub(crate) trait Administrators {
    /// Who administers the Hub, by name.
    async fn administrators(&self) -> Result<Vec<User>, HubError>;

    /// Makes a user the first administrator; there is no second first one. A user who exists gets the password,
    /// and all sessions that began with another one end.
    async fn create_first_administrator(
        &self,
        new: NewUser,
        origin: &Origin,
    ) -> Result<User, HubError>;
}
