//! Users who administer the Hub, in addition to the holder of the admin key.

use async_trait::async_trait;

use super::{AuditContext, NewUser, User};
use crate::error::HubError;

/// The registry's operations on administrators.
#[async_trait]
pub(crate) trait Administrators {
    /// The Hub's administrators, by name.
    async fn administrators(&self) -> Result<Vec<User>, HubError>;

    /// Makes a user the first administrator, and fails if the Hub already has one. An existing user
    /// gets the new password, and every session started with the old password ends.
    async fn create_first_administrator(
        &self,
        new: NewUser,
        context: &AuditContext,
    ) -> Result<User, HubError>;
}
