//! The access that a login asks for, so that the token it stores has that and little more.
//!
//! A login in the browser yields what the Hub's client may do, which is more than most jobs need.
//! A login that names a role, a repository or permissions opens the Hub's form for a new token
//! instead, filled in as far as such a link can, and checks the pasted token: one that lacks what
//! was asked for is not stored, and what one has beyond it is said.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::identity::Options;
use crate::identity::client::{Client, HubConnection};
use crate::identity::model::{Identity, Scope};
use crate::interrupt::Interrupt;
use crate::repository::RepositoryType;
use crate::require::Requirement;
use crate::role::{READ, Required, Role, TokenRole, WRITE, permission};
use crate::store::token_store::TokenStore;
use crate::target::Target;

/// A permission that fine-grained tokens have everywhere or not at all.
const GLOBAL: [&str; 1] = ["post.write"];
/// What the Hub's form checks along with reading or writing a repository.
const WITH_CONTENT: [&str; 1] = ["repo.access.read"];
/// How many findings a warning lists.
const SHOWN: usize = 6;

/// A role, a repository, and permissions that a token is to have.
///
/// ```
/// use hubtoken_core::endpoint::Endpoint;
/// use hubtoken_core::repository::RepositoryType;
/// use hubtoken_core::requested_access::RequestedAccess;
/// use hubtoken_core::role::Role;
///
/// let repository = ("acme/tiny".to_owned(), RepositoryType::Model);
/// let access = RequestedAccess::new(Some(Role::Read), Some(repository), &[])?.ok_or("nothing")?;
/// assert_eq!(
///     access.page(&Endpoint::default_hub(), |_| false),
///     "https://huggingface.co/settings/tokens/new\
///      ?tokenType=fineGrained&orgs=acme&orgPermissions=repo.content.read"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestedAccess {
    requirements: Vec<Requirement>,
    /// The repository as it was written.
    repository: Option<(String, RepositoryType)>,
}

impl RequestedAccess {
    /// What was asked for; `None` if nothing was. A repository is where the role is needed, and
    /// those of the permissions that concern repositories.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a repository that nothing is needed on or that cannot be one,
    /// and for a permission that is malformed or misspelled.
    pub fn new(
        role: Option<Role>,
        repository: Option<(String, RepositoryType)>,
        permissions: &[String],
    ) -> Result<Option<Self>, Error> {
        let mut required: Vec<Required> = role.map(Required::Role).into_iter().collect();
        for name in permissions {
            permission::check(name)?;
            required.push(Required::Permission(name.clone()));
        }
        let requirements: Vec<Requirement> = required
            .into_iter()
            .map(|required| Requirement {
                repository: repository
                    .clone()
                    .filter(|_| concerns_repositories(&required)),
                required,
                namespace: None,
                must_exist: false,
                needed_until: None,
            })
            .collect();
        if let Some((text, kind)) = &repository {
            Target::repository(text, *kind, "somebody")?;
            if requirements.iter().all(|each| each.repository.is_none()) {
                return Err(Error::InvalidArgument(
                    "a repository alone asks for no access: say which role is needed on it, read \
                     or write"
                        .to_owned(),
                ));
            }
        }
        Ok((!requirements.is_empty()).then_some(Self {
            requirements,
            repository,
        }))
    }

    /// What a job needs, one requirement or several. `None` if nothing.
    #[must_use]
    pub fn of(requirements: Vec<Requirement>) -> Option<Self> {
        let repository = requirements.iter().find_map(|each| each.repository.clone());
        (!requirements.is_empty()).then_some(Self {
            requirements,
            repository,
        })
    }

    /// What was asked for.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The role that the token needs everywhere, which no fine-grained token has. `None` if a role
    /// is needed on a repository alone, or not at all.
    fn general_role(&self) -> Option<Role> {
        let is_general = |each: &&Requirement| {
            each.repository.is_none() && matches!(each.required, Required::Role(_))
        };
        self.requirements.iter().find(is_general)?;
        let changes = |each: &Requirement| each.required.changes_something();
        Some(if self.requirements.iter().any(changes) {
            Role::Write
        } else {
            Role::Read
        })
    }

    /// The namespace of the repository, if it is written with one.
    fn namespace(&self) -> Option<&str> {
        self.requirements.iter().find_map(namespace_of)
    }

    /// Whether several namespaces are needed, which no link to the form can name.
    fn has_several_namespaces(&self) -> bool {
        let mut namespaces = self.requirements.iter().filter_map(namespace_of);
        let first = namespaces.next().unwrap_or_default();
        namespaces.any(|other| !other.eq_ignore_ascii_case(first))
    }

