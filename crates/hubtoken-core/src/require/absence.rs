//! What is not there: a repository, or the whole namespace.
//!
//! Both are most often a slip in a name, and the advice that goes with a denial ("make a token that
//! will do") helps nobody then. So before a *no* about another's namespace is reported, the Hub is
//! asked whether there is such a namespace; where it cannot be asked, the *no* stays as it is.

use std::sync::Arc;
use std::time::Duration;

use super::Question;
use crate::authorization::{Outcome, Remedy, Verdict};
use crate::edits;
use crate::error::Error;
use crate::identity::Options;
use crate::identity::check::{Check, Permit};
use crate::identity::client::Namespace;
use crate::identity::model::Identity;
use crate::repository::SimilarRepository;
use crate::role::{Role, Target};
use crate::similar_repositories::{Missing, MissingRepository, suggestion};

/// How long a question may take that only adds a word.
const EXTRA_TIMEOUT: Duration = Duration::from_secs(2);

/// What the Hub says of a repository's existence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    /// It is there.
    There,
    /// It is not, as far as the token can tell.
    Missing,
    /// The Hub was not asked, or did not answer.
    Open,
}

impl Question<'_> {
    /// Makes sure that a repository exists, whatever may be done with it.
    pub(super) fn find(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        let Some(check) = self.question_of(target, Role::Read) else {
            return Ok(());
        };
        match self.auth_check(&check)? {
            (_, Permit::NotFound) => Err(self.not_found(identity, target, verdict)),
            // One that is gated or closed to the token is there.
            _ => Ok(()),
        }
    }

    /// Whether a repository exists that whoami alone decides about. A slip in its name is worth a
    /// word and no more: what the Hub does not answer is left open.
    pub(super) fn look_for(&self, target: &Target) -> Result<Existence, Error> {
        let Some(check) = self.question_of(target, Role::Read) else {
            return Ok(Existence::Open);
        };
        match self.try_auth_check(&check)? {
            None => Ok(Existence::Open),
            Some(Permit::NotFound) => Ok(Existence::Missing),
            // One that is gated or closed to the token is there.
            Some(_) => Ok(Existence::There),
        }
    }

    /// The denial of a token that itself lacks the right. In another's namespace the Hub is asked
    /// before whether the repository is disabled, which no other token mends.
    pub(super) fn denied_by_token(
        &self,
        identity: &Identity,
        target: &Target,
        role: Role,
        verdict: &Verdict,
    ) -> Error {
        if let Some(check) = self.question_of(target, role)
            && !check.namespace.eq_ignore_ascii_case(&identity.user)
        {
            match self.try_auth_check(&check) {
                Ok(Some(Permit::Disabled)) => return self.disabled(identity, verdict),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        self.denied(identity, verdict)
    }

    /// An auth-check that may fail: `None` where nothing could be learned in time.
    fn try_auth_check(&self, check: &Check) -> Result<Option<Permit>, Error> {
        let options = Options {
            timeout: self.options.timeout.min(EXTRA_TIMEOUT),
            ..*self.options
        };
        let asked = self
            .client
            .check(check, self.credential, self.line, &options, self.interrupt)
            .map_err(|failure| self.failed(failure));
        match asked {
            Ok((_, permit)) => Ok(Some(permit)),
            Err(Error::Unknown { .. }) => Ok(None),
            // Interrupted, or told meanwhile that the token is not known.
            Err(error) => Err(error),
        }
    }

    /// The repository that is missing, and what may have been meant by its name.
    pub(super) fn missing(
        &self,
        target: &Target,
        would_be_created: bool,
    ) -> Result<Option<MissingRepository>, Error> {
        let Some(missing) = Missing::of(target) else {
            return Ok(None);
        };
        let similar = self
            .client
            .similar_repositories(
                missing,
                !self.must_exist,
                self.credential,
                self.line,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))?;
        Ok(Some(MissingRepository {
            endpoint: self.credential.endpoint.clone(),
            kind: missing.kind(),
            id: missing.id(),
            similar: similar.repositories,
            is_reported: similar.is_reported,
            would_be_created,
        }))
    }

    /// The error for a repository that is not there, as far as the token can tell.
    pub(super) fn not_found(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Error {
        let (hint, similar) = match self.hint(identity, target, verdict) {
            Ok(hint) => hint,
            Err(error) => return error,
        };
        Error::RepositoryNotFound {
            message: format!(
                "{target} does not exist on {}, as far as the token {} can tell. {hint}",
                self.credential.endpoint,
                self.credential.describe(),
            ),
            similar,
        }
    }

    /// What may be wrong, and the repositories that may have been meant.
    fn hint(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<(String, Arc<[SimilarRepository]>), Error> {
        let none = Arc::from([]);
        if let Some(sentence) = self.unknown_namespace(identity, verdict)? {
            return Ok((format!("The name may be wrong: {sentence}"), none));
        }
        if self.must_exist
            && let Some(missing) = self.missing(target, true)?
            && let Some(suggestion) = suggestion(missing.kind, &missing.similar, prefixed)
        {
            let hint = format!("The name may be wrong: {suggestion}");
            return Ok((hint, missing.similar));
        }
        let hint = match verdict.outcome {
            Outcome::Allowed => "The name may be wrong".to_owned(),
            _ => format!(
                "The name may be wrong, or the token may not see it: {}",
                verdict.reason
            ),
        };
        Ok((hint, none))
    }

    /// The error for a namespace that does not exist, or whose only member is its user; `None` for
    /// any other, and where that is not known.
    pub(super) fn no_such_namespace(
        &self,
        identity: &Identity,
        verdict: &Verdict,
    ) -> Option<Error> {
        let namespace = verdict.foreign_namespace.as_deref()?;
        let (reason, remedy) = match self.namespace(namespace) {
            // No token helps, so there is no page to make one on.
            Ok(Some(Namespace::Absent)) => (self.absent(identity, namespace), Remedy::Name),
            // Nor can anybody be invited.
            Ok(Some(Namespace::User)) if verdict.wants_membership() => {
                let user = &identity.user;
                let reason = format!(
                    "{user} is not a member of {namespace}, which is another user's namespace: \
                     only {namespace} can write there"
                );
                (reason, Remedy::OwnNamespace)
            }
            Ok(_) => return None,
            Err(error) => return Some(error),
        };
        Some(self.refused(identity, verdict, verdict.kind, &reason, Some(remedy)))
    }

    fn namespace(&self, name: &str) -> Result<Option<Namespace>, Error> {
        self.client
            .namespace_named(
                name,
                self.credential,
                self.line,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))
    }

    /// That a namespace does not exist, and what may have been meant.
    fn unknown_namespace(
        &self,
        identity: &Identity,
        verdict: &Verdict,
    ) -> Result<Option<String>, Error> {
        let Some(namespace) = &verdict.foreign_namespace else {
            return Ok(None);
        };
        let is_absent = self.namespace(namespace)? == Some(Namespace::Absent);
        Ok(is_absent.then(|| self.absent(identity, namespace)))
    }

    /// The sentence for a namespace that does not exist.
    fn absent(&self, identity: &Identity, namespace: &str) -> String {
        let own = identity
            .organizations
            .iter()
            .map(|organization| organization.name.as_str())
            .chain([identity.user.as_str()]);
        let suggestion = edits::nearest(namespace, own)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!(
            "there is no user or organization `{namespace}` on {} that this token can see{suggestion}",
            self.credential.endpoint
        )
    }
}

/// The name with its type, which Python and a shell take alike.
fn prefixed(similar: &SimilarRepository) -> String {
    format!("{}{}", similar.kind.prefix(), similar.id)
}
