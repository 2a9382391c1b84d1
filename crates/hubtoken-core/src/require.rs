//! Checks whether a token satisfies a requirement.
//!
//! There are three steps: identify the token, decide what whoami can decide, and for a repository
//! let the Hub make the final decision. The result is success or an error that says what is
//! missing. If nothing could be determined, it is an error of its own kind, because a time-out says
//! nothing about a token. A denial rests on a fresh identity: what the user has just fixed must not
//! be denied because of a cached answer.

mod denial;
mod hub_decision;
mod lasting;
mod missing;
mod resource;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authorization::{Outcome, Verdict, authorize};
use crate::clock::Timestamp;
use crate::credential::Credential;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::identity::Options;
use crate::identity::cache::key::Key;
use crate::identity::client::{Client, DecisionKey, HubConnection, IdentityAnswer};
use crate::identity::failure::{Failure, format_duration};
use crate::interrupt::Interrupt;
use crate::repository::RepositoryType;
use crate::role::{Required, permission};
use crate::similar_repositories::MissingRepository;
use crate::target::Target;
use denial::describe_action;
pub use lasting::{Lasting, NeededUntil};
use missing::Existence;

/// What is required of a token.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The role or permission.
    pub required: Required,
    /// The repository as the caller wrote it, and its type.
    pub repository: Option<(String, RepositoryType)>,
    /// A user or organization, if no repository is given.
    pub namespace: Option<String>,
    /// Whether a repository that does not exist yet is an error.
    pub must_exist: bool,
    /// Until when the token is needed, if its end matters.
    pub needed_until: Option<NeededUntil>,
}

/// What a successful check found out.
#[derive(Clone, Debug, Default)]
pub struct Assurance {
    /// A warning if the result rests on a stale identity.
    pub stale: Option<String>,
    /// Whether the repository exists, if the Hub was asked.
    pub presence: Option<Presence>,
}

/// Whether a repository exists.
#[derive(Clone, Debug)]
pub enum Presence {
    /// It exists.
    Exists,
    /// It does not exist, as far as the token can tell, or does not exist yet and would be created.
    Missing(MissingRepository),
}

impl Assurance {
    /// The missing repository, if the repository does not exist.
    #[must_use]
    pub fn missing(&self) -> Option<&MissingRepository> {
        match &self.presence {
            Some(Presence::Missing(missing)) => Some(missing),
            Some(Presence::Exists) | None => None,
        }
    }

    /// `true` or `false`; `None` if the Hub was not asked.
    #[must_use]
    pub fn exists(&self) -> Option<bool> {
        self.presence
            .as_ref()
            .map(|presence| matches!(presence, Presence::Exists))
    }
}

impl Requirement {
    /// The target; a bare name is in the token's own namespace.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the repository or the namespace is invalid, or if both are
    /// given.
    pub fn target(&self, own_namespace: &str) -> Result<Target, Error> {
        match (&self.repository, &self.namespace) {
            (Some(_), Some(_)) => Err(Error::InvalidArgument(
                "pass repo= or namespace=, not both".to_owned(),
            )),
            (Some((text, kind)), None) => Target::repository(text, *kind, own_namespace),
            (None, Some(namespace)) => Target::namespace_named(namespace),
            (None, None) => Ok(Target::Anything),
        }
    }

