//! A token together with its source and the Hub it belongs to.
//!
//! Everything after resolution takes a [`Credential`]: requests to the Hub need the endpoint, and
//! every message names the source, because that is where a wrong token gets fixed.

mod renewal;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::endpoint::{Endpoint, Recipient};
use crate::error::Error;
use crate::expiry::Expiry;
use crate::recipient::objection;
use crate::source::Source;
use crate::token::Token;
pub use renewal::Renewal;

/// A token, its source and its endpoint.
#[derive(Debug)]
pub struct Credential {
    /// The secret.
    pub token: Token,
    /// Where it came from.
    pub source: Source,
    /// The Hub it belongs to. The token is never sent to another one.
    pub endpoint: Endpoint,
    /// When the token expires, if its source says so. Nothing cached about the token outlives that.
    pub expires_at: Expiry,
    /// How it is renewed; `None` for a token that is not. What is sent is [`Credential::latest`].
    pub renewal: Option<Box<Renewal>>,
}

impl Credential {
    /// "hf_…9xQ2 from the environment variable `HF_TOKEN`", for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let mask = self.token.mask();
        match &self.source {
            Source::Placed { .. } => format!("{mask}, {}", self.source.provenance()),
            source => format!("{mask} from {}", source.describe()),
        }
    }

    /// The warning about a source that holds a whole line instead of the token alone.
    #[must_use]
    pub fn pasted_line_warning(&self) -> Option<String> {
        let line = self.token.pasted_line()?;
        Some(format!(
            "{} holds {}, and only the token in it is used. Other programs would send the line: \
             put the token there alone",
            self.source.describe(),
            line.describe()
        ))
    }

    /// The same token with a different source.
    #[must_use]
    pub fn with_source(&self, source: &Source) -> Option<Arc<Self>> {
        // A token can only be copied through its value, which has already been parsed once.
        let token = Token::parse(self.token.expose()).ok().flatten()?;
        Some(Arc::new(Self {
            token,
            source: source.clone(),
            endpoint: self.endpoint.clone(),
            expires_at: self.expires_at,
            renewal: self.renewal.clone(),
        }))
    }

    /// Rejects a value that is not a token of this Hub.
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`], which says what the value looks like and where it came from.
    pub fn check_sendable(&self) -> Result<(), Error> {
        match objection(&self.token, &self.endpoint) {
            None => Ok(()),
            Some(objection) => Err(Error::TokenFormat(format!(
                "the value from {} {objection}. To use a token of the Hub, {}",
                self.source.describe(),
                self.source.fix_hint()
            ))),
        }
    }

    /// The value of a bearer `Authorization` header (RFC 6750, section 2.1).
    ///
    /// # Errors
    ///
    /// As [`Credential::check_sendable`].
    pub fn bearer(&self) -> Result<Zeroizing<String>, Error> {
        self.check_sendable()?;
        Ok(Zeroizing::new(format!("Bearer {}", self.token.expose())))
    }

    /// The value of a basic `Authorization` header (RFC 7617), with the token as password.
    ///
    /// # Errors
    ///
    /// As [`Credential::check_sendable`].
    pub fn basic(&self, username: &str) -> Result<Zeroizing<String>, Error> {
        self.check_sendable()?;
        let pair = Zeroizing::new(format!("{username}:{}", self.token.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Ok(Zeroizing::new(format!("Basic {}", encoded.as_str())))
    }

    /// Rejects a URL that belongs neither to the endpoint nor to one of the hosts that
    /// huggingface.co itself uses.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`], without the URL's path or query, which may hold secrets.
    pub fn check_url(&self, url: &str) -> Result<(), Error> {
        let origin = match self.endpoint.recipient(url) {
            Ok(Recipient::Own | Recipient::Sibling) => return Ok(()),
            Ok(Recipient::LookedUp) => return self.endpoint.check_other_programs(),
            Ok(Recipient::Foreign(origin)) => origin,
            Err(problem) => {
                return Err(Error::UntrustedEndpoint(format!(
                    "the address {problem}. The token {} belongs to {} and is not sent there",
                    self.describe(),
                    self.endpoint
                )));
            }
        };
        Err(Error::UntrustedEndpoint(format!(
            "the token {} belongs to {} and is not sent to {origin}. To send it there anyway, \
             use `.reveal()`",
            self.describe(),
            self.endpoint
        )))
    }

    /// Rejects an endpoint other than the token's own.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`].
    pub fn check_endpoint(&self, asked: Option<&Endpoint>) -> Result<(), Error> {
        match asked {
            Some(asked) if *asked != self.endpoint => Err(Error::UntrustedEndpoint(format!(
                "the token {} belongs to {} and was requested for {asked}. Set HF_ENDPOINT if it \
                 is {asked}'s, or hand over that Hub's own token",
                self.describe(),
                self.endpoint
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source::Placement;

    pub(crate) fn credential(source: Source, endpoint: &str) -> Credential {
        Credential {
            token: Token::parse("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
                .unwrap()
                .unwrap(),
            source,
            endpoint: Endpoint::parse(endpoint).unwrap(),
            expires_at: Expiry::default(),
            renewal: None,
        }
    }

    #[test]
    fn a_placed_token_keeps_its_source() {
        let placed = |origin: Source, by| {
            credential(
                Source::Placed {
                    origin: Box::new(origin),
                    by,
                },
                "https://huggingface.co",
            )
        };
        let stored = placed(Source::Store("ci".to_owned()), Placement::Activation);
        assert_eq!(stored.source.to_string(), "store:ci");
        assert_eq!(stored.source.profile(), Some("ci"));
        assert_eq!(stored.describe(), "hf_…keXX, activated from store:ci");
        assert!(
            stored
                .source
                .fix_hint()
                .ends_with("--name ci`, and activate it")
        );
        for by in [Placement::Activation, Placement::Run, Placement::Environ] {
            let variable = placed(Source::Environment("HF_TOKEN".to_owned()), by);
            assert!(!variable.source.fix_hint().contains("unset"));
        }
        let run = placed(Source::File("/t".into()), Placement::Run);
        assert_eq!(
            run.describe(),
            "hf_…keXX, handed over by `hubtoken run` from file:/t"
        );
        let environ = placed(Source::Store("ci".to_owned()), Placement::Environ);
        assert_eq!(
            environ.describe(),
            "hf_…keXX, handed over by `token.environ()` from store:ci"
        );
    }

    #[test]
    fn headers_follow_the_rfcs() {
        let credential = credential(Source::Argument, "https://huggingface.co");
        assert_eq!(
            *credential.bearer().unwrap(),
            "Bearer hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"
        );
        let basic = credential.basic("hf_user").unwrap();
        let decoded = STANDARD
            .decode(basic.strip_prefix("Basic ").unwrap())
            .unwrap();
        assert_eq!(decoded, b"hf_user:hf_FakeFakeFakeFakeFakeFakeFakeFakeXX");
    }

    #[test]
    fn a_token_does_not_travel() {
        let credential = credential(Source::Argument, "https://huggingface.co");
        assert!(credential.check_url("https://huggingface.co/api").is_ok());
        let error = credential
            .check_url("https://evil.example/steal?secret=hunter2")
            .unwrap_err()
            .to_string();
        assert!(error.contains("https://evil.example") && !error.contains("hunter2"));
        let other = Endpoint::parse("http://127.0.0.1:1").unwrap();
        assert!(credential.check_endpoint(Some(&other)).is_err());
        assert!(credential.check_endpoint(None).is_ok());
    }
}