    /// The page on which its user creates such a token, filled in as far as the Hub's links can be:
    /// they name namespaces and no repositories. `is_user` says whether a namespace is the user's
    /// own; any other is taken for an organization.
    #[must_use]
    pub fn page(&self, endpoint: &Endpoint, is_user: impl Fn(&str) -> bool) -> String {
        let mut query = Vec::new();
        if let Some(role) = self.general_role() {
            query.push(format!("tokenType={}", role.name()));
        } else {
            query.push("tokenType=fineGrained".to_owned());
            if self.has_several_namespaces() {
                return endpoint.url(&format!("/settings/tokens/new?{}", query.join("&")));
            }
            let organization = self.namespace().filter(|namespace| !is_user(namespace));
            query.extend(organization.map(|name| format!("orgs={name}")));
            for each in &self.requirements {
                let name = each.required.permission();
                let in_organization = organization.is_some()
                    && (each.repository.is_some() || concerns_organizations(name));
                let field = if in_organization {
                    "orgPermissions"
                } else if concerns_organizations(name) {
                    continue;
                } else if GLOBAL.contains(&name) {
                    "globalPermissions"
                } else {
                    "ownUserPermissions"
                };
                let field = format!("{field}={name}");
                if !query.contains(&field) {
                    query.push(field);
                }
            }
        }
        endpoint.url(&format!("/settings/tokens/new?{}", query.join("&")))
    }

    /// What the user does before the prompt, as sentences.
    #[must_use]
    pub fn instruction(&self, page: &str) -> String {
        let mut text = format!("Create a token at {page} and paste it");
        if let Some((repository, _)) = &self.repository {
            text.push_str(". For ");
            text.push_str(repository);
            text.push_str(
                " alone, choose it under the form's repositories, if it exists already, instead of \
                 the whole namespace",
            );
        }
        let left_out: Vec<&str> = self
            .requirements
            .iter()
            .map(|each| each.required.permission())
            .filter(|name| concerns_organizations(name) && self.namespace().is_none())
            .collect();
        if !left_out.is_empty() && self.general_role().is_none() {
            text.push_str(". Choose the organization for ");
            text.push_str(&left_out.join(", "));
        }
        text
    }

    /// Checks that a token has what was asked for, and returns the warnings about it: what it has
    /// beyond that, and what could not be determined.
    ///
    /// # Errors
    ///
    /// As [`Requirement::check`] for what the token lacks; nothing is to be stored then.
    pub fn check(
        &self,
        client: &Arc<Client>,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        identity: &Identity,
        interrupt: &dyn Interrupt,
    ) -> Result<Vec<String>, Error> {
        let mut warnings = Vec::new();
        let mut is_missing = false;
        for each in &self.requirements {
            match each.check(client, credential, connection, options, interrupt) {
                Ok(assurance) => is_missing |= assurance.missing().is_some(),
                // Says nothing against the token.
                Err(Error::Unknown { message, .. }) => warnings.push(format!(
                    "it is not known whether the token has the access that was asked for: {message}"
                )),
                Err(error) => return Err(not_stored(error)),
            }
        }
        warnings.extend(self.excess_warning(identity, is_missing));
        Ok(warnings)
    }

    /// The warning for a token that has not been checked.
    #[must_use]
    pub fn unchecked(&self) -> String {
        "the Hub was not asked whether the token has the access that was asked for".to_owned()
    }

    fn excess_warning(&self, identity: &Identity, is_missing: bool) -> Option<String> {
        let mut excess = self.excess(identity, is_missing);
        if excess.is_empty() {
            return None;
        }
        let more = excess.len().saturating_sub(SHOWN);
        excess.truncate(SHOWN);
        let mut text = format!(
            "the token can do more than was asked for: {}",
            excess.join("; ")
        );
        if more > 0 {
            let _ = write!(text, "; and {more} more");
        }
        let is_user = |name: &str| name.eq_ignore_ascii_case(&identity.user);
        Some(format!(
            "{text}. A narrower one can be created at {}",
            self.page(&identity.endpoint, is_user)
        ))
    }

