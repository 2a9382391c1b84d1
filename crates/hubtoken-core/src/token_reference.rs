//! Identifies a token in a pickle by its source and fingerprint instead of its value.

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::source::Source;
use crate::token::Digest;

/// What a pickle carries: enough to find the token again, but never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReference {
    /// Where the token came from.
    pub source: Source,
    /// The Hub it belongs to.
    pub endpoint: Endpoint,
    /// The token's fingerprint.
    pub fingerprint: String,
    /// The token's mask, for messages.
    pub mask: String,
}

impl TokenReference {
    /// The reference to a credential.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        Self {
            // Whether the token is active here means nothing in the process that unpickles it.
            source: credential.source.origin().clone(),
            endpoint: credential.endpoint.clone(),
            fingerprint: credential.token.digest().fingerprint(),
            mask: credential.token.mask(),
        }
    }

    /// Whether a token is the one this reference identifies.
    ///
    /// A profile may have been rotated in the meantime, and an exchange repeated, so the name or the
    /// resource and the endpoint are enough. For any other source, the value must be the same.
    #[must_use]
    pub fn matches(&self, credential: &Credential) -> bool {
        let is_same = |digest: Digest| digest.fingerprint() == self.fingerprint;
        let replaces = credential
            .renewal
            .as_ref()
            .and_then(|renewal| renewal.replaces());
        let same_value = is_same(credential.token.digest()) || replaces.is_some_and(is_same);
        let is_named_alike = (self.source.profile().is_some()
            && self.source.profile() == credential.source.profile())
            || (self.source.resource().is_some()
                && self.source.resource() == credential.source.resource());
        credential.endpoint == self.endpoint && (same_value || is_named_alike)
    }

    /// The message for a token that could not be found again.
    #[must_use]
    pub fn why_not_restorable(&self) -> String {
        let origin = match &self.source {
            Source::Argument => "it was handed over as an argument in another process".to_owned(),
            source => format!("it came from {}", source.describe()),
        };
        format!(
            "the token {} was unpickled without its value: {origin}, a pickle in a file, in a \
             queue or of submit() carries no value, and neither this process's environment nor \
             its token file nor its stored tokens hold that token for {}. Hand it to each worker \
             as it starts (initializer=hubtoken.HubToken.activate, initargs=(token,), or args= of \
             a Process), or call token.activate() before creating the pool, or resolve a token in \
             this process",
            self.mask, self.endpoint
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::Renewal;
    use crate::credential::tests::credential;
    use crate::source::Placement;
    use crate::token::Token;

    #[test]
    fn a_reference_to_a_placed_token_names_where_that_came_from() {
        let placed = Source::Placed {
            origin: Box::new(Source::Store("ci".to_owned())),
            by: Placement::Activation,
        };
        let stored = credential(placed, "https://huggingface.co");
        assert_eq!(
            TokenReference::of(&stored).source,
            Source::Store("ci".to_owned())
        );
    }

    #[test]
    fn a_reference_follows_a_rotated_profile_only() {
        let stored = credential(Source::Store("ci".to_owned()), "https://huggingface.co");
        let mut rotated = credential(Source::Store("ci".to_owned()), "https://huggingface.co");
        rotated.token = Token::parse("hf_OtherOtherOtherOtherOtherOtherOtXX")
            .unwrap()
            .unwrap();
        assert!(TokenReference::of(&stored).matches(&rotated));
        rotated.source = Source::Environment("HF_TOKEN".to_owned());
        assert!(!TokenReference::of(&stored).matches(&rotated));
        rotated.renewal = Some(Box::new(
            Renewal::new("ci".to_owned(), 0, None).issued(None, Some(stored.token.digest())),
        ));
        assert!(TokenReference::of(&stored).matches(&rotated));
        let elsewhere = credential(Source::Store("ci".to_owned()), "http://127.0.0.1:1");
        assert!(!TokenReference::of(&stored).matches(&elsewhere));
    }

    #[test]
    fn a_reference_follows_an_exchange_for_the_same_resource() {
        let oidc = |resource: &str| Source::Oidc(resource.to_owned());
        let exchanged = credential(oidc("acme/x"), "https://huggingface.co");
        let reference = TokenReference::of(&exchanged);
        for (source, endpoint, is_same) in [
            (oidc("acme/x"), "https://huggingface.co", true),
            (oidc("acme/y"), "https://huggingface.co", false),
            (oidc("acme/x"), "http://127.0.0.1:1", false),
            // A profile of that name is another source.
            (
                Source::Store("acme/x".to_owned()),
                "https://huggingface.co",
                false,
            ),
        ] {
            let mut other = credential(source, endpoint);
            other.token = Token::parse("hf_OtherOtherOtherOtherOtherOtherOtXX")
                .unwrap()
                .unwrap();
            assert_eq!(reference.matches(&other), is_same);
        }
    }
}
