//! Lets the Hub decide about a repository, and explains its decision.
//!
//! The Hub says *that* a token has no access. Why, and what would help, is best explained by what
//! whoami says of the token and its user.

use std::time::Instant;

use super::{CheckContext, GrantBasis};
use crate::authorization::{Outcome, Remedy, Verdict};
use crate::error::{DenialKind, Error, ResponseDetails};
use crate::identity::auth_check::{AuthCheck, AuthCheckOutcome};
use crate::identity::cache::key::Key;
use crate::identity::client::IdentityAnswer;
use crate::identity::model::Identity;
use crate::role::{Required, Role, TokenRole};
use crate::target::Target;

impl CheckContext<'_> {
    /// The auth-check for a repository; `None` for another kind of target.
    pub(super) fn auth_check_for(&self, target: &Target, role: Role) -> Option<AuthCheck> {
        let Target::Repository {
            kind,
            namespace,
            name,
        } = target
        else {
            return None;
        };
        Some(AuthCheck {
            key: Key::of(self.credential),
            kind: *kind,
            namespace: namespace.clone(),
            name: name.clone(),
            role,
        })
    }

    pub(super) fn auth_check(
        &self,
        check: &AuthCheck,
    ) -> Result<(Instant, AuthCheckOutcome, ResponseDetails), Error> {
        self.client
            .auth_check(
                check,
                self.credential,
                self.connection,
                self.options,
                self.interrupt,
            )
            .map_err(|failure| self.failed(failure))
    }

    /// Asks the Hub about a repository, where whoami alone does not decide.
    pub(super) fn ask_hub(
        &self,
        known: &mut IdentityAnswer,
        required: &Required,
        role: Role,
        target: &Target,
        verdict: &Verdict,
    ) -> Result<Option<GrantBasis>, Error> {
        let Some(check) = self.auth_check_for(target, role) else {
            return Ok(None);
        };
        let (asked, outcome, response) = self.auth_check(&check)?;
        let identity = &known.identity;
        let refused =
            |kind, words: &str, remedy| self.refused(identity, verdict, kind, words, Some(remedy));
        let error = match outcome {
            AuthCheckOutcome::Allowed => return Ok(Some(GrantBasis::AuthCheck(asked))),
            AuthCheckOutcome::NotFound if role == Role::Write && !self.must_exist => {
                return self
                    .ask_to_create(known, required, target, check.namespace)
                    .map_err(|error| error.caused_by(&response));
            }
            AuthCheckOutcome::NotFound => self.not_found(identity, target, verdict),
            AuthCheckOutcome::Gated(words) => {
                let remedy = if lacks_gated_access(identity, verdict) {
                    Remedy::GatedRepositories
                } else {
                    Remedy::Access(check.page_path())
                };
                refused(DenialKind::Gated, &words, remedy)
            }
            AuthCheckOutcome::GatedForToken(words) => {
                refused(DenialKind::Gated, &words, Remedy::GatedRepositories)
            }
            AuthCheckOutcome::Policy(words) => {
                let permission = required.permission();
                let remedy = Remedy::for_words(identity, &check.namespace, permission, &words);
                refused(DenialKind::OrganizationPolicy, &words, remedy)
            }
            AuthCheckOutcome::Disabled => self.disabled(identity, verdict),
            AuthCheckOutcome::Forbidden(words) => self.forbidden(identity, verdict, &check, words),
        };
        Err(error.caused_by(&response))
    }

    /// The denial without an error code. A reason based on whoami is the best explanation;
    /// otherwise there is only the Hub's message.
    fn forbidden(
        &self,
        identity: &Identity,
        verdict: &Verdict,
        check: &AuthCheck,
        words: String,
    ) -> Error {
        let (kind, reason) = match verdict.outcome {
            Outcome::Allowed => (DenialKind::Other, words),
            Outcome::Denied => return self.denied(identity, verdict),
            Outcome::Unknown if words.is_empty() => (verdict.kind, verdict.reason.clone()),
            Outcome::Unknown => (verdict.kind, format!("{words} ({})", verdict.reason)),
        };
        let has_remedy = verdict.denial.remedy_url.is_some();
        let page = (!has_remedy).then(|| Remedy::Page(check.page_path()));
        self.refused(identity, verdict, kind, &reason, page)
    }

    /// Decides about a missing repository that writing would create: the right to create it in its
    /// namespace counts.
    fn ask_to_create(
        &self,
        known: &mut IdentityAnswer,
        required: &Required,
        target: &Target,
        namespace: String,
    ) -> Result<Option<GrantBasis>, Error> {
        let namespace = Target::Namespace(namespace);
        let mut creation = self.decide(known, required, &namespace, false)?;
        let identity = &known.identity;
        match creation.outcome {
            Outcome::Allowed => Ok(Some(GrantBasis::MayCreate)),
            Outcome::Denied => {
                let reason = format!(
                    "{target} does not exist, and it cannot be created: {}",
                    creation.reason
                );
                creation.denial.target = Some(target.to_string());
                Err(self.denied_because(identity, &creation, &reason))
            }
            Outcome::Unknown => Err(self.unknown(identity, &creation)),
        }
    }
}

/// Whether a token may not read any gated repository, so that granting its user access would not
/// help. A token with a scope on this very repository does not need that permission.
fn lacks_gated_access(identity: &Identity, verdict: &Verdict) -> bool {
    identity.role == Some(TokenRole::FineGrained)
        && !identity.can_read_gated_repos
        && verdict.outcome != Outcome::Allowed
}
