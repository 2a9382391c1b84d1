//! What is not there: a repository, or the whole namespace.
//!
//! Both are most often a slip in a name, and the advice that goes with a denial ("make a token that
//! will do") helps nobody then. So before a *no* about another's namespace is reported, the Hub is
//! asked whether there is such a namespace; where it cannot be asked, the *no* stays as it is.

use super::Question;
use crate::edits;
use crate::error::Error;
use crate::identity::check::Permit;
use crate::identity::model::Identity;
use crate::role::{Outcome, Remedy, Role, Target, Verdict};
use crate::similar_repositories::{Missing, MissingRepository, SimilarRepository, suggestion};

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

    /// The repository that would be created, and what may have been meant by its name.
    pub(super) fn missing(&self, target: &Target) -> Result<Option<MissingRepository>, Error> {
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
        }))
    }

    /// The error for a repository that is not there, as far as the token can tell.
    pub(super) fn not_found(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Error {
        let hint = match self.hint(identity, target, verdict) {
            Ok(hint) => hint,
            Err(error) => return error,
        };
        Error::RepositoryNotFound(format!(
            "{target} does not exist on {}, as far as the token {} can tell. {hint}",
            self.credential.endpoint,
            self.credential.describe(),
        ))
    }

    fn hint(
        &self,
        identity: &Identity,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<String, Error> {
        if let Some(sentence) = self.unknown_namespace(identity, verdict)? {
            return Ok(format!("The name may be wrong: {sentence}"));
        }
        if self.must_exist
            && let Some(missing) = self.missing(target)?
            && let Some(suggestion) = suggestion(missing.kind, &missing.similar, prefixed)
        {
            return Ok(format!("The name may be wrong: {suggestion}"));
        }
        Ok(match verdict.outcome {
            Outcome::Allowed => "The name may be wrong".to_owned(),
            _ => format!(
                "The name may be wrong, or the token may not see it: {}",
                verdict.reason
            ),
        })
    }

    /// The error for a namespace that does not exist; `None` when it does, or may.
    pub(super) fn no_such_namespace(
        &self,
        identity: &Identity,
        verdict: &Verdict,
    ) -> Option<Error> {
        match self.unknown_namespace(identity, verdict) {
            Ok(None) => None,
            // No token helps, so there is no page to make one on.
            Ok(Some(sentence)) => {
                let remedy = Some(Remedy::Name);
                Some(self.refused(identity, verdict, verdict.kind, &sentence, remedy))
            }
            Err(error) => Some(error),
        }
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
        let exists = self
            .client
            .namespace_exists(
                namespace,
                self.credential,
                self.line,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))?;
        if exists != Some(false) {
            return Ok(None);
        }
        let own = identity
            .organizations
            .iter()
            .map(|organization| organization.name.as_str())
            .chain([identity.user.as_str()]);
        let suggestion = edits::nearest(namespace, own)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Ok(Some(format!(
            "there is no user or organization `{namespace}` on {} that this token can see{suggestion}",
            self.credential.endpoint
        )))
    }
}

/// The name with its type, which Python and a shell take alike.
fn prefixed(similar: &SimilarRepository) -> String {
    format!("{}{}", similar.kind.prefix(), similar.id)
}
