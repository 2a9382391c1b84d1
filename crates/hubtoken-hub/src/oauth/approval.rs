//! What a user decides about a program that asks for a login.

use super::client;
use super::keys::Purpose;
use super::user_code::normalized;
use crate::error::HubError;
use crate::registry::{Actor, AuditAction, AuditContext, DeviceRequest, LoginDecision, Subject};
use crate::secret::Digest;
use crate::state::HubState;

const WRONG_CODE: &str = "a code that no login waits for";

/// A program that waits for a decision.
#[derive(Debug)]
pub(crate) struct WaitingLogin {
    pub client: &'static str,
    pub request: DeviceRequest,
}

/// The login that this code stands for, if nobody has decided about it and it has not expired.
pub(crate) async fn find(state: &HubState, typed: &str) -> Result<Option<WaitingLogin>, HubError> {
    let Some(digest) = digest(state, typed)? else {
        return Ok(None);
    };
    let request = state
        .registry
        .device_request(&digest, state.clock.now())
        .await?;
    Ok(request.map(waiting))
}

/// Approves or denies it. A code that no login waits for is recorded.
pub(crate) async fn decide(
    state: &HubState,
    typed: &str,
    decision: LoginDecision<'_>,
    context: &AuditContext,
) -> Result<WaitingLogin, HubError> {
    let decided = match (digest(state, typed)?, find(state, typed).await?) {
        (Some(digest), Some(found)) => {
            state
                .registry
                .decide_device_request(&digest, decision, found.client, context)
                .await?
        }
        _ => None,
    };
    if let Some(request) = decided {
        return Ok(waiting(request));
    }
    record_wrong_code(state, context).await?;
    Err(HubError::UnknownUserCode)
}

/// Records that somebody entered a code that no login waits for. The code is not recorded: mistyped,
/// it is almost that of another login.
pub(crate) async fn record_wrong_code(
    state: &HubState,
    context: &AuditContext,
) -> Result<(), HubError> {
    let subject = match &context.actor {
        Actor::User { name, .. } => Subject::user(name),
        _ => Subject::default(),
    };
    let subject = subject.with_detail(WRONG_CODE);
    state
        .registry
        .record(AuditAction::LoginRefuse, subject, context)
        .await
}

fn waiting(request: DeviceRequest) -> WaitingLogin {
    WaitingLogin {
        client: client::name(&request.client_id).unwrap_or("A program"),
        request,
    }
}

/// The stored form of a code, if it is one.
fn digest(state: &HubState, typed: &str) -> Result<Option<Digest>, HubError> {
    let keys = &state.services.oauth.keys;
    normalized(typed)
        .map(|letters| keys.keyed_digest(Purpose::UserCode, &letters, state.clock.now()))
        .transpose()
}