    fn decision_key(&self, credential: &Credential) -> DecisionKey<'_> {
        let required = self.required.name();
        let request = if self.repository.is_none() && self.namespace.is_none() {
            required.into()
        } else {
            let (text, kind) = self
                .repository
                .as_ref()
                .map_or(("", ""), |(text, kind)| (text, kind.as_str()));
            let namespace = self.namespace.as_deref().unwrap_or_default();
            [required, kind, text, namespace].join("\0").into()
        };
        DecisionKey {
            key: Key::of(credential),
            request,
        }
    }

    /// The known end of the token, if the requirement is cached as granted. Never sends a request.
    /// Whether the token lasts as long as it is needed is the caller's to check.
    #[must_use]
    pub fn granted_until(
        &self,
        client: &Client,
        credential: &Credential,
        max_age: Option<Duration>,
    ) -> Option<Expiry> {
        // Without an auth-check, a grant does not prove that the repository exists.
        let is_about_existence = self.must_exist && self.required.as_role().is_none();
        if is_about_existence || credential.expires_at.has_passed() {
            return None;
        }
        client.granted_until(&self.decision_key(credential), max_age)
    }

    /// Checks that a token satisfies the requirement.
    ///
    /// A permission that no scope of the token lists and that this version does not know is
    /// unknown. One that is most likely misspelled is the caller's error, whatever the token may
    /// do. The distinction depends on the token's scopes, so a misspelling is reported as such only
    /// with an identity that is not stale. Without one, the failure names the permission that was
    /// most likely meant.
    ///
    /// # Errors
    ///
    /// [`Error::AccessDenied`], [`Error::InvalidToken`] and [`Error::RepositoryNotFound`] if it
    /// does not; [`Error::Unknown`] if that could not be determined; [`Error::InvalidArgument`] for
    /// a misspelled permission.
    pub fn check(
        &self,
        client: &Arc<Client>,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Assurance, Error> {
        // Errors that no answer could fix are reported before any request.
        let written = self.target("somebody")?;
        let is_complete = self
            .repository
            .as_ref()
            .is_none_or(|(text, _)| text.contains('/'));
        if is_complete {
            self.check_resource(credential, &written)?;
        }
        if self.must_exist && self.repository.is_none() {
            return Err(Error::InvalidArgument(
                "pass repo= to say which repository must exist".to_owned(),
            ));
        }
        if !credential.expires_at.has_passed() {
            // Of one that has ended, the Hub says more.
            self.check_end(credential, credential.expires_at, &credential.describe())?;
        }
        // One budget for all requests.
        let options = options.begun(client.clock().now());
        let context = CheckContext {
            client,
            credential,
            connection,
            options: &options,
            interrupt,
            decision: self.decision_key(credential),
            started: client.clock().timestamp(),
            must_exist: self.must_exist,
            has_type_prefix: self
                .repository
                .as_ref()
                .is_some_and(|(text, _)| Target::has_type_prefix(text)),
        };
        let mut known = context
            .identify()
            .map_err(|error| self.with_suggestion(error))?;
        let end = credential.expires_at;
        let end = end.earlier(known.identity.expires_at.into());
        self.check_end(credential, end, &context.subject(&known.identity))?;
        let target = self.target(&known.identity.user)?;
        self.check_resource(credential, &target)?;
        let hub_decides =
            matches!(target, Target::Repository { .. }) && self.required.as_role().is_some();
        let verdict = context
            .decide(&mut known, &self.required, &target, hub_decides)
            .map_err(|error| self.with_suggestion(error))?;
        if let Some(misspelling) = verdict.misspelling() {
            return Err(misspelling);
        }
        let basis = match (&target, self.required.as_role()) {
            (Target::Repository { .. }, Some(role)) => {
                if verdict.outcome == Outcome::Denied && verdict.by_token {
                    return Err(context.denied_by_token(&known.identity, &target, role, &verdict));
                }
                context.ask_hub(&mut known, &self.required, role, &target, &verdict)?
            }
            _ => match verdict.outcome {
                Outcome::Allowed if self.must_exist => {
                    context.ensure_exists(&known.identity, &target, &verdict)?;
                    Some(GrantBasis::Exists)
                }
                Outcome::Allowed => {
                    match context.check_existence(&known.identity, &target, &verdict)? {
                        Existence::Exists => Some(GrantBasis::Exists),
                        Existence::Missing => Some(GrantBasis::Missing),
                        Existence::Unknown => None,
                    }
                }
                Outcome::Denied => return Err(context.denied(&known.identity, &verdict)),
                Outcome::Unknown => return Err(context.unknown(&known.identity, &verdict)),
            },
        };
        let is_missing = matches!(basis, Some(GrantBasis::MayCreate | GrantBasis::Missing));
        if known.stale.is_none() && !is_missing {
            let asked = match basis {
                Some(GrantBasis::AuthCheck(asked)) => Some(asked),
                _ => None,
            };
            client.cache_grant(context.decision.clone(), known.asked, asked, end);
        }
        let presence = match basis {
            None => None,
            Some(GrantBasis::AuthCheck(_) | GrantBasis::Exists) => Some(Presence::Exists),
            Some(GrantBasis::MayCreate) => context.missing(&target, true)?.map(Presence::Missing),
            Some(GrantBasis::Missing) => context.missing(&target, false)?.map(Presence::Missing),
        };
        Ok(Assurance {
            stale: stale_warning(credential, &known),
            presence,
        })
    }

    fn check_end(&self, credential: &Credential, end: Expiry, subject: &str) -> Result<(), Error> {
        self.needed_until.map_or(Ok(()), |until| {
            until.check(end, credential, subject, self.required.name())
        })
    }

    /// Adds the most likely permission, if the given one is misspelled and nothing could be
    /// determined.
    fn with_suggestion(&self, error: Error) -> Error {
        match self.required.suggestion() {
            Some(suggestion) => error.instead(|message| {
                let misspelled = permission::misspelled(self.required.name(), suggestion);
                format!("{message}. Also, {misspelled}")
            }),
            None => error,
        }
    }
}

