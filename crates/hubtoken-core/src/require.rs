//! The question of the main job: will this token do?
//!
//! Three steps, one way: identify the token, decide what whoami can decide, and where a
//! repository is meant let the Hub have the last word. The answer is *yes*, or an error that says
//! what is missing; when nothing could be learned it is an error of its own kind, because a
//! time-out says nothing about a token. A *no* rests on a fresh identity: what the user has just
//! mended must not be denied by what was remembered before.

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

/// Said of a repository that is switched off.
const DISABLED: &str = "access to the repository is disabled on the Hub, for every token";

/// What is required of a token.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The role or permission.
    pub need: Need,
    /// The repository as the caller names it, and its type.
    pub repository: Option<(String, RepositoryType)>,
    /// A user or organization, when no repository is meant.
    pub namespace: Option<String>,
    /// Whether a repository that does not exist yet will not do.
    pub must_exist: bool,
}

/// What a check found out beside its *yes*.
#[derive(Clone, Debug, Default)]
pub struct Assurance {
    /// A sentence to warn with when the answer rests on a stale identity.
    pub stale: Option<String>,
    /// Whether the repository exists, where the Hub was asked.
    pub presence: Option<Presence>,
}

/// Whether a repository exists.
#[derive(Clone, Debug)]
pub enum Presence {
    /// It does.
    Exists,
    /// It does not, as far as the token can tell; or not yet, and would be created.
    Missing(MissingRepository),
}

impl Assurance {
    /// The repository that is not there, if that is what the *yes* is about.
    #[must_use]
    pub fn missing(&self) -> Option<&MissingRepository> {
        match &self.presence {
            Some(Presence::Missing(missing)) => Some(missing),
            Some(Presence::Exists) | None => None,
        }
    }

    /// `true` or `false`; `None` where the Hub was not asked.
    #[must_use]
    pub fn exists(&self) -> Option<bool> {
        self.presence
            .as_ref()
            .map(|presence| matches!(presence, Presence::Exists))
    }
}

impl Requirement {
    /// What it is to be done on; a bare name is in the token's own namespace.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it makes no sense.
    pub fn target(&self, own_namespace: &str) -> Result<Target, Error> {
        match (&self.repository, &self.namespace) {
            (Some(_), Some(_)) => Err(Error::InvalidArgument(
                "give repo= or namespace=, not both".to_owned(),
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

    /// Whether the answer is known to be *yes*; asks nobody.
    #[must_use]
    pub fn is_granted(
        &self,
        client: &Client,
        credential: &Credential,
        max_age: Option<Duration>,
    ) -> bool {
        // Where no auth-check is needed, what was granted says nothing of whether there is anything.
        let is_about_existence = self.must_exist && self.need.as_role().is_none();
        !is_about_existence
            && !credential.expires_at.is_over()
            && client.is_granted(&self.grant(credential), max_age)
    }

    /// Makes sure that a token will do.
    ///
    /// A permission that no scope of the token lists and that this version does not know is
    /// unknown, and one that is most likely misspelled is an error of the caller's, whatever the
    /// token may do. Which of them it is depends on the token's scopes, so a misspelling is
    /// reported as one only by an identity that is not stale; without one the failure says what was
    /// most likely meant.
    ///
    /// # Errors
    ///
    /// [`Error::AccessDenied`], [`Error::InvalidToken`] and [`Error::RepositoryNotFound`] when it
    /// will not; [`Error::Unknown`] when that could not be learned; [`Error::InvalidArgument`] for a
    /// misspelled permission.
    pub fn check(
        &self,
        client: &Arc<Client>,
        credential: &Arc<Credential>,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Assurance, Error> {
        // What no answer could mend is told before anybody is asked.
        self.target("somebody")?;
        if self.must_exist && self.repository.is_none() {
            return Err(Error::InvalidArgument(
                "say with repo= which repository must exist".to_owned(),
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

    /// Adds what was most likely meant, where a permission is misspelled and nothing could be learned.
    fn with_suggestion(&self, error: Error) -> Error {
        match (error, self.need.suggestion()) {
            (Error::Unknown { message, kind }, Some(suggestion)) => {
                let misspelled = permission::misspelled(&self.need.to_string(), suggestion);
                Error::Unknown {
                    message: format!("{message}. Besides, {misspelled}"),
                    kind,
                }
            }
            (error, _) => error,
        }
    }
}

/// What the Hub's *yes* rests on.
enum Checked {
    /// Its auth-check.
    Hub(Instant),
    /// The right to create a repository that does not exist yet. Never remembered: it may be
    /// created by somebody else.
    Creation,
    /// The repository is there, and whoami has said the rest.
    Existence,
    /// The repository is not there, and whoami has said the rest. Never remembered either.
    Absence,
}

/// The sentence that goes with a stale identity.
#[must_use]
pub fn stale_warning(credential: &Credential, known: &Known) -> Option<String> {
    known.stale.as_ref().map(|(since, failure)| {
        format!(
            "what is known of the token {} is {} old, because {}",
            credential.describe(),
            age(*since),
            failure.reason(&credential.endpoint)
        )
    })
}

/// One call's parameters.
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

    /// Decides by an identity. Whatever is not a *yes* rests on a fresh one, which then takes the
    /// place of `known`, unless the Hub itself decides what the identity leaves open.
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
            // Rights may have been given since: an old *no* is no denial.
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

    /// An old *no* that could not be confirmed is an unknown; it is quoted. An old *unknown* was no
    /// answer.
    fn unconfirmed(&self, failure: Failure, known: &Known, verdict: &Verdict) -> Error {
        let endpoint = &self.credential.endpoint;
        let reason = failure.reason(endpoint);
        let is_denied = verdict.outcome == Outcome::Denied;
        self.failed(failure).instead(|| {
            if !is_denied {
                return format!(
                    "whether the token {} can {} is not known: {}. Nor could it be asked again: \
                     {reason}",
                    self.subject(&known.identity),
                    deed(&verdict.denial),
                    verdict.reason.trim_end_matches('.')
                );
            }
            format!(
                "whether the token {} can {} by now is not known: {reason}. What {endpoint} said \
                 {} ago was: {}",
                self.subject(&known.identity),
                deed(&verdict.denial),
                age(known.asked.elapsed()),
                verdict.reason
            )
        })
    }

    /// The auth-check of a repository; `None` for another kind of target.
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
                // What whoami tells explains it best; else there are only the Hub's own words.
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

    /// A denial for another reason than the verdict's, perhaps with another remedy.
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

/// Whether a token may read no gated repositories at all, so that access for its user would not
/// help it. One that was given this repository by name needs no such permission.
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
