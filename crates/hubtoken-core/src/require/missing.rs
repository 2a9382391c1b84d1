//! Reports a repository or a namespace that does not exist.
//!
//! The cause is usually a typo in a name, and then the advice that goes with a denial ("create a
//! token that has it") does not help. So before a denial in a foreign namespace is reported, the
//! Hub is asked whether that namespace exists. If it cannot be asked, the denial is reported
//! unchanged.

use std::sync::Arc;
use std::time::Duration;

use super::CheckContext;
use crate::authorization::{Outcome, Remedy, Verdict};
use crate::edit_distance;
use crate::error::{Error, ResponseDetails};
use crate::identity::auth_check::{AuthCheck, AuthCheckOutcome};
use crate::identity::client::Namespace;
use crate::identity::model::Identity;
use crate::repository::SimilarRepository;
use crate::role::Role;
use crate::similar_repositories::{Missing, MissingRepository, suggestion, typed_name};
use crate::target::Target;

/// The time limit for a request that only improves a message.
const EXTRA_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known about a repository's existence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    /// It exists.
    Exists,
    /// It does not exist, as far as the token can tell.
    Missing,
    /// The Hub was not asked, or did not answer.
    Unknown,
}

/// What may be wrong with a name, and the repositories that may have been meant.
type Hint = (String, Arc<[SimilarRepository]>);

impl CheckContext<'_> {
    /// Checks that a repository exists, whatever the token may do with it.
    pub(super) fn ensure_exists(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        let Some(check) = self.auth_check_for(target, Role::Read) else {
            return Ok(());
        };
        match self.auth_check(&check)? {
            (_, AuthCheckOutcome::NotFound, response) => {
                let error = self.not_found(identity, target, verdict);
                Err(error.caused_by(&response))
            }
            (_, AuthCheckOutcome::Disabled, response) => {
                Err(self.disabled(identity, verdict).caused_by(&response))
            }
            // A repository that is gated or closed to the token exists.
            _ => Ok(()),
        }
    }

    /// Looks up a repository in a case that whoami alone decides. A typo in its name only deserves
    /// a warning, so without the Hub's answer this remains open.
    ///
    /// A disabled repository is an error here too: no right to it can be used.
    pub(super) fn check_existence(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<Existence, Error> {
        let Some(check) = self.auth_check_for(target, Role::Read) else {
            return Ok(Existence::Unknown);
        };
        match self.try_auth_check(&check)? {
            None => Ok(Existence::Unknown),
            Some((AuthCheckOutcome::NotFound, _)) => Ok(Existence::Missing),
            Some((AuthCheckOutcome::Disabled, response)) => {
                Err(self.disabled(identity, verdict).caused_by(&response))
            }
            // A repository that is gated or closed to the token exists.
            Some(_) => Ok(Existence::Exists),
        }
    }

    /// The denial for a token that itself lacks the right. The Hub is asked first whether the
    /// repository is disabled, which no other token could change.
    pub(super) fn denied_by_token(
        &self,
        identity: &Identity,
        target: &Target,
        role: Role,
        verdict: &Verdict,
    ) -> Error {
        if let Some(check) = self.auth_check_for(target, role) {
            match self.try_auth_check(&check) {
                Ok(Some((AuthCheckOutcome::Disabled, response))) => {
                    return self.disabled(identity, verdict).caused_by(&response);
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        self.denied(identity, verdict)
    }

    /// An optional auth-check: `None` if it gave no result in time.
    fn try_auth_check(
        &self,
        check: &AuthCheck,
    ) -> Result<Option<(AuthCheckOutcome, ResponseDetails)>, Error> {
        let now = self.client.clock().now();
        let options = self.options.within(EXTRA_TIMEOUT, now);
        let asked = self
            .client
            .auth_check(
                check,
                self.credential,
                self.connection,
                &options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure));
        match asked {
            Ok((_, outcome, response)) => Ok(Some((outcome, response))),
            Err(Error::Unknown { .. }) => Ok(None),
            // Interrupted, or the token has been rejected in the meantime.
            Err(error) => Err(error),
        }
    }

    /// The missing repository, and those that its name may have meant.
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
                self.connection,
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
            has_type_prefix: self.has_type_prefix,
        }))
    }

    /// The error for a repository that does not exist, as far as the token can tell.
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
            response: ResponseDetails::default(),
            message: format!(
                "{target} does not exist on {}, as far as the token {} can tell. {hint}",
                self.credential.endpoint,
                self.credential.describe(),
            ),
            similar,
        }
    }

    /// The hint for a repository that does not exist.
    fn hint(&self, identity: &Identity, target: &Target, verdict: &Verdict) -> Result<Hint, Error> {
        let (detail, similar) = match self.correction(identity, target, verdict)? {
            Some((correction, similar)) => (format!(": {correction}"), similar),
            None if verdict.outcome == Outcome::Allowed => (String::new(), Arc::from([])),
            None => {
                let reason = &verdict.reason;
                let detail = format!(", or the token may not see it: {reason}");
                (detail, Arc::from([]))
            }
        };
        Ok((format!("The name may be wrong{detail}"), similar))
    }

    /// What is most likely wrong with the name; `None` if that is unknown.
    fn correction(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<Option<Hint>, Error> {
        if let Some(sentence) = self.unknown_namespace(identity, verdict)? {
            return Ok(Some((sentence, Arc::from([]))));
        }
        if !self.must_exist {
            return Ok(None);
        }
        let missing = self.missing(target, true)?;
        Ok(missing.and_then(|missing| {
            let suggestion = suggestion(missing.kind, &missing.similar, typed_name)?;
            Some((suggestion, missing.similar))
        }))
    }

    /// The error for a namespace that does not exist or belongs to a single other user; `None` for
    /// any other namespace, or if that is unknown.
    pub(super) fn no_such_namespace(
        &self,
        identity: &Identity,
        verdict: &Verdict,
    ) -> Option<Error> {
        let namespace = verdict.foreign_namespace.as_deref()?;
        let (reason, remedy) = match self.namespace(namespace) {
            // No token helps, so the denial does not link to the page for creating one.
            Ok(Some(Namespace::Absent)) => (self.absent(identity, namespace), Remedy::Name),
            // A user's namespace cannot have other members.
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
                self.connection,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))
    }

    /// The message for a namespace that does not exist; `None` if it exists or if that is unknown.
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

    /// The message for a namespace that does not exist.
    fn absent(&self, identity: &Identity, namespace: &str) -> String {
        let own = identity
            .organizations
            .iter()
            .map(|organization| organization.name.as_str())
            .chain([identity.user.as_str()]);
        let suggestion = edit_distance::nearest(namespace, own)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!(
            "there is no user or organization `{namespace}` on {} that this token can see{suggestion}",
            self.credential.endpoint
        )
    }
}
