//! Decides what a token may do, without I/O: token role × fine-grained scopes × role in the
//! organization × owner of the namespace.
//!
//! [`authorize`] is pure: its only input is whoami's response. It decides what whoami can decide
//! and otherwise says that it cannot: only the Hub knows whether a repository is public, gated, or
//! exists at all. The *reason* names what is missing, because "invalid token" does not help.

mod remedy;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::error::{Denial, DenialKind, Error};
use crate::identity::model::{Identity, Organization, Scope};
use crate::role::permission::{self, Spelling};
use crate::role::{OrganizationRole, READ, Required, Role, TokenRole, WRITE};
use crate::target::Target;
pub(crate) use remedy::Remedy;

/// The three outcomes. Unknown is never reported as denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The action is allowed.
    Allowed,
    /// The action is denied, and the verdict says what is missing.
    Denied,
    /// Only the Hub can decide. Also the outcome of a later version.
    #[serde(other)]
    Unknown,
}

impl Outcome {
    /// The outcome's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence, without a period.
    pub reason: String,
    /// Whether the token itself lacks the right, whatever its user may do.
    pub by_token: bool,
    /// The kind of denial, if the outcome is one.
    pub kind: DenialKind,
    /// What was needed and what the token has. Also set for an unknown, to explain a denial by the
    /// Hub.
    pub denial: Denial,
    /// The permission that was most likely meant, if the requested one is misspelled and no scope
    /// of the token lists it.
    pub suggestion: Option<&'static str>,
    /// The target's namespace, if it is neither the user's own nor one of their organizations. Only
    /// the Hub knows whether it exists.
    pub foreign_namespace: Option<String>,
}

impl Verdict {
    /// Whether the remedy is to become a member of the target's namespace.
    pub(crate) fn wants_membership(&self) -> bool {
        self.outcome == Outcome::Denied
            && self.foreign_namespace.as_ref().is_some_and(|namespace| {
                self.denial.advice == Remedy::Membership(namespace.clone()).advice()
            })
    }

    /// The error if the requested permission is misspelled.
    #[must_use]
    pub fn misspelling(&self) -> Option<Error> {
        let suggestion = self.suggestion?;
        let name = &self.denial.required;
        Some(Error::InvalidArgument(permission::misspelled(
            name, suggestion,
        )))
    }
}

/// Decides whether an identity may do something.
///
/// It evaluates the given identity, whatever its age, and sends no request. Before a denial is
/// reported,
/// [`Client::refresh_before_denial`](crate::identity::client::Client::refresh_before_denial)
/// provides a fresh one.
///
/// # Example
///
/// ```
/// use hubtoken_core::authorization::{Outcome, authorize};
/// use hubtoken_core::endpoint::Endpoint;
/// use hubtoken_core::identity::model::Identity;
/// use hubtoken_core::role::{Required, Role};
/// use hubtoken_core::target::Target;
///
/// let body = br#"{"name":"alice","auth":{"type":"access_token","accessToken":{"role":"read"}}}"#;
/// let identity = Identity::parse(body, &Endpoint::default_hub())?;
/// let verdict = authorize(&identity, &Required::Role(Role::Write), &Target::Anything);
/// assert_eq!(verdict.outcome, Outcome::Denied);
/// assert_eq!(verdict.reason, "its role is read, and write is needed");
/// # Ok::<(), String>(())
/// ```
#[must_use]
pub fn authorize(identity: &Identity, required: &Required, target: &Target) -> Verdict {
    let evaluation = Evaluation {
        identity,
        required,
        target,
    };
    if let Some(verdict) = evaluation.unknown_permission() {
        return verdict;
    }
    match &identity.role {
        None => evaluation.unknown_by_token(format!(
            "whoami reports no role for {}",
            match identity.authentication.as_deref() {
                Some("oauth") => "OAuth tokens",
                Some("app_token" | "app_token_as_user") => "app tokens",
                _ => "tokens of this kind",
            }
        )),
        Some(TokenRole::Other(role)) => {
            evaluation.unknown_by_token(format!("its role `{role}` is not known to hubtoken"))
        }
        Some(TokenRole::Read) if required.changes_something() => {
            evaluation.token_lacks(match required {
                Required::Role(_) => "its role is read, and write is needed".to_owned(),
                Required::Permission(permission) => {
                    format!("its role is read, which does not include `{permission}`")
                }
            })
        }
        Some(TokenRole::Read | TokenRole::Write | TokenRole::God) => evaluation.user_verdict(),
        Some(TokenRole::FineGrained) => evaluation.scope_verdict(),
    }
}

