//! Operations on trusted publishers, with the checks that all who add one have in common.

use super::HubState;
use crate::auth::access::user_can_write;
use crate::error::HubError;
use crate::registry::{
    AuditContext, KNOWN_ISSUERS, NamespaceType, NewPublisher, OrganizationRole, Publisher,
    PublisherTarget, PublisherTrust, Repository, Resource, TokenPolicy, User,
};

impl HubState {
    /// Adds a trusted publisher for a repository or a user. It acts in the name of `user`, by
    /// default the one whose namespace it is. The short name of a known issuer stands for its URL.
    pub(crate) async fn create_publisher(
        &self,
        resource: &str,
        user: Option<&str>,
        mut trust: PublisherTrust,
        context: &AuditContext,
    ) -> Result<Publisher, HubError> {
        if let Some(known) = KNOWN_ISSUERS
            .iter()
            .find(|known| known.slug == trust.issuer)
        {
            known.issuer.clone_into(&mut trust.issuer);
        }
        trust.check()?;
        let (repository, user) = match Resource::parse(resource)? {
            Resource::Repository(kind, namespace, name) => {
                let repository = self.registry.repository(kind, namespace, name).await?;
                let user = self.user_to_act_for(&repository, user).await?;
                if let Some(reason) = self.why_not_publish(&user, &repository).await? {
                    return Err(invalid_user(reason));
                }
                (Some(repository), user)
            }
            Resource::User(name) => {
                let owner = self.registry.user(name).await?;
                if let Some(user) = user
                    && self.registry.user(user).await?.id != owner.id
                {
                    return Err(invalid_user(format!(
                        "a publisher of `{}` acts in that user's own name",
                        owner.name
                    )));
                }
                (None, owner)
            }
        };
        let new = NewPublisher {
            target: repository
                .as_ref()
                .map_or(PublisherTarget::User, PublisherTarget::Repository),
            user: &user,
            trust,
        };
        self.registry.create_publisher(new, context).await
    }

    async fn user_to_act_for(
        &self,
        repository: &Repository,
        user: Option<&str>,
    ) -> Result<User, HubError> {
        if let Some(user) = user {
            return self.registry.user(user).await;
        }
        let namespace = self.registry.namespace(&repository.namespace).await?;
        if namespace.kind != NamespaceType::User {
            return Err(invalid_user(format!(
                "{} belongs to an organization: name the user in whose name its publisher acts",
                repository.page()
            )));
        }
        self.registry.user(&namespace.name).await
    }

    /// Why a publisher cannot act in a user's name, or `None` if it can: the user may write to the
    /// repository, and the organization leaves it to that user which tokens do so.
    pub(crate) async fn why_not_publish(
        &self,
        user: &User,
        repository: &Repository,
    ) -> Result<Option<String>, HubError> {
        let memberships = self.registry.memberships(&user.id).await?;
        if !user_can_write(user, &memberships, repository) {
            return Ok(Some(format!(
                "`{}` may not write to {}, so nothing can be published in that name",
                user.name,
                repository.page()
            )));
        }
        let membership = memberships
            .iter()
            .find(|each| each.organization.id == repository.namespace_id);
        let Some(membership) = membership else {
            return Ok(None);
        };
        let organization = &membership.organization.name;
        let policy = self.registry.token_policy(organization).await?;
        let needs_administrator =
            policy == TokenPolicy::RequireApproval && membership.role != OrganizationRole::Admin;
        Ok(needs_administrator.then(|| {
            format!(
                "`{organization}` approves its members' tokens, and tokens of a publisher are new each time: an \
                 administrator of it must add the publisher"
            )
        }))
    }

    /// The publishers of a repository or a user, or all.
    pub(crate) async fn list_publishers(
        &self,
        resource: Option<&str>,
    ) -> Result<Vec<Publisher>, HubError> {
        match resource.map(Resource::parse).transpose()? {
            None => self.registry.publishers().await,
            Some(Resource::Repository(kind, namespace, name)) => {
                let repository = self.registry.repository(kind, namespace, name).await?;
                self.registry.publishers_of_repository(&repository.id).await
            }
            Some(Resource::User(name)) => {
                let user = self.registry.user(name).await?;
                self.registry.publishers_of_user(&user.id).await
            }
        }
    }
}

fn invalid_user(reason: String) -> HubError {
    HubError::UnusableOption {
        what: "the user of the publisher".to_owned(),
        reason,
    }
}