    /// What a token can do beyond what was asked for, as far as whoami says it. A repository that
    /// does not exist yet cannot be chosen in the form, so its namespace is not too much.
    #[must_use]
    pub fn excess(&self, identity: &Identity, is_missing: bool) -> Vec<String> {
        let user = &identity.user;
        let general = self.general_role();
        match &identity.role {
            Some(TokenRole::Write | TokenRole::God) if general != Some(Role::Write) => {
                vec![format!("it writes wherever {user} may write")]
            }
            Some(TokenRole::Read) if general.is_none() => {
                vec![format!("it reads whatever {user} can read")]
            }
            Some(TokenRole::FineGrained) => self.excess_scopes(identity, is_missing),
            _ => Vec::new(),
        }
    }

    fn excess_scopes(&self, identity: &Identity, is_missing: bool) -> Vec<String> {
        let needs: Vec<(&Required, Target)> = self
            .requirements
            .iter()
            .filter_map(|each| Some((&each.required, each.target(&identity.user).ok()?)))
            .collect();
        let mut found = Vec::new();
        for scope in &identity.scopes {
            let entity = scope.entity_name.as_deref().unwrap_or("some things");
            for name in &scope.permissions {
                let mut reaches = needs
                    .iter()
                    .filter(|(required, _)| includes(required.permission(), name))
                    .map(|(_, target)| Reach::of(scope, target))
                    .collect::<Vec<_>>();
                reaches.sort_unstable();
                match reaches.first() {
                    Some(Reach::Exact) => (),
                    Some(Reach::Wider) if is_missing => (),
                    Some(Reach::Wider) => found.push(format!("{name} on all of {entity}")),
                    Some(Reach::Elsewhere) | None => found.push(format!("{name} on {entity}")),
                }
            }
        }
        for name in &identity.global_permissions {
            let is_needed = |(required, target): &(&Required, Target)| {
                required.permission() == name && matches!(target, Target::Anything)
            };
            if !needs.iter().any(is_needed) {
                found.push(format!("{name} everywhere"));
            }
        }
        if identity.can_read_gated_repos {
            found.push("reading public gated repositories".to_owned());
        }
        found
    }
}

/// How a scope's entity relates to a target, from the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// It is what was asked for.
    Exact,
    /// It contains what was asked for.
    Wider,
    /// It is something else.
    Elsewhere,
}

impl Reach {
    fn of(scope: &Scope, target: &Target) -> Self {
        let Target::Repository {
            kind,
            namespace,
            name,
        } = target
        else {
            // A permission on nothing in particular is one wherever the token has it.
            return Self::Exact;
        };
        let (Some(entity_type), Some(entity)) = (&scope.entity_type, &scope.entity_name) else {
            return Self::Elsewhere;
        };
        match entity_type.as_str() {
            "user" | "org" if entity.eq_ignore_ascii_case(namespace) => Self::Wider,
            other
                if other == kind.as_str()
                    && entity.eq_ignore_ascii_case(&format!("{namespace}/{name}")) =>
            {
                Self::Exact
            }
            _ => Self::Elsewhere,
        }
    }
}

/// The namespace of a requirement, if it is written with one.
fn namespace_of(requirement: &Requirement) -> Option<&str> {
    match &requirement.repository {
        Some((repository, _)) => repository.rsplit('/').nth(1),
        None => requirement.namespace.as_deref(),
    }
}

/// Whether who asks for a permission is not surprised by another one.
fn includes(needed: &str, granted: &str) -> bool {
    needed == granted
        || (needed == WRITE && granted == READ)
        || ([READ, WRITE].contains(&needed) && WITH_CONTENT.contains(&granted))
}

fn concerns_repositories(required: &Required) -> bool {
    let name = required.permission();
    name.starts_with("repo.") || name.starts_with("discussion.")
}

/// Whether only organizations have something of that kind.
fn concerns_organizations(name: &str) -> bool {
    name.starts_with("org.") || name.starts_with("resourceGroup.")
}

/// Whether a namespace is known to be a user's on this machine: one that a stored token of this Hub
/// belongs to. `false` if the files cannot be read.
#[must_use]
pub fn is_known_user(token_store: &TokenStore<'_>, endpoint: &Endpoint, namespace: &str) -> bool {
    token_store.list().is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let user = entry.user.as_deref();
            entry.endpoint == *endpoint
                && user.is_some_and(|user| user.eq_ignore_ascii_case(namespace))
        })
    })
}

fn not_stored(mut error: Error) -> Error {
    if let Error::InvalidToken { message, .. }
    | Error::AccessDenied { message, .. }
    | Error::RepositoryNotFound { message, .. } = &mut error
    {
        *message = format!("nothing was stored: {message}");
    }
    error
}

#[cfg(test)]
mod tests;