/// Begins the reason if only the user's own role is missing.
const GOOD_TOKEN: &str = "the token would do, but ";

/// The parameters of one evaluation, so that each rule reads as a sentence.
struct Evaluation<'a> {
    identity: &'a Identity,
    required: &'a Required,
    target: &'a Target,
}

impl Evaluation<'_> {
    /// The verdict on a permission that neither this version nor a scope of the token lists:
    /// nothing here can say whether a role includes it.
    fn unknown_permission(&self) -> Option<Verdict> {
        let Required::Permission(name) = self.required else {
            return None;
        };
        let spelling = permission::spelling(name);
        if spelling == Spelling::Known || self.identity.lists(name) {
            return None;
        }
        let (reason, suggestion) = match spelling {
            Spelling::Misspelled(suggestion) => {
                (permission::misspelled(name, suggestion), Some(suggestion))
            }
            _ => (
                format!(
                    "this version of hubtoken does not know the permission `{name}`, and no scope \
                     of the token lists it"
                ),
                None,
            ),
        };
        let mut verdict = self.unknown(reason);
        verdict.suggestion = suggestion;
        // A link would request a permission that may not exist.
        verdict.denial.remedy_url = None;
        Some(verdict)
    }

    /// The target's namespace, if it is neither the user's nor one of their organizations'.
    fn foreign_namespace(&self) -> Option<String> {
        let namespace = self.target.namespace()?;
        let is_own = namespace.eq_ignore_ascii_case(&self.identity.user)
            || self.identity.organization(namespace).is_some();
        (!is_own).then(|| namespace.to_owned())
    }

    /// What the token's user may do, depending on the namespace: their own, their organization's,
    /// or another one.
    fn user_verdict(&self) -> Verdict {
        let Some(namespace) = self.target.namespace() else {
            return self.allowed(format!("its role is {}", self.role_name()));
        };
        if namespace.eq_ignore_ascii_case(&self.identity.user) {
            return self.allowed(format!("{namespace} is the token's own namespace"));
        }
        match self.identity.organization(namespace) {
            Some(organization) => self.member_verdict(organization),
            None if self.required.changes_something() => self
                .denied(format!(
                    "{} is not a member of {namespace}",
                    self.identity.user
                ))
                .with(Remedy::Membership(namespace.to_owned()), self.identity),
            None => self.unknown(format!(
                "{namespace} is another account's namespace: {} can read only public or shared \
                 content there",
                self.identity.user
            )),
        }
    }

    fn member_verdict(&self, organization: &Organization) -> Verdict {
        let by_role = self.role_verdict(organization);
        let restrictions = &organization.security_restrictions;
        // A user without the role would be denied even without a policy.
        if restrictions.is_empty() || by_role.outcome == Outcome::Denied {
            return by_role;
        }
        let name = &organization.name;
        let reason = format!(
            "the organization {name} blocks this token ({})",
            restrictions.join(", ")
        );
        // Public content can be read regardless.
        let mut verdict = if self.required.changes_something() {
            self.denied(reason)
        } else {
            self.unknown(reason)
        };
        verdict.kind = DenialKind::OrganizationPolicy;
        let permission = self.required.permission();
        let remedy = Remedy::for_restrictions(self.identity, name, permission, restrictions);
        verdict.with(remedy, self.identity)
    }

    /// What the user's role in an organization allows.
    fn role_verdict(&self, organization: &Organization) -> Verdict {
        let name = &organization.name;
        let Some(role) = &organization.role_in_org else {
            return self.unknown(format!(
                "the Hub did not report the role in the organization {name}"
            ));
        };
        let user = &self.identity.user;
        let higher_role = || Remedy::HigherRole(name.clone());
        let may = match (role, self.required.changes_something()) {
            (OrganizationRole::Admin | OrganizationRole::Write, _)
            | (OrganizationRole::Contributor | OrganizationRole::Read, false) => true,
            // A contributor may create repositories and change those; only the Hub knows who
            // created a repository.
            (OrganizationRole::Contributor, true) => match self.target {
                Target::Repository { .. } => {
                    return self
                        .unknown(format!(
                            "{user} is a contributor to {name} and may write only to their own \
                             repositories there"
                        ))
                        .with(higher_role(), self.identity);
                }
                _ => true,
            },
            (OrganizationRole::NoAccess, false) => {
                return self
                    .unknown(format!(
                        "{user} has the role no_access in the organization {name}: only public \
                         content can be read"
                    ))
                    .with(higher_role(), self.identity);
            }
            (OrganizationRole::Read | OrganizationRole::NoAccess, true)
            | (OrganizationRole::Other(_), _) => false,
        };
        let role = role.name();
        if may {
            return self.allowed(format!(
                "{user} has the role {role} in the organization {name}"
            ));
        }
        let reason = format!(
            "{GOOD_TOKEN}{user} has the role {role} in the organization {name}, and {} needs write \
             there",
            self.required
        );
        let mut verdict = if organization.has_resource_groups {
            self.unknown(format!(
                "{reason}, unless one of their resource groups gives it"
            ))
        } else {
            self.denied(reason)
        };
        verdict.denial.actual = Some(format!("role {role} in {name}"));
        verdict.with(higher_role(), self.identity)
    }

    /// The token lacks the right. Another token helps only if its user has the right, which whoami
    /// may not say.
    fn token_lacks(&self, reason: String) -> Verdict {
        let user = self.user_verdict();
        if user.outcome == Outcome::Denied && self.comes_first(&user) {
            return Verdict {
                by_token: true,
                reason: format!(
                    "{}; also, {reason}",
                    user.reason.trim_start_matches(GOOD_TOKEN)
                ),
                ..user
            };
        }
        // For a policy, the form that creates the token also requests its approval.
        let is_open =
            user.outcome == Outcome::Unknown && user.kind != DenialKind::OrganizationPolicy;
        let (reason, remedy) = if is_open {
            let reason = format!("{reason}; also, {}", user.reason);
            (reason, Remedy::TokenAndRight)
        } else {
            (reason, Remedy::Token(self.form()))
        };
        Verdict {
            by_token: true,
            ..self.denied(reason)
        }
        .with(remedy, self.identity)
    }

    /// Whether the user's problem is reported before the token's. A policy is, but only if it
    /// requires another kind of token altogether: adding the missing scope either requests the
    /// policy's approval or is needed in addition to it.
    fn comes_first(&self, user: &Verdict) -> bool {
        let is_role = user.kind == DenialKind::InsufficientRole;
        let is_fine_grained = matches!(self.identity.role, Some(TokenRole::FineGrained));
        is_role || !is_fine_grained
    }

    /// The token does not settle the question. Another token helps only if its user has the right.
    fn unknown_by_token(&self, reason: String) -> Verdict {
        let user = self.user_verdict();
        let verdict = self.unknown(reason);
        if user.outcome == Outcome::Allowed {
            verdict.with(Remedy::Token(self.form()), self.identity)
        } else {
            let denial = Denial {
                actual: verdict.denial.actual,
                ..user.denial
            };
            Verdict { denial, ..verdict }
        }
    }

    /// What a fine-grained token's scopes allow, and then what its user may do.
    fn scope_verdict(&self) -> Verdict {
        let needed = self.required.permission();
        let has = |permissions: &[String]| {
            permissions
                .iter()
                .any(|known| known == needed || (needed == READ && known == WRITE))
        };
        if matches!(self.target, Target::Anything) {
            return match self.required {
                // A fine-grained token has a role only on specific targets.
                Required::Role(role) => Verdict {
                    by_token: true,
                    ..self.denied(format!(
                        "it is fine-grained and has no role in general: {}. Pass repo=",
                        self.listed()
                    ))
                }
                .with(
                    Remedy::RoleInGeneral(format!("tokenType={}", role.name())),
                    self.identity,
                ),
                Required::Permission(_)
                    if has(&self.identity.global_permissions)
                        || self
                            .identity
                            .scopes
                            .iter()
                            .any(|scope| has(&scope.permissions)) =>
                {
                    self.allowed(format!("its scopes include `{needed}`"))
                }
                Required::Permission(_) => self.token_lacks(format!(
                    "it is fine-grained without `{needed}`: {}",
                    self.listed()
                )),
            };
        }
        let granted = has(&self.identity.global_permissions)
            || self
                .identity
                .scopes
                .iter()
                .any(|scope| covers(scope, self.target) && has(&scope.permissions));
        if granted {
            return self.user_verdict();
        }
        let reason = format!(
            "it is fine-grained without `{needed}` on {}: {}",
            self.target,
            self.listed()
        );
        if self.required.as_role() == Some(Role::Read) {
            // Reading a public, ungated repository requires no right.
            self.unknown_by_token(reason)
        } else {
            self.token_lacks(reason)
        }
    }

    /// What a fine-grained token can do, in a few words.
    fn listed(&self) -> String {
        const SHOWN: usize = 6;
        let mut rights: Vec<String> = self
            .identity
            .scopes
            .iter()
            .map(|scope| {
                format!(
                    "{} on {}",
                    scope.permissions.join(", "),
                    scope.entity_name.as_deref().unwrap_or("some things")
                )
            })
            .collect();
        if !self.identity.global_permissions.is_empty() {
            rights.push(format!(
                "{} everywhere",
                self.identity.global_permissions.join(", ")
            ));
        }
        if rights.is_empty() {
            return "it can do nothing".to_owned();
        }
        let more = rights.len().saturating_sub(SHOWN);
        rights.truncate(SHOWN);
        let mut text = format!("it can do {}", rights.join("; "));
        if more > 0 {
            let _ = write!(text, "; and {more} more");
        }
        text
    }

    fn role_name(&self) -> &str {
        self.identity
            .role
            .as_ref()
            .map_or("unknown", TokenRole::name)
    }

    fn verdict(&self, outcome: Outcome, reason: String) -> Verdict {
        Verdict {
            outcome,
            reason,
            by_token: false,
            kind: DenialKind::InsufficientRole,
            denial: Denial {
                required: self.required.to_string(),
                actual: self
                    .identity
                    .role
                    .as_ref()
                    .map(|role| role.name().to_owned()),
                target: match self.target {
                    Target::Anything => None,
                    target => Some(target.to_string()),
                },
                ..Denial::default()
            },
            suggestion: None,
            foreign_namespace: self.foreign_namespace(),
        }
    }

    fn allowed(&self, reason: String) -> Verdict {
        self.verdict(Outcome::Allowed, reason)
    }

    fn denied(&self, reason: String) -> Verdict {
        self.verdict(Outcome::Denied, reason)
    }

    fn unknown(&self, reason: String) -> Verdict {
        self.verdict(Outcome::Unknown, reason)
    }

    /// The query that prefills the form for creating a suitable token, as far as possible.
    fn form(&self) -> String {
        let fine_grained = matches!(self.identity.role, Some(TokenRole::FineGrained));
        match self.required {
            Required::Role(role) if !fine_grained => format!("tokenType={}", role.name()),
            required => {
                let permission = required.permission();
                match self.target.namespace() {
                    Some(namespace) if self.identity.organization(namespace).is_some() => format!(
                        "tokenType=fineGrained&orgs={namespace}&orgPermissions={permission}"
                    ),
                    _ => format!("tokenType=fineGrained&ownUserPermissions={permission}"),
                }
            }
        }
    }
}

impl Verdict {
    /// The same verdict with a remedy.
    fn with(mut self, remedy: Remedy, identity: &Identity) -> Self {
        remedy.apply_to(&mut self.denial, &identity.endpoint);
        self
    }
}

/// Whether a scope's entity is the target or its namespace.
fn covers(scope: &Scope, target: &Target) -> bool {
    let (Some(kind), Some(entity)) = (scope.entity_type.as_deref(), scope.entity_name.as_deref())
    else {
        return false;
    };
    if matches!(kind, "user" | "org") {
        return target
            .namespace()
            .is_some_and(|namespace| namespace.eq_ignore_ascii_case(entity));
    }
    match target {
        Target::Repository {
            kind: wanted,
            namespace,
            name,
        } => {
            kind == wanted.as_str()
                && entity.split_once('/').is_some_and(|(left, right)| {
                    left.eq_ignore_ascii_case(namespace) && right.eq_ignore_ascii_case(name)
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
