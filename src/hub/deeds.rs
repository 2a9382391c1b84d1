//! What the owner of a [`Hub`] can do with it, each a blocking call.
//!
//! # Errors
//! Every method returns the [`HubError`] that names what is wrong, [`HubError::Stopped`] after a stop, and
//! [`HubError::OtherProcess`] in a process forked from the one that started the Hub.
#![allow(clippy::missing_errors_doc, reason = "said once, above")]

use super::error::HubError;
use super::handle::Hub;
use super::names;
use super::registry::{
    Approval, AuditEntry, AuditFilter, CreatedToken, Decision, Gate, GateChange, MemberToken,
    NewToken, Organization, OrganizationRole, Repository, RepositoryChange, RepositoryType,
    TokenInfo, TokenPolicy, TokenRole, User,
};
use super::secret::Secret;
use super::state::HubState;

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
        self.run(|state| async move {
            state
                .create_user(
                    &name,
                    &fullname,
                    email.as_deref(),
                    password,
                    &state.program(),
                )
                .await
        })
    }

    /// Gives a user a new password; whoever is signed in as the user is signed out.
    pub fn set_password(&self, name: &str, password: Secret) -> Result<(), HubError> {
        let name = name.to_owned();
        self.run(|state| async move {
            let origin = state.program();
            state.set_password(&name, password, &origin).await
        })
    }

    /// Makes a user the first administrator. A user who exists gets the password.
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
        self.run(|state| async move {
            let origin = state.program();
            state
                .create_first_administrator(&name, &fullname, email.as_deref(), password, &origin)
                .await
        })
    }

    /// All users.
    pub fn list_users(&self) -> Result<Vec<User>, HubError> {
        self.run(|state| async move { state.registry.users().await })
    }

    /// Creates an organization, without members.
    pub fn create_organization(
        &self,
        name: &str,
        fullname: &str,
    ) -> Result<Organization, HubError> {
        let (name, fullname) = (name.to_owned(), fullname.to_owned());
        self.run(|state| async move {
            state
                .registry
                .create_organization(&name, &fullname, &state.program())
                .await
        })
    }

    /// Makes a user a member of an organization, or changes the role of one.
    pub fn set_member(
        &self,
        organization: &str,
        user: &str,
        role: OrganizationRole,
    ) -> Result<(), HubError> {
        let (organization, user) = (organization.to_owned(), user.to_owned());
        self.run(move |state| async move {
            state
                .registry
                .set_member(&organization, &user, role, &state.program())
                .await
        })
    }

    /// Removes a member from an organization.
    pub fn remove_member(&self, organization: &str, user: &str) -> Result<(), HubError> {
        let (organization, user) = (organization.to_owned(), user.to_owned());
        self.run(|state| async move {
            state
                .registry
                .remove_member(&organization, &user, &state.program())
                .await
        })
    }

    /// Creates a token. Its value is in the answer and nowhere else.
    pub fn create_token(&self, user: &str, new: NewToken) -> Result<CreatedToken, HubError> {
        let user = user.to_owned();
        self.run(|state| async move {
            state
                .registry
                .create_token(&user, new, &state.program())
                .await
        })
    }

    /// The tokens of a user, oldest first.
    pub fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        let user = user.to_owned();
        self.run(|state| async move { state.list_tokens(&user).await })
    }

    /// Renames a token, given its id or its name.
    pub fn rename_token(
        &self,
        user: &str,
        id_or_name: &str,
        new_name: &str,
    ) -> Result<TokenInfo, HubError> {
        let (user, token, name) = (user.to_owned(), id_or_name.to_owned(), new_name.to_owned());
        self.run(|state| async move {
            state
                .registry
                .rename_token(&user, &token, &name, &state.program())
                .await
        })
    }

    /// Gives a token another role. Organizations that approved it are asked again.
    pub fn change_token(
        &self,
        user: &str,
        id_or_name: &str,
        role: TokenRole,
    ) -> Result<TokenInfo, HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.run(|state| async move {
            let origin = state.program();
            state
                .registry
                .change_token(&user, &token, role, &origin)
                .await
        })
    }

    /// Which tokens of its members an organization lets in.
    pub fn token_policy(&self, organization: &str) -> Result<TokenPolicy, HubError> {
        let organization = organization.to_owned();
        self.run(|state| async move { state.registry.token_policy(&organization).await })
    }

    /// Sets that.
    pub fn set_token_policy(
        &self,
        organization: &str,
        policy: TokenPolicy,
    ) -> Result<(), HubError> {
        let organization = organization.to_owned();
        self.run(move |state| async move {
            let origin = state.program();
            state
                .registry
                .set_token_policy(&organization, policy, &origin)
                .await
        })
    }

    /// The members' tokens that asked to be let in to an organization, or were revoked; those that wait come first.
    pub fn list_approvals(&self, organization: &str) -> Result<Vec<Approval>, HubError> {
        let organization = organization.to_owned();
        self.run(|state| async move { state.registry.approvals(&organization).await })
    }

    /// Decides about a member's token, given its id, or its name among those that asked.
    pub fn decide(
        &self,
        organization: &str,
        id_or_name: &str,
        decision: Decision,
    ) -> Result<Approval, HubError> {
        let (organization, token) = (organization.to_owned(), id_or_name.to_owned());
        self.run(move |state| async move {
            let origin = state.program();
            let token = MemberToken::IdOrName(&token);
            state
                .registry
                .decide(&organization, token, decision, &origin)
                .await
        })
    }

    /// Entries of the audit log, the newest first; a thousand at most.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, HubError> {
        let filter = filter.clone();
        self.run(|state| async move { state.registry.audit(&filter).await })
    }

    /// Gives a token a new value; the old one stops working at once.
    pub fn refresh_token(&self, user: &str, id_or_name: &str) -> Result<CreatedToken, HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.run(|state| async move {
            state
                .registry
                .refresh_token(&user, &token, &state.program())
                .await
        })
    }

    /// Deletes a token; it stops working at once.
    pub fn delete_token(&self, user: &str, id_or_name: &str) -> Result<(), HubError> {
        let (user, token) = (user.to_owned(), id_or_name.to_owned());
        self.run(|state| async move {
            state
                .registry
                .delete_token(&user, &token, &state.program())
                .await
        })
    }

    /// Creates a repository, `id` being `namespace/name`. It belongs to the user, or to the organization as a whole.
    pub fn create_repository(
        &self,
        kind: RepositoryType,
        id: &str,
        private: bool,
        gated: Option<Gate>,
    ) -> Result<Repository, HubError> {
        let id = id.to_owned();
        self.run(move |state| async move {
            let (namespace, name) = names::split_repository(&id)?;
            let namespace = state.registry.namespace(namespace).await?;
            state
                .create_repository(
                    kind,
                    &namespace,
                    name,
                    None,
                    (private, gated),
                    &state.program(),
                )
                .await
        })
    }

    /// Deletes a repository with all its content.
    pub fn delete_repository(&self, kind: RepositoryType, id: &str) -> Result<(), HubError> {
        let id = id.to_owned();
        self.run(move |state| async move {
            let repository = found(&state, kind, &id).await?;
            state.delete_repository(&repository, &state.program()).await
        })
    }

    /// Makes a repository private or public.
    pub fn set_private(
        &self,
        kind: RepositoryType,
        id: &str,
        private: bool,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                private: Some(private),
                ..RepositoryChange::default()
            },
        )
    }

    /// Gates a repository, or opens it again.
    pub fn set_gated(
        &self,
        kind: RepositoryType,
        id: &str,
        gated: Option<Gate>,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                gated: GateChange::Set(gated),
                ..RepositoryChange::default()
            },
        )
    }

    /// Switches all access to a repository off, or on again.
    pub fn set_disabled(
        &self,
        kind: RepositoryType,
        id: &str,
        disabled: bool,
    ) -> Result<Repository, HubError> {
        self.change(
            kind,
            id,
            RepositoryChange {
                disabled: Some(disabled),
                ..RepositoryChange::default()
            },
        )
    }

    /// Lets a user through the gate of a repository.
    pub fn grant_access(&self, kind: RepositoryType, id: &str, user: &str) -> Result<(), HubError> {
        self.let_through(kind, id, user, true)
    }

    /// Takes that back.
    pub fn revoke_access(
        &self,
        kind: RepositoryType,
        id: &str,
        user: &str,
    ) -> Result<(), HubError> {
        self.let_through(kind, id, user, false)
    }

    fn let_through(
        &self,
        kind: RepositoryType,
        id: &str,
        user: &str,
        granted: bool,
    ) -> Result<(), HubError> {
        let (id, user) = (id.to_owned(), user.to_owned());
        self.run(move |state| async move {
            let (registry, origin) = (&state.registry, state.program());
            let repository = found(&state, kind, &id).await?;
            let user = registry.user(&user).await?;
            if granted {
                registry.grant(&repository.id, &user.id, &origin).await
            } else {
                registry
                    .revoke_grant(&repository.id, &user.id, &origin)
                    .await
            }
        })
    }

    fn change(
        &self,
        kind: RepositoryType,
        id: &str,
        change: RepositoryChange,
    ) -> Result<Repository, HubError> {
        let id = id.to_owned();
        self.run(move |state| async move {
            let repository = found(&state, kind, &id).await?;
            state
                .registry
                .update_repository(&repository.id, change, &state.program())
                .await?;
            found(&state, kind, &id).await
        })
    }
}

/// The repository of an id, which is `namespace/name`.
async fn found(state: &HubState, kind: RepositoryType, id: &str) -> Result<Repository, HubError> {
    let (namespace, name) = names::split_repository(id)?;
    state.registry.repository(kind, namespace, name).await
}
