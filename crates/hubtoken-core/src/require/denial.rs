//! Words the errors of a check: a denial, and a result that is unknown.

use super::CheckContext;
use crate::authorization::{Outcome, Remedy, Verdict};
use crate::error::{Denial, DenialKind, Error, ResponseDetails};
use crate::identity::client::IdentityAnswer;
use crate::identity::failure::{Failure, format_duration};
use crate::identity::model::Identity;
use crate::oauth::Resource;

/// The reason for a disabled repository.
const DISABLED: &str = "access to the repository is disabled on the Hub, for every token";

impl CheckContext<'_> {
    /// "hf_…9xQ2 from the environment variable `HF_TOKEN` (`ci` of alice)".
    pub(super) fn subject(&self, identity: &Identity) -> String {
        let name = identity
            .token_name
            .as_deref()
            .map_or_else(String::new, |name| format!("`{}` of ", name.escape_debug()));
        format!("{} ({name}{})", self.credential.describe(), identity.user)
    }

    pub(super) fn denied(&self, identity: &Identity, verdict: &Verdict) -> Error {
        self.denied_because(identity, verdict, &verdict.reason)
    }

    pub(super) fn denied_because(
        &self,
        identity: &Identity,
        verdict: &Verdict,
        reason: &str,
    ) -> Error {
        if let Some(error) = self.no_such_namespace(identity, verdict) {
            return error;
        }
        self.refused(identity, verdict, verdict.kind, reason, None)
    }

    pub(super) fn disabled(&self, identity: &Identity, verdict: &Verdict) -> Error {
        let kind = DenialKind::Disabled;
        self.refused(identity, verdict, kind, DISABLED, Some(Remedy::Owner))
    }

    /// A denial with another reason than the verdict's, and optionally another remedy.
    pub(super) fn refused(
        &self,
        identity: &Identity,
        verdict: &Verdict,
        kind: DenialKind,
        reason: &str,
        remedy: Option<Remedy>,
    ) -> Error {
        let mut denial = verdict.denial.clone();
        if let Some(remedy) = remedy {
            remedy.apply_to(&mut denial, &self.credential.endpoint);
        }
        Error::AccessDenied {
            response: ResponseDetails::default(),
            message: format!(
                "the token {} cannot {}: {}",
                self.subject(identity),
                describe_action(&denial),
                denial.after(reason)
            ),
            kind,
            denial: Box::new(denial),
        }
    }

    pub(super) fn unknown(&self, identity: &Identity, verdict: &Verdict) -> Error {
        if let Some(error) = self.no_such_namespace(identity, verdict) {
            return error;
        }
        // The token of an exchange has no role, but a repository.
        let resource = self.credential.source.resource();
        let resource = resource.and_then(|text| Resource::parse(text).ok());
        let hint = resource.map_or_else(String::new, |resource| {
            format!(". It {}: name that repository", resource.describe_right())
        });
        Error::unknown(format!(
            "whether the token {} can {} is not known: {}{hint}",
            self.credential.describe(),
            describe_action(&verdict.denial),
            verdict.reason
        ))
    }

    /// An old denial that could not be confirmed becomes an unknown that quotes it. An old unknown
    /// has nothing to quote.
    pub(super) fn unconfirmed(
        &self,
        failure: Failure,
        known: &IdentityAnswer,
        verdict: &Verdict,
    ) -> Error {
        let endpoint = &self.credential.endpoint;
        let reason = failure.reason(endpoint);
        let is_denied = verdict.outcome == Outcome::Denied;
        self.failed(failure).instead(|_| {
            if !is_denied {
                return format!(
                    "whether the token {} can {} is not known: {}. Asking the Hub again failed: \
                     {reason}",
                    self.subject(&known.identity),
                    describe_action(&verdict.denial),
                    verdict.reason.trim_end_matches('.')
                );
            }
            format!(
                "whether the token {} can {} is not known: {reason}. The answer of {endpoint} {} \
                 ago was: {}",
                self.subject(&known.identity),
                describe_action(&verdict.denial),
                format_duration(known.asked.elapsed()),
                verdict.reason
            )
        })
    }
}

/// "write to acme/tiny", to follow "can".
pub(super) fn describe_action(denial: &Denial) -> String {
    match (denial.required.as_str(), &denial.target) {
        ("write", Some(target)) => format!("write to {target}"),
        ("read", Some(target)) => format!("read {target}"),
        (role @ ("read" | "write"), None) => role.to_owned(),
        (permission, Some(target)) => format!("use `{permission}` on {target}"),
        (permission, None) => format!("use `{permission}`"),
    }
}
