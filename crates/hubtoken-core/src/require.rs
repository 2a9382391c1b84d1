//! Checks whether a token satisfies a requirement.
//!
//! There are three steps: identify the token, decide what whoami can decide, and for a repository
//! let the Hub make the final decision. The result is success or an error that says what is
//! missing. If nothing could be determined, it is an error of its own kind, because a time-out says
//! nothing about a token. A denial rests on a fresh identity: what the user has just fixed must not
//! be denied because of a cached answer.

mod absence;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authorization::{Outcome, Remedy, Verdict, authorize};
use crate::credential::Credential;
use crate::error::{Denial, DenialKind, Error};
use crate::identity::Options;
use crate::identity::check::{Check, Permit};
use crate::identity::client::{Client, Grant, Known, Line};
use crate::identity::failure::{Failure, age};
use crate::identity::key::Key;
use crate::identity::model::Identity;
use crate::identity::shared::Moment;
use crate::interrupt::Interrupt;
use crate::repository::RepositoryType;
use crate::role::{Need, Role, Target, TokenRole, permission};
use crate::similar_repositories::MissingRepository;
use absence::Existence;

/// The reason for a disabled repository.
const DISABLED: &str = "access to the repository is disabled on the Hub, for every token";

/// What is required of a token.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The role or permission.
    pub need: Need,
    /// The repository as the caller wrote it, and its type.
    pub repository: Option<(String, RepositoryType)>,
    /// A user or organization, if no repository is given.
    pub namespace: Option<String>,
    /// Whether a repository that does not exist yet is an error.
    pub must_exist: bool,
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

    fn grant(&self, credential: &Credential) -> Grant<'_> {
        let need = self.need.name();
        let question = if self.repository.is_none() && self.namespace.is_none() {
            need.into()
        } else {
            let (text, kind) = self
                .repository
                .as_ref()
                .map_or(("", ""), |(text, kind)| (text, kind.as_str()));
            let namespace = self.namespace.as_deref().unwrap_or_default();
            [need, kind, text, namespace].join("\0").into()
        };
        Grant {
            key: Key::of(credential),
            question,
        }
    }

    /// Whether the requirement is cached as granted. Never sends a request.
    #[must_use]
    pub fn is_granted(
        &self,
        client: &Client,
        credential: &Credential,
        max_age: Option<Duration>,
    ) -> bool {
        // Without an auth-check, a grant does not prove that the repository exists.
        let is_about_existence = self.must_exist && self.need.as_role().is_none();
        !is_about_existence
            && !credential.expires_at.is_over()
            && client.is_granted(&self.grant(credential), max_age)
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
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Assurance, Error> {
        // Errors that no answer could fix are reported before any request.
        self.target("somebody")?;
        if self.must_exist && self.repository.is_none() {
            return Err(Error::InvalidArgument(
                "pass repo= to say which repository must exist".to_owned(),
            ));
        }
        let question = Question {
            client,
            credential,
            line,
            options,
            interrupt,
            grant: self.grant(credential),
            started: client.clock().moment(),
            must_exist: self.must_exist,
        };
        let mut known = question
            .identify()
            .map_err(|error| self.with_suggestion(error))?;
        let target = self.target(&known.identity.user)?;
        let hub_decides =
            matches!(target, Target::Repository { .. }) && self.need.as_role().is_some();
        let verdict = question
            .judge(&mut known, &self.need, &target, hub_decides)
            .map_err(|error| self.with_suggestion(error))?;
        if let Some(misspelling) = verdict.misspelling() {
            return Err(misspelling);
        }
        let checked = match (&target, self.need.as_role()) {
            (Target::Repository { .. }, Some(role)) => {
                if verdict.outcome == Outcome::Denied && verdict.by_token {
                    return Err(question.denied_by_token(&known.identity, &target, role, &verdict));
                }
                question.ask_hub(&mut known, &self.need, role, &target, &verdict)?
            }
            _ => match verdict.outcome {
                Outcome::Allowed if self.must_exist => {
                    question.find(&known.identity, &target, &verdict)?;
                    Some(Checked::Existence)
                }
                Outcome::Allowed => match question.look_for(&target)? {
                    Existence::There => Some(Checked::Existence),
                    Existence::Missing => Some(Checked::Absence),
                    Existence::Open => None,
                },
                Outcome::Denied => return Err(question.denied(&known.identity, &verdict)),
                Outcome::Unknown => return Err(question.unknown(&known.identity, &verdict)),
            },
        };
        let is_missing = matches!(checked, Some(Checked::Creation | Checked::Absence));
        if known.stale.is_none() && !is_missing {
            let asked = match checked {
                Some(Checked::Hub(asked)) => Some(asked),
                _ => None,
            };
            let end = credential.expires_at;
            let end = end.earlier(known.identity.expires_at.into());
            client.remember(question.grant.clone(), known.asked, asked, end);
        }
        let presence = match checked {
            None => None,
            Some(Checked::Hub(_) | Checked::Existence) => Some(Presence::Exists),
            Some(Checked::Creation) => question.missing(&target, true)?.map(Presence::Missing),
            Some(Checked::Absence) => question.missing(&target, false)?.map(Presence::Missing),
        };
        Ok(Assurance {
            stale: stale_warning(credential, &known),
            presence,
        })
    }

    /// Adds the most likely permission, if the given one is misspelled and nothing could be
    /// determined.
    fn with_suggestion(&self, error: Error) -> Error {
        match (error, self.need.suggestion()) {
            (Error::Unknown { message, kind }, Some(suggestion)) => {
                let misspelled = permission::misspelled(&self.need.to_string(), suggestion);
                Error::Unknown {
                    message: format!("{message}. Also, {misspelled}"),
                    kind,
                }
            }
            (error, _) => error,
        }
    }
}

