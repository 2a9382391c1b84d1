//! The operations of a [`Hub`] that its owner can perform, each a blocking call.
//!
//! # Errors
//! Every method returns the [`HubError`] that names what is wrong, [`HubError::Stopped`] after a
//! stop, and [`HubError::OtherProcess`] in a process forked from the one that started the Hub.
#![allow(clippy::missing_errors_doc, reason = "said once, above")]

mod logins;
mod publishers;
mod repositories;
mod tokens;

use super::Hub;
use crate::error::HubError;
use crate::registry::{
    Approval, AuditEntry, AuditFilter, Decision, MemberToken, Organization, OrganizationRole,
    TokenPolicy, User,
};
use crate::secret::Secret;

impl Hub {
    /// Creates a user.
    pub fn create_user(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Option<Secret>,
    ) -> Result<User, HubError> {
        let (name, fullname, email) = (
            name.to_owned(),
            fullname.to_owned(),
            email.map(ToOwned::to_owned),
        );
        self.block_on(|state| async move {
            state
                .create_user(
                    &name,
                    &fullname,
                    email.as_deref(),
                    password,
                    &state.embedder_context(),
                )
                .await
        })
    }

    /// Sets a user's password; all sessions of the user end.
    pub fn set_password(&self, name: &str, password: Secret) -> Result<(), HubError> {
        let name = name.to_owned();
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state.set_password(&name, password, &context).await
        })
    }

    /// Makes a user the first administrator. If the user exists, their password is set.
    pub fn create_first_administrator(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Secret,
    ) -> Result<User, HubError> {
        let (name, fullname, email) = (
            name.to_owned(),
            fullname.to_owned(),
            email.map(ToOwned::to_owned),
        );
        self.block_on(|state| async move {
            let context = state.embedder_context();
            state
                .create_first_administrator(&name, &fullname, email.as_deref(), password, &context)
                .await
        })
    }

    /// All users.
    pub fn list_users(&self) -> Result<Vec<User>, HubError> {
        self.block_on(|state| async move { state.registry.users().await })
    }

    /// Creates an organization, without members.
    pub fn create_organization(
        &self,
        name: &str,
        fullname: &str,
    ) -> Result<Organization, HubError> {
        let (name, fullname) = (name.to_owned(), fullname.to_owned());
        self.block_on(|state| async move {
            state
                .registry
                .create_organization(&name, &fullname, &state.embedder_context())
                .await
        })
    }

    /// Adds a user to an organization, or changes a member's role.
    pub fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
    ) -> Result<(), HubError> {
        let (organization, user) = (organization.to_owned(), user.to_owned());
        self.block_on(move |state| async move {
            state
                .registry
                .set_member(&organization, &user, role, &state.embedder_context())
                .await
        })
    }

    /// Removes a member from an organization.
    pub fn remove_member(&self, organization: &str, user: &str) -> Result<(), HubError> {
        let (organization, user) = (organization.to_owned(), user.to_owned());
        self.block_on(|state| async move {
            state
                .registry
                .remove_member(&organization, &user, &state.embedder_context())
                .await
        })
    }

    /// The organization's policy for its members' tokens.
    pub fn token_policy(&self, organization: &str) -> Result<TokenPolicy, HubError> {
        let organization = organization.to_owned();
        self.block_on(|state| async move { state.registry.token_policy(&organization).await })
    }

    /// Sets the organization's policy for its members' tokens.
    pub fn set_token_policy(
        &self,
        organization: &str,
        policy: TokenPolicy,
    ) -> Result<(), HubError> {
        let organization = organization.to_owned();
        self.block_on(move |state| async move {
            let context = state.embedder_context();
            state
                .registry
                .set_token_policy(&organization, policy, &context)
                .await
        })
    }

    /// The members' tokens that requested approval by an organization or were revoked; pending
    /// requests come first.
    pub fn list_approvals(&self, organization: &str) -> Result<Vec<Approval>, HubError> {
        let organization = organization.to_owned();
        self.block_on(|state| async move { state.registry.approvals(&organization).await })
    }

    /// Decides about a member's token, given its id, or its name if it is among those that
    /// requested approval.
    pub fn decide(
        &self,
        organization: &str,
        id_or_name: &str,
        decision: Decision,
    ) -> Result<Approval, HubError> {
        let (organization, token) = (organization.to_owned(), id_or_name.to_owned());
        self.block_on(move |state| async move {
            let context = state.embedder_context();
            let token = MemberToken::IdOrName(&token);
            state
                .registry
                .decide(&organization, token, decision, &context)
                .await
        })
    }

    /// Entries of the audit log, newest first; at most a thousand.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, HubError> {
        let filter = filter.clone();
        self.block_on(|state| async move { state.registry.audit(&filter).await })
    }
}
