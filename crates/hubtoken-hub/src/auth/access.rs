//! The authorization policy: which caller may do what to which repository. It does no I/O, so the
//! whole table can be tested.
//!
//! Two rights are combined. The *user's* right in the owning namespace is the upper bound, and the
//! *token's* right says how much of it was given to this token; the smaller of the two applies.
//! Public access, the gate and the switch that disables a repository are then taken into account.
//! The organization's token policy comes last: it can only take access away, and never access that
//! the public has.

use crate::registry::{
    Entity, EntityType, FineGrained, GrantedRole, LoginScope, Membership, Namespace,
    OrganizationRole, Principal, Repository, RepositoryType, Restriction, TokenOwner, User,
};

/// The level of access to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccessLevel {
    None,
    Read,
    Write,
}

/// An operation on a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Its metadata and list of files.
    See,
    /// The content of its files.
    Read,
    /// New commits.
    Write,
    /// Its settings, or its deletion.
    Manage,
}

/// The reason for a denial. Each is a different response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// An anonymous request for a repository that is not public. The response does not reveal
    /// whether it exists.
    LoginRequired,
    /// An anonymous write to a repository that is public to read.
    LoginRequiredToWrite,
    /// This token may not see the repository, and is not told that it exists.
    NotFound,
    /// An anonymous request for a gated repository.
    GateClosedToAnonymous,
    /// The user was not granted access.
    GateClosed,
    /// The user has access, but the fine-grained token does not include gated repositories.
    GateClosedToToken,
    /// The repository is disabled.
    Disabled,
    /// It can be read, but not changed.
    ReadOnly,
    /// Access would be allowed, but the organization's policy blocks this token.
    BlockedByPolicy(Restriction),
}

/// Evaluates the policy. `granted` says whether the user was granted access through the gate.
pub(crate) fn decide(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    action: Action,
) -> Result<(), Denial> {
    // Evaluate without the organization's policy first, so that a caller who may not see a
    // repository learns nothing about the policy.
    decide_without_policy(caller, repository, granted, action)?;
    let is_public = !repository.private
        && match action {
            Action::See => true,
            Action::Read => repository.gated.is_none(),
            Action::Write | Action::Manage => false,
        };
    match caller.and_then(|principal| principal.restriction(&repository.namespace_id)) {
        Some(restriction) if !is_public => Err(Denial::BlockedByPolicy(restriction)),
        _ => Ok(()),
    }
}

fn decide_without_policy(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    action: Action,
) -> Result<(), Denial> {
    let level = caller.map_or(AccessLevel::None, |principal| {
        effective_access_level(principal, repository)
    });
    if repository.private && level < AccessLevel::Read {
        return Err(if caller.is_none() {
            Denial::LoginRequired
        } else {
            Denial::NotFound
        });
    }
    // The owner can still delete a disabled repository, or read its settings page.
    if repository.disabled && action != Action::Manage {
        return Err(Denial::Disabled);
    }
    match action {
        Action::See => Ok(()),
        Action::Read => check_gate(caller, repository, granted, level),
        Action::Manage if !caller.is_none_or(token_may_manage) => Err(Denial::ReadOnly),
        Action::Write | Action::Manage if level == AccessLevel::Write => Ok(()),
        Action::Write | Action::Manage => Err(if caller.is_none() {
            Denial::LoginRequiredToWrite
        } else {
            Denial::ReadOnly
        }),
    }
}

/// Why a repository may not be created in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreationDenial {
    /// The user or the token lacks the right.
    NotPermitted,
    /// Creation would be allowed, but the organization's policy blocks this token.
    BlockedByPolicy(Restriction),
}

/// Whether the token may create repositories in the namespace.
pub(crate) fn may_create(
    principal: &Principal,
    namespace: &Namespace,
) -> Result<(), CreationDenial> {
    let of_owner = match &principal.owner {
        TokenOwner::User(user) => {
            user.id == namespace.id
                || role_in(principal, &namespace.id).is_some_and(|role| {
                    matches!(
                        role,
                        OrganizationRole::Admin
                            | OrganizationRole::Write
                            | OrganizationRole::Contributor
                    )
                })
        }
        TokenOwner::ServiceAccount(account) => account.organization.id == namespace.id,
    };
    let of_token = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Repository(_) => false,
        GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => fine.scoped.iter().any(|scope| {
            is_namespace(&scope.entity, &namespace.id)
                && level_from_permissions(&scope.permissions) == AccessLevel::Write
        }),
        GrantedRole::Login(scopes) => {
            scopes.is_everything()
                || (principal.owner.id() == namespace.id
                    && scopes.include(&[LoginScope::ManageRepos, LoginScope::ContributeRepos]))
        }
    };
    if !(of_owner && of_token) {
        return Err(CreationDenial::NotPermitted);
    }
    match principal.restriction(&namespace.id) {
        Some(restriction) => Err(CreationDenial::BlockedByPolicy(restriction)),
        None => Ok(()),
    }
}

