//! The authorization policy: which caller may do what to which repository. It does no I/O, so the
//! whole table can be tested.
//!
//! Two rights are combined. The *user's* right in the owning namespace is the upper bound, and the
//! *token's* right says how much of it was given to this token; the smaller of the two applies.
//! Public access, the gate and the switch that disables a repository are then taken into account.
//! The organization's token policy comes last: it can only take access away, and never access that
//! the public has.

use crate::registry::{
    Entity, EntityType, GrantedRole, Membership, Namespace, OrganizationRole, Principal,
    Repository, RepositoryType, Restriction, User,
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
    let of_user = principal.user.id == namespace.id
        || role_in(principal, &namespace.id).is_some_and(|role| {
            matches!(
                role,
                OrganizationRole::Admin | OrganizationRole::Write | OrganizationRole::Contributor
            )
        });
    let of_token = match &principal.token.role {
        GrantedRole::Read => false,
        GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => fine.scoped.iter().any(|scope| {
            is_namespace(&scope.entity, &namespace.id)
                && level_from_permissions(&scope.permissions) == AccessLevel::Write
        }),
    };
    if !(of_user && of_token) {
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
        GrantedRole::Read => false,
        GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => fine.scoped.iter().any(|scope| {
            scope.entity.kind == EntityType::Org
                && scope.entity.id == organization_id
                && scope.permissions.iter().any(|each| each == "org.write")
        }),
    }
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
}

/// Finds out why the caller may not write. Reasons that lie with the user come first, because no
/// other token would help.
pub(crate) fn missing_right(principal: &Principal, repository: &Repository) -> MissingRight {
    if user_access_level(principal, repository) < AccessLevel::Write {
        return role_in(principal, &repository.namespace_id)
            .map_or(MissingRight::NotAMember, MissingRight::Role);
    }
    match principal.token.role {
        GrantedRole::Read | GrantedRole::Write => MissingRight::ReadToken,
        GrantedRole::FineGrained(_) => MissingRight::FineGrainedToken,
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
    };
    if !by_token {
        Err(Denial::GateClosedToToken)
    } else if granted || user_access_level(principal, repository) >= AccessLevel::Read {
        Ok(())
    } else {
        Err(Denial::GateClosed)
    }
}

fn effective_access_level(principal: &Principal, repository: &Repository) -> AccessLevel {
    user_access_level(principal, repository).min(token_access_level(principal, repository))
}

/// Whether a user may know that a repository exists, regardless of the token.
pub(crate) fn user_can_see(
    user: &User,
    memberships: &[Membership],
    repository: &Repository,
) -> bool {
    !repository.private || access_level(user, memberships, repository) >= AccessLevel::Read
}

fn user_access_level(principal: &Principal, repository: &Repository) -> AccessLevel {
    access_level(&principal.user, &principal.memberships, repository)
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
        GrantedRole::FineGrained(fine) => fine
            .scoped
            .iter()
            .filter(|scope| {
                is_namespace(&scope.entity, &repository.namespace_id)
                    || is_repository(&scope.entity, repository)
            })
            .map(|scope| level_from_permissions(&scope.permissions))
            .max()
            .unwrap_or(AccessLevel::None),
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
