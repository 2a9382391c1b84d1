//! Counts of the registry's rows, for monitoring. Reading them also shows that the database
//! responds.

use async_trait::async_trait;

use crate::error::HubError;

/// The number of rows of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub users: u64,
    pub organizations: u64,
    /// Users' tokens and those of service accounts.
    pub tokens: u64,
    pub service_accounts: u64,
    pub repositories: u64,
}

/// The registry's row counts.
#[async_trait]
pub(crate) trait CountStore {
    /// Counts everything.
    async fn counts(&self) -> Result<Counts, HubError>;
}