/// Whether the token itself may be used to administer an organization. Whether its user is an
/// administrator is checked by the registry.
pub(crate) fn may_administer(principal: &Principal, organization_id: &str) -> bool {
    match &principal.token.role {
        GrantedRole::Read | GrantedRole::Repository(_) => false,
        GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => {
            has_organization_permission(fine, organization_id, "org.write")
        }
        GrantedRole::Login(scopes) => scopes.is_everything(),
    }
}

/// What is to be done with an organization's service accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Managing {
    Read,
    Write,
}

/// Whether the token itself may be used to read or change an organization's service accounts.
/// Whether its user is an administrator is checked elsewhere. A service account changes none, since
/// its token could otherwise create one that may do more than itself.
pub(crate) fn may_manage_accounts(
    principal: &Principal,
    organization_id: &str,
    managing: Managing,
) -> bool {
    let is_account = matches!(principal.owner, TokenOwner::ServiceAccount(_));
    match (&principal.token.role, managing) {
        (_, Managing::Write) if is_account => false,
        (GrantedRole::Read, Managing::Write) | (GrantedRole::Repository(_), _) => false,
        (GrantedRole::Read | GrantedRole::Write, _) => true,
        (GrantedRole::FineGrained(fine), managing) => {
            let has = |wanted| has_organization_permission(fine, organization_id, wanted);
            has("org.serviceAccounts.write")
                || (managing == Managing::Read && has("org.serviceAccounts.read"))
        }
        (GrantedRole::Login(scopes), _) => scopes.is_everything(),
    }
}

/// Whether the token itself may exempt others from an organization's network security.
pub(crate) fn may_skip_network_security(principal: &Principal, organization_id: &str) -> bool {
    match &principal.token.role {
        GrantedRole::Read | GrantedRole::Repository(_) => false,
        GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => {
            has_organization_permission(fine, organization_id, "org.networkSecurity.write")
        }
        GrantedRole::Login(scopes) => scopes.is_everything(),
    }
}

fn has_organization_permission(fine: &FineGrained, organization_id: &str, wanted: &str) -> bool {
    fine.scoped.iter().any(|scope| {
        scope.entity.kind == EntityType::Org
            && scope.entity.id == organization_id
            && scope.permissions.iter().any(|each| each == wanted)
    })
}

/// The right that is missing for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingRight {
    /// The user is not a member of the namespace.
    NotAMember,
    /// The user's role in the organization does not allow it.
    Role(OrganizationRole),
    /// The user may write, but the token is read-only.
    ReadToken,
    /// The user may write, but this token was not granted the permission.
    FineGrainedToken,
    /// The user may write, but the scopes of this login do not include it.
    LoginScopes,
    /// The user may write, but this token is for another repository.
    OtherRepository,
}

/// Finds out why the caller may not write. Reasons that lie with the user come first, because no
/// other token would help.
pub(crate) fn missing_right(principal: &Principal, repository: &Repository) -> MissingRight {
    if owner_access_level(principal, repository) < AccessLevel::Write {
        return role_in(principal, &repository.namespace_id)
            .map_or(MissingRight::NotAMember, MissingRight::Role);
    }
    match principal.token.role {
        GrantedRole::Read | GrantedRole::Write => MissingRight::ReadToken,
        GrantedRole::FineGrained(_) => MissingRight::FineGrainedToken,
        GrantedRole::Login(_) => MissingRight::LoginScopes,
        GrantedRole::Repository(_) => MissingRight::OtherRepository,
    }
}

fn check_gate(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    level: AccessLevel,
) -> Result<(), Denial> {
    if repository.gated.is_none() || level >= AccessLevel::Read {
        // Users with a right of their own are members; the gate is for outsiders.
        return Ok(());
    }
    let Some(principal) = caller else {
        return Err(Denial::GateClosedToAnonymous);
    };
    let by_token = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => {
            fine.can_read_gated_repos
                || token_access_level(principal, repository) >= AccessLevel::Read
        }
        GrantedRole::Login(scopes) => {
            scopes.include(&[LoginScope::GatedRepos])
                || token_access_level(principal, repository) >= AccessLevel::Read
        }
        GrantedRole::Repository(_) => {
            token_access_level(principal, repository) >= AccessLevel::Read
        }
    };
    if !by_token {
        Err(Denial::GateClosedToToken)
    } else if granted || owner_access_level(principal, repository) >= AccessLevel::Read {
        Ok(())
    } else {
        Err(Denial::GateClosed)
    }
}

fn effective_access_level(principal: &Principal, repository: &Repository) -> AccessLevel {
    owner_access_level(principal, repository).min(token_access_level(principal, repository))
}

/// Whether a user may know that a repository exists, regardless of the token.
pub(crate) fn user_can_see(
    user: &User,
    memberships: &[Membership],
    repository: &Repository,
) -> bool {
    !repository.private || access_level(user, memberships, repository) >= AccessLevel::Read
}

