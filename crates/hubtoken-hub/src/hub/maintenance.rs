//! What a Hub does once a day, beside its requests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::HubError;
use crate::state::HubState;

/// How long after the start the first round begins: a Hub of a test has ended by then.
const FIRST_AFTER: Duration = Duration::from_mins(10);
const EVERY: Duration = Duration::from_hours(24);

/// Works until the Hub's threads end.
pub(super) async fn maintain(state: Arc<HubState>) {
    tokio::time::sleep(FIRST_AFTER).await;
    loop {
        if let Err(error) = collect_garbage(&state).await {
            state
                .telemetry
                .log
                .record(|| tracing::error!(%error, "large files could not be collected"));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Removes large files that nothing has referred to for a month.
async fn collect_garbage(state: &Arc<HubState>) -> Result<(), HubError> {
    for repository in state.registry.repositories().await? {
        let collected = state
            .with_repository(&repository, |repo| repo.collect_garbage(SystemTime::now()))
            .await;
        let page = repository.page();
        state.telemetry.log.record(|| match collected {
            Ok(0) => (),
            Ok(count) => tracing::info!(repository = page, count, "collected large files"),
            Err(error) => {
                tracing::error!(repository = page, %error, "large files could not be collected");
            }
        });
    }
    Ok(())
}
