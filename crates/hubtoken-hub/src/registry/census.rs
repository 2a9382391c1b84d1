//! How much of everything there is: for monitoring, which also learns by it that the database answers.

use async_trait::async_trait;

use crate::error::HubError;

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub users: u64,
    pub organizations: u64,
    pub tokens: u64,
    pub repositories: u64,
}

/// What the registry knows of numbers.
#[async_trait]
pub(crate) trait Counts {
    /// How many there are of everything.
    async fn census(&self) -> Result<Census, HubError>;
}
