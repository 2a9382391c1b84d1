//! The policy: who may do what to which repository. No input or output, so that the whole table can be tested.
//!
//! Two things must agree. The *user's* right in the owning namespace says what the person may do at all; the
//! *token's* right says how much of that was handed to this token. The smaller of the two counts. Beside that stand
//! what the public may do, the gate, and the switch that disables a repository. Last comes what an organization says to
//! its members' tokens: it only ever takes away, and only what the public may not do.

use super::registry::{
    Entity, EntityType, GrantedRole, Membership, Namespace, OrganizationRole, Principal,
    Repository, RepositoryType, Restriction, User,
};

/// How far somebody may go in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    None,
    Read,
    Write,
}

/// What is to be done to a repository.
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

/// Why it may not be done. Each is a different answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Nobody is logged in, and the repository is not for everybody: it is not said whether it exists.
    LoginRequired,
    /// Everybody may read it, but nobody is logged in who could write.
    LoginRequiredToWrite,
    /// It is not for this token, which is not told that it exists.
    Invisible,
    /// Nobody is logged in, and the repository is gated.
    GateClosedToAnonymous,
    /// The user was not granted access.
    GateClosed,
    /// The user may, but the fine-grained token was not given gated repositories.
    GateClosedToToken,
    /// Access to the repository is switched off.
    Disabled,
    /// It can be read, but not changed.
    ReadOnly,
    /// All would be well, but the organization keeps this token out.
    KeptOut(Restriction),
}

/// Decides. `granted` says whether the user was let through the gate.
pub(crate) fn decide(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    action: Action,
) -> Result<(), Denial> {
    // First what would hold without a policy: whoever may not see a repository anyway learns nothing from a policy.
    decide_without_policy(caller, repository, granted, action)?;
    let for_everybody = !repository.private
        && match action {
            Action::See => true,
            Action::Read => repository.gated.is_none(),
            Action::Write | Action::Manage => false,
        };
    match caller.and_then(|principal| principal.restriction(&repository.namespace_id)) {
        Some(restriction) if !for_everybody => Err(Denial::KeptOut(restriction)),
        _ => Ok(()),
    }
}

fn decide_without_policy(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    action: Action,
) -> Result<(), Denial> {
    let right = caller.map_or(Right::None, |principal| {
        effective_right(principal, repository)
    });
    if repository.private && right < Right::Read {
        return Err(if caller.is_none() {
            Denial::LoginRequired
        } else {
            Denial::Invisible
        });
    }
    // The owner can still delete a disabled repository, or read its settings page.
    if repository.disabled && action != Action::Manage {
        return Err(Denial::Disabled);
    }
    match action {
        Action::See => Ok(()),
        Action::Read => pass_gate(caller, repository, granted, right),
        Action::Write | Action::Manage if right == Right::Write => Ok(()),
        Action::Write | Action::Manage => Err(if caller.is_none() {
            Denial::LoginRequiredToWrite
        } else {
            Denial::ReadOnly
        }),
    }
}

/// Why nothing may be created in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCreation {
    /// The user or the token has no right to.
    NoRight,
    /// All would be well, but the organization keeps this token out.
    KeptOut(Restriction),
}

/// Whether the token may create repositories in the namespace.
pub(crate) fn may_create(principal: &Principal, namespace: &Namespace) -> Result<(), NoCreation> {
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
                && permitted(&scope.permissions) == Right::Write
        }),
    };
    if !(of_user && of_token) {
        return Err(NoCreation::NoRight);
    }
    match principal.restriction(&namespace.id) {
        Some(restriction) => Err(NoCreation::KeptOut(restriction)),
        None => Ok(()),
    }
}

/// Whether the token may do what administrators do in an organization, as far as the token goes; the registry knows
/// whether its user is one.
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

/// What is missing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The user has nothing to do with the namespace.
    NoMember,
    /// The user's role in the organization.
    Role(OrganizationRole),
    /// The user may, but the token is for reading.
    ReadToken,
    /// The user may, but it was not handed to this token.
    FineGrainedToken,
}

/// What a caller lacks who may not write. What lies with the user comes first: no other token would help.
pub(crate) fn shortage(principal: &Principal, repository: &Repository) -> Shortage {
    if right_of_user(principal, repository) < Right::Write {
        return role_in(principal, &repository.namespace_id)
            .map_or(Shortage::NoMember, Shortage::Role);
    }
    match principal.token.role {
        GrantedRole::Read | GrantedRole::Write => Shortage::ReadToken,
        GrantedRole::FineGrained(_) => Shortage::FineGrainedToken,
    }
}

fn pass_gate(
    caller: Option<&Principal>,
    repository: &Repository,
    granted: bool,
    right: Right,
) -> Result<(), Denial> {
    if repository.gated.is_none() || right >= Right::Read {
        // A right of one's own is a membership: the gate is for outsiders.
        return Ok(());
    }
    let Some(principal) = caller else {
        return Err(Denial::GateClosedToAnonymous);
    };
    let by_token = match &principal.token.role {
        GrantedRole::Read | GrantedRole::Write => true,
        GrantedRole::FineGrained(fine) => {
            fine.can_read_gated_repos || right_of_token(principal, repository) >= Right::Read
        }
    };
    if !by_token {
        Err(Denial::GateClosedToToken)
    } else if granted || right_of_user(principal, repository) >= Right::Read {
        Ok(())
    } else {
        Err(Denial::GateClosed)
    }
}

fn effective_right(principal: &Principal, repository: &Repository) -> Right {
    right_of_user(principal, repository).min(right_of_token(principal, repository))
}

/// Whether a user may know that a repository exists, whatever token is in use.
pub(crate) fn user_may_see(
    user: &User,
    memberships: &[Membership],
    repository: &Repository,
) -> bool {
    !repository.private || right_of(user, memberships, repository) >= Right::Read
}

fn right_of_user(principal: &Principal, repository: &Repository) -> Right {
    right_of(&principal.user, &principal.memberships, repository)
}

fn right_of(user: &User, memberships: &[Membership], repository: &Repository) -> Right {
    if user.id == repository.namespace_id {
        return Right::Write;
    }
    match role_among(memberships, &repository.namespace_id) {
        Some(OrganizationRole::Admin | OrganizationRole::Write) => Right::Write,
        Some(OrganizationRole::Contributor) if repository.creator_id == user.id => Right::Write,
        Some(OrganizationRole::Contributor | OrganizationRole::Read) => Right::Read,
        Some(OrganizationRole::NoAccess) | None => Right::None,
    }
}

fn right_of_token(principal: &Principal, repository: &Repository) -> Right {
    match &principal.token.role {
        GrantedRole::Read => Right::Read,
        GrantedRole::Write => Right::Write,
        GrantedRole::FineGrained(fine) => fine
            .scoped
            .iter()
            .filter(|scope| {
                is_namespace(&scope.entity, &repository.namespace_id)
                    || is_repository(&scope.entity, repository)
            })
            .map(|scope| permitted(&scope.permissions))
            .max()
            .unwrap_or(Right::None),
    }
}

/// Writing includes reading; every other permission of the Hub's is about something else than content.
fn permitted(permissions: &[String]) -> Right {
    if permissions
        .iter()
        .any(|permission| permission == "repo.write")
    {
        Right::Write
    } else if permissions
        .iter()
        .any(|permission| permission == "repo.content.read")
    {
        Right::Read
    } else {
        Right::None
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
