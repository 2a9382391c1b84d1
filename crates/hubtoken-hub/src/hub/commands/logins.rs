//! Operations on logins of programs, in place of the pages on which users do them.

use crate::error::HubError;
use crate::hub::Hub;
use crate::oauth::approval;
use crate::registry::{Login, LoginDecision};

impl Hub {
    /// Approves the login that waits for this user code, in the name of a user.
    pub fn approve_login(&self, user_code: &str, user: &str) -> Result<(), HubError> {
        let (code, user) = (user_code.to_owned(), user.to_owned());
        self.block_on(|state| async move {
            let user = state.registry.user(&user).await?;
            let (decision, context) = (LoginDecision::Approve(&user), state.embedder_context());
            approval::decide(&state, &code, decision, &context).await?;
            Ok(())
        })
    }

    /// Denies the login that waits for this user code.
    pub fn deny_login(&self, user_code: &str) -> Result<(), HubError> {
        let code = user_code.to_owned();
        self.block_on(|state| async move {
            let (decision, context) = (LoginDecision::Deny(None), state.embedder_context());
            approval::decide(&state, &code, decision, &context).await?;
            Ok(())
        })
    }

    /// The logins of a user, newest first.
    pub fn list_logins(&self, user: &str) -> Result<Vec<Login>, HubError> {
        let user = user.to_owned();
        self.block_on(|state| async move { state.registry.logins(&user).await })
    }

    /// Ends a login: its access and refresh tokens stop working at once.
    pub fn end_login(&self, user: &str, id: &str) -> Result<(), HubError> {
        let (user, id) = (user.to_owned(), id.to_owned());
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state.registry.end_login(&user, &id, &context).await
        })
    }
}