/// What a successful check rests on.
enum Checked {
    /// The Hub's auth-check.
    Hub(Instant),
    /// The right to create a repository that does not exist yet. Never cached: another user may
    /// create it.
    Creation,
    /// The repository exists, and whoami decided the rest.
    Existence,
    /// The repository does not exist, and whoami decided the rest. Never cached either.
    Absence,
}

/// The warning for a stale identity.
#[must_use]
pub fn stale_warning(credential: &Credential, known: &Known) -> Option<String> {
    known.stale.as_ref().map(|(since, failure)| {
        format!(
            "the cached identity of the token {} is {} old, because {}",
            credential.describe(),
            age(*since),
            failure.reason(&credential.endpoint)
        )
    })
}

/// The parameters of one check.
struct Question<'a> {
    client: &'a Arc<Client>,
    credential: &'a Arc<Credential>,
    line: &'a Line,
    options: &'a Options,
    interrupt: &'a dyn Interrupt,
    grant: Grant<'a>,
    started: Moment,
    must_exist: bool,
}

impl Question<'_> {
    fn failed(&self, failure: Failure) -> Error {
        failure.into_error(self.credential)
    }

    fn identify(&self) -> Result<Known, Error> {
        self.client
            .identify(self.credential, self.line, self.options, self.interrupt)
            .map_err(|failure| self.failed(failure))
    }

    /// Evaluates an identity. Anything but a grant rests on a fresh identity, which then replaces
    /// `known`, unless the Hub itself decides what the identity leaves open.
    fn judge(
        &self,
        known: &mut Known,
        need: &Need,
        target: &Target,
        hub_decides: bool,
    ) -> Result<Verdict, Error> {
        let verdict = authorize(&known.identity, need, target);
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
            .reconsider(
                (&self.grant, self.started),
                known,
                self.credential,
                self.line,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.unconfirmed(failure, known, &verdict))?;
        let verdict = match anew {
            Some(anew) => {
                *known = anew;
                authorize(&known.identity, need, target)
            }
            None => verdict,
        };
        if verdict.outcome == Outcome::Allowed {
            self.client.end_denials(&self.grant.key, self.line);
        } else {
            self.client
                .note_denial(&self.grant, known, self.line, self.options);
        }
        Ok(verdict)
    }

    /// An old denial that could not be confirmed becomes an unknown that quotes it. An old unknown
    /// has nothing to quote.
    fn unconfirmed(&self, failure: Failure, known: &Known, verdict: &Verdict) -> Error {
        let endpoint = &self.credential.endpoint;
        let reason = failure.reason(endpoint);
        let is_denied = verdict.outcome == Outcome::Denied;
        self.failed(failure).instead(|| {
            if !is_denied {
                return format!(
                    "whether the token {} can {} is not known: {}. Asking the Hub again failed: \
                     {reason}",
                    self.subject(&known.identity),
                    deed(&verdict.denial),
                    verdict.reason.trim_end_matches('.')
                );
            }
            format!(
                "whether the token {} can {} is not known: {reason}. The answer of {endpoint} {} \
                 ago was: {}",
                self.subject(&known.identity),
                deed(&verdict.denial),
                age(known.asked.elapsed()),
                verdict.reason
            )
        })
    }

    /// The auth-check for a repository; `None` for another kind of target.
    fn question_of(&self, target: &Target, role: Role) -> Option<Check> {
        let Target::Repository {
            kind,
            namespace,
            name,
        } = target
        else {
            return None;
        };
        Some(Check {
            key: Key::of(self.credential),
            kind: *kind,
            namespace: namespace.clone(),
            name: name.clone(),
            role,
        })
    }

    fn auth_check(&self, check: &Check) -> Result<(Instant, Permit), Error> {
        self.client
            .check(
                check,
                self.credential,
                self.line,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))
    }

    fn ask_hub(
        &self,
        known: &mut Known,
        need: &Need,
        role: Role,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<Option<Checked>, Error> {
        let Some(check) = self.question_of(target, role) else {
            return Ok(None);
        };
        let namespace = &check.namespace;
        let (asked, permit) = self.auth_check(&check)?;
        let identity = &known.identity;
        let refused = |kind, words: &str, remedy| {
            Err(self.refused(identity, verdict, kind, words, Some(remedy)))
        };
        match permit {
            Permit::Allowed => Ok(Some(Checked::Hub(asked))),
            Permit::Gated(words) => {
                let remedy = if lacks_gated_access(identity, verdict) {
                    Remedy::GatedRepositories
                } else {
                    Remedy::Access(check.page_path())
                };
                refused(DenialKind::Gated, &words, remedy)
            }
            Permit::GatedForToken(words) => {
                refused(DenialKind::Gated, &words, Remedy::GatedRepositories)
            }
            Permit::Policy(words) => refused(
                DenialKind::OrganizationPolicy,
                &words,
                Remedy::for_words(identity, namespace, need.permission(), &words),
            ),
            Permit::Disabled => Err(self.disabled(identity, verdict)),
            Permit::Forbidden(words) => {
                // A reason based on whoami is the best explanation; otherwise there is only the
                // Hub's message.
                let (kind, reason) = match verdict.outcome {
                    Outcome::Allowed => (DenialKind::Other, words),
                    Outcome::Denied => return Err(self.denied(identity, verdict)),
                    Outcome::Unknown if words.is_empty() => (verdict.kind, verdict.reason.clone()),
                    Outcome::Unknown => (verdict.kind, format!("{words} ({})", verdict.reason)),
                };
                let has_remedy = verdict.denial.remedy_url.is_some();
                let page = (!has_remedy).then(|| Remedy::Page(check.page_path()));
                Err(self.refused(identity, verdict, kind, &reason, page))
            }
            Permit::NotFound if role == Role::Write && !self.must_exist => {
                let namespace = Target::Namespace(namespace.clone());
                let creation = self.judge(known, need, &namespace, false)?;
                let identity = &known.identity;
                match creation.outcome {
                    Outcome::Allowed => Ok(Some(Checked::Creation)),
                    Outcome::Denied => {
                        let reason = format!(
                            "{target} does not exist, and it cannot be created: {}",
                            creation.reason
                        );
                        let mut creation = creation;
                        creation.denial.target = Some(target.to_string());
                        Err(self.denied_because(identity, &creation, &reason))
                    }
                    Outcome::Unknown => Err(self.unknown(identity, &creation)),
                }
            }
            Permit::NotFound => Err(self.not_found(identity, target, verdict)),
        }
    }

    /// "hf_…9xQ2 from the environment variable `HF_TOKEN` (`ci` of alice)".
    fn subject(&self, identity: &Identity) -> String {
        let name = identity
            .token_name
            .as_deref()
            .map_or_else(String::new, |name| format!("`{}` of ", name.escape_debug()));
        format!("{} ({name}{})", self.credential.describe(), identity.user)
    }

    fn denied(&self, identity: &Identity, verdict: &Verdict) -> Error {
        self.denied_because(identity, verdict, &verdict.reason)
    }

    fn denied_because(&self, identity: &Identity, verdict: &Verdict, reason: &str) -> Error {
        if let Some(error) = self.no_such_namespace(identity, verdict) {
            return error;
        }
        self.refused(identity, verdict, verdict.kind, reason, None)
    }

    fn disabled(&self, identity: &Identity, verdict: &Verdict) -> Error {
        let kind = DenialKind::Disabled;
        self.refused(identity, verdict, kind, DISABLED, Some(Remedy::Owner))
    }

    /// A denial with another reason than the verdict's, and optionally another remedy.
    fn refused(
        &self,
        identity: &Identity,
        verdict: &Verdict,
        kind: DenialKind,
        reason: &str,
        remedy: Option<Remedy>,
    ) -> Error {
        let mut denial = verdict.denial.clone();
        if let Some(remedy) = remedy {
            remedy.put_into(&mut denial, &self.credential.endpoint);
        }
        Error::AccessDenied {
            message: format!(
                "the token {} cannot {}: {}{}",
                self.subject(identity),
                deed(&denial),
                reason.trim_end_matches('.'),
                denial.remedy()
            ),
            kind,
            denial: Box::new(denial),
        }
    }

    fn unknown(&self, identity: &Identity, verdict: &Verdict) -> Error {
        if let Some(error) = self.no_such_namespace(identity, verdict) {
            return error;
        }
        Error::unknown(format!(
            "whether the token {} can {} is not known: {}",
            self.credential.describe(),
            deed(&verdict.denial),
            verdict.reason
        ))
    }
}

/// Whether a token may not read any gated repository, so that granting its user access would not
/// help. A token with a scope on this very repository does not need that permission.
fn lacks_gated_access(identity: &Identity, verdict: &Verdict) -> bool {
    identity.role == Some(TokenRole::FineGrained)
        && !identity.can_read_gated_repos
        && verdict.outcome != Outcome::Allowed
}

/// "write to acme/tiny", to follow "can".
fn deed(denial: &Denial) -> String {
    match (denial.required.as_str(), &denial.target) {
        ("write", Some(target)) => format!("write to {target}"),
        ("read", Some(target)) => format!("read {target}"),
        (role @ ("read" | "write"), None) => role.to_owned(),
        (permission, Some(target)) => format!("use `{permission}` on {target}"),
        (permission, None) => format!("use `{permission}`"),
    }
}