/// Whether a user may write to a repository, regardless of the token.
pub(crate) fn user_can_write(
    user: &User,
    memberships: &[Membership],
    repository: &Repository,
) -> bool {
    access_level(user, memberships, repository) == AccessLevel::Write
}

fn owner_access_level(principal: &Principal, repository: &Repository) -> AccessLevel {
    match &principal.owner {
        TokenOwner::User(user) => access_level(user, &principal.memberships, repository),
        // Its tokens alone say what it may do in its organization.
        TokenOwner::ServiceAccount(account)
            if account.organization.id == repository.namespace_id =>
        {
            AccessLevel::Write
        }
        TokenOwner::ServiceAccount(_) => AccessLevel::None,
    }
}

fn access_level(user: &User, memberships: &[Membership], repository: &Repository) -> AccessLevel {
    if user.id == repository.namespace_id {
        return AccessLevel::Write;
    }
    match role_among(memberships, &repository.namespace_id) {
        Some(OrganizationRole::Admin | OrganizationRole::Write) => AccessLevel::Write,
        Some(OrganizationRole::Contributor) if repository.creator_id == user.id => {
            AccessLevel::Write
        }
        Some(OrganizationRole::Contributor | OrganizationRole::Read) => AccessLevel::Read,
        Some(OrganizationRole::NoAccess) | None => AccessLevel::None,
    }
}

fn token_access_level(principal: &Principal, repository: &Repository) -> AccessLevel {
    match &principal.token.role {
        GrantedRole::Read => AccessLevel::Read,
        GrantedRole::Write => AccessLevel::Write,
        GrantedRole::FineGrained(fine) => {
            let on = |is_meant: &dyn Fn(&Entity) -> bool| {
                let meant = fine.scoped.iter().filter(|scope| is_meant(&scope.entity));
                meant
                    .map(|scope| level_from_permissions(&scope.permissions))
                    .max()
            };
            let on_repository = on(&|entity| is_repository(entity, repository));
            let on_namespace = on(&|entity| is_namespace(entity, &repository.namespace_id));
            match &principal.owner {
                TokenOwner::User(_) => on_repository.max(on_namespace),
                // In a service account's token, a repository's own permissions replace those on
                // the organization, even if they are fewer.
                TokenOwner::ServiceAccount(_) => on_repository.or(on_namespace),
            }
            .unwrap_or(AccessLevel::None)
        }
        GrantedRole::Login(scopes) if scopes.is_everything() => AccessLevel::Write,
        // Scopes are about the user's own repositories.
        GrantedRole::Login(_) if principal.owner.id() != repository.namespace_id => {
            AccessLevel::None
        }
        GrantedRole::Login(scopes) => {
            if scopes.include(&[LoginScope::WriteRepos, LoginScope::ManageRepos]) {
                AccessLevel::Write
            } else if scopes.include(&[LoginScope::ReadRepos]) {
                AccessLevel::Read
            } else {
                AccessLevel::None
            }
        }
        GrantedRole::Repository(entity) if is_repository(entity, repository) => AccessLevel::Write,
        GrantedRole::Repository(_) => AccessLevel::None,
    }
}

/// Whether a token that may write may also change settings and delete.
fn token_may_manage(principal: &Principal) -> bool {
    match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write | GrantedRole::FineGrained(_) => true,
        GrantedRole::Login(scopes) => scopes.include(&[LoginScope::ManageRepos]),
        GrantedRole::Repository(_) => false,
    }
}

/// Writing includes reading. Every other permission of the Hub concerns something other than
/// content.
fn level_from_permissions(permissions: &[String]) -> AccessLevel {
    if permissions
        .iter()
        .any(|permission| permission == "repo.write")
    {
        AccessLevel::Write
    } else if permissions
        .iter()
        .any(|permission| permission == "repo.content.read")
    {
        AccessLevel::Read
    } else {
        AccessLevel::None
    }
}

fn role_in(principal: &Principal, organization_id: &str) -> Option<OrganizationRole> {
    role_among(&principal.memberships, organization_id)
}

fn role_among(memberships: &[Membership], organization_id: &str) -> Option<OrganizationRole> {
    memberships
        .iter()
        .find(|membership| membership.organization.id == organization_id)
        .map(|membership| membership.role)
}

fn is_namespace(entity: &Entity, id: &str) -> bool {
    matches!(entity.kind, EntityType::User | EntityType::Org) && entity.id == id
}

fn is_repository(entity: &Entity, repository: &Repository) -> bool {
    let kind = match entity.kind {
        EntityType::Model => RepositoryType::Model,
        EntityType::Dataset => RepositoryType::Dataset,
        EntityType::Space => RepositoryType::Space,
        EntityType::User | EntityType::Org => return false,
    };
    kind == repository.kind && entity.id == repository.id
}

#[cfg(test)]
mod tests;