/// What a successful check rests on.
enum GrantBasis {
    /// The Hub's auth-check.
    AuthCheck(Instant),
    /// The right to create a repository that does not exist yet. Never cached: another user may
    /// create it.
    MayCreate,
    /// The repository exists, and whoami decided the rest.
    Exists,
    /// The repository does not exist, and whoami decided the rest. Never cached either.
    Missing,
}

/// The warning for a stale identity.
#[must_use]
pub fn stale_warning(credential: &Credential, known: &IdentityAnswer) -> Option<String> {
    known.stale.as_ref().map(|(since, failure)| {
        format!(
            "the cached identity of the token {} is {} old, because {}",
            credential.describe(),
            format_duration(*since),
            failure.reason(&credential.endpoint)
        )
    })
}

/// The parameters of one check.
struct CheckContext<'a> {
    client: &'a Arc<Client>,
    credential: &'a Arc<Credential>,
    connection: &'a HubConnection,
    options: &'a Options,
    interrupt: &'a dyn Interrupt,
    decision: DecisionKey<'a>,
    started: Timestamp,
    must_exist: bool,
    has_type_prefix: bool,
}

impl CheckContext<'_> {
    fn failed(&self, failure: Failure) -> Error {
        failure.into_error(self.credential)
    }

    fn identify(&self) -> Result<IdentityAnswer, Error> {
        self.client
            .identify(
                self.credential,
                self.connection,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))
    }

    /// Evaluates an identity. Anything but a grant rests on a fresh identity, which then replaces
    /// `known`, unless the Hub itself decides what the identity leaves open.
    fn decide(
        &self,
        known: &mut IdentityAnswer,
        required: &Required,
        target: &Target,
        hub_decides: bool,
    ) -> Result<Verdict, Error> {
        let verdict = authorize(&known.identity, required, target);
        if verdict.outcome == Outcome::Allowed {
            return Ok(verdict);
        }
        if hub_decides && verdict.outcome == Outcome::Unknown {
            return Ok(verdict);
        }
        if let Some((_, failure)) = &known.stale {
            // Rights may have been granted since then, so an old denial is not reported as one.
            return Err(self.unconfirmed(failure.clone(), known, &verdict));
        }
        let anew = self
            .client
            .refresh_before_denial(
                (&self.decision, self.started),
                known,
                self.credential,
                self.connection,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.unconfirmed(failure, known, &verdict))?;
        let verdict = match anew {
            Some(anew) => {
                *known = anew;
                authorize(&known.identity, required, target)
            }
            None => verdict,
        };
        if verdict.outcome == Outcome::Allowed {
            self.client
                .clear_denials(&self.decision.key, self.connection);
        } else {
            self.client
                .record_denial(&self.decision, known, self.connection, self.options);
        }
        Ok(verdict)
    }
}
