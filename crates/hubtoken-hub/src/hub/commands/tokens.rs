//! Operations on users' tokens.

use crate::error::HubError;
use crate::hub::Hub;
use crate::registry::{CreatedToken, NewToken, TokenInfo, TokenRole};

impl Hub {
    /// Creates a token. Its value is only ever in this result.
    pub fn create_token(&self, user: &str, new: NewToken) -> Result<CreatedToken, HubError> {
        let user = user.to_owned();
        self.block_on(|state| async move {
            state
                .registry
                .create_token(&user, new, &state.embedder_context())
                .await
        })
    }

    /// The tokens of a user, oldest first.
    pub fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        let user = user.to_owned();
        self.block_on(|state| async move { state.list_tokens(&user).await })
    }

    /// Renames a token, given its id or its name.
    pub fn rename_token(
        &self,
        user: &str,
        id_or_name: &str,
        new_name: &str,
    ) -> Result<TokenInfo, HubError> {
        let (user, token, name) = (user.to_owned(), id_or_name.to_owned(), new_name.to_owned());
        self.block_on(|state| async move {
            state
                .registry
                .rename_token(&user, &token, &name, &state.embedder_context())
                .await
        })
    }

    /// Changes a token's role. Organizations that approved it must approve it again.
    pub fn change_token(
        &self,
        user: &str,
        id_or_name: &str,
        role: TokenRole,
    ) -> Result<TokenInfo, HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state
                .registry
                .change_token(&user, &token, role, &context)
                .await
        })
    }

    /// Gives a token a new value; the old one stops working at once.
    pub fn refresh_token(&self, user: &str, id_or_name: &str) -> Result<CreatedToken, HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.block_on(|state| async move {
            state
                .registry
                .refresh_token(&user, &token, &state.embedder_context())
                .await
        })
    }

    /// Deletes a token; it stops working at once.
    pub fn delete_token(&self, user: &str, id_or_name: &str) -> Result<(), HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.block_on(|state| async move {
            state
                .registry
                .delete_token(&user, &token, &state.embedder_context())
                .await
        })
    }
}
