//! Issues tokens of Xet, to whoever asks for one and along with other answers.

use std::sync::Arc;

use axum::http::HeaderName;

use super::access_token::{Grant, Right, TOKEN_LIFETIME};
use crate::registry::{AuditAction, AuditContext, Repository, Subject};
use crate::response::{ApiError, storage_error};
use crate::state::HubState;

pub(crate) const CAS_URL: HeaderName = HeaderName::from_static("x-xet-cas-url");
pub(crate) const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-xet-access-token");
pub(crate) const EXPIRATION: HeaderName = HeaderName::from_static("x-xet-token-expiration");

/// A token, and where it is used until when.
pub(crate) struct IssuedToken {
    pub address: String,
    pub token: String,
    /// In Unix time.
    pub end: i64,
}

/// Where the content of a repository is stored.
pub(crate) fn store_address(endpoint: &str, repository: &Repository) -> String {
    format!(
        "{endpoint}/api/xet/{}/{}/{}",
        repository.kind.plural(),
        repository.full_name(),
        repository.id
    )
}

/// Issues a token. One that writes is recorded.
pub(crate) async fn issue(
    state: &Arc<HubState>,
    repository: &Repository,
    grant: Grant,
    context: &AuditContext,
) -> Result<IssuedToken, ApiError> {
    let until = state.clock.now() + TOKEN_LIFETIME;
    let key = state.services.seals.key().map_err(storage_error)?;
    let token = grant
        .to_token(&key, repository, until)
        .map_err(storage_error)?;
    let metrics = &state.telemetry.metrics;
    match grant.right {
        Right::Read => metrics.xet_read_tokens.inc(),
        Right::Write => {
            let subject = Subject::repository(repository.page());
            state
                .registry
                .record(AuditAction::RepositoryUpload, subject, context)
                .await?;
            metrics.xet_write_tokens.inc()
        }
    };
    Ok(IssuedToken {
        address: store_address(&state.endpoint, repository),
        token,
        end: until.unix_timestamp(),
    })
}
