//! Records the source of a token that this library puts into `HF_TOKEN`.
//!
//! `activate()`, `environ()` and `hubtoken run` pass a token on through `HF_TOKEN`, because that is
//! what the Hub's libraries read. By itself, that would make messages in this process and its
//! children blame a variable that the user never set. A second variable therefore records the
//! source, bound to the token by its fingerprint: it is ignored once `HF_TOKEN` holds another
//! value. It affects messages and the profile's name, and passes on when the token expires, as far
//! as its source says. It also tells when an active token is no longer the one of its source, which
//! then counts again, but never names a source of its own.
//!
//! Child processes inherit both variables. Looking up a cached resolution does not read the second
//! variable, because `activate()` clears the cached resolution.

use url::form_urlencoded::{Serializer, parse};

use super::{Inputs, TOKEN_VARIABLES};
use crate::credential::Credential;
use crate::env::{self, Environment};
use crate::expiry::Expiry;
use crate::source::{Placement, Source};
use crate::token::Token;

/// The variables that would take precedence over a token in `HF_TOKEN` and its Hub in
/// `HF_ENDPOINT`, or keep the token from being sent. A program that gets the token starts without
/// them.
pub const OVERRIDING: [&str; 3] = [
    env::HF_OIDC_RESOURCE,
    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
    env::HUGGINGFACE_CO_STAGING,
];

/// Those of [`OVERRIDING`] that are in the way of this token in an environment.
///
/// A token of an exchange that the Hub's libraries can make themselves ends within an hour or so, and
/// they repeat the exchange in time: the variable that asks for it stays.
pub fn overriding(
    credential: &Credential,
    environment: &dyn Environment,
) -> impl Iterator<Item = &'static str> {
    let mut environment = environment.all();
    environment.set(env::HF_ENDPOINT, credential.endpoint.as_str());
    for name in [
        env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
        env::HUGGINGFACE_CO_STAGING,
    ] {
        environment.unset(name);
    }
    let repeats = Inputs::read(&environment, None).huggingface_hub_exchanges(credential);
    OVERRIDING
        .into_iter()
        .filter(move |name| !(repeats && *name == env::HF_OIDC_RESOURCE))
}

const FINGERPRINT: &str = "fingerprint";
const SOURCE: &str = "source";
const PROFILE: &str = "profile";
const RESOURCE: &str = "resource";
/// In Unix milliseconds.
const EXPIRES_AT: &str = "expires_at";
const BY: &str = "by";
const ACTIVATION: &str = "activate";
const RUN: &str = "run";
const ENVIRON: &str = "environ";

/// The value of `HUBTOKEN_TOKEN_ORIGIN` for a token in `HF_TOKEN`.
#[must_use]
pub fn origin(credential: &Credential, by: Placement) -> String {
    let source = credential.source.origin();
    let mut pairs = Serializer::new(String::new());
    pairs
        .append_pair(FINGERPRINT, &credential.token.digest().fingerprint())
        .append_pair(SOURCE, &source.to_string())
        .append_pair(
            BY,
            match by {
                Placement::Activation => ACTIVATION,
                Placement::Run => RUN,
                Placement::Environ => ENVIRON,
            },
        );
    if let Some(profile) = source.profile() {
        pairs.append_pair(PROFILE, profile);
    }
    if let Some(resource) = source.resource() {
        pairs.append_pair(RESOURCE, resource);
    }
    if let Some(end) = credential.expires_at.unix_milliseconds() {
        pairs.append_pair(EXPIRES_AT, &end.to_string());
    }
    pairs.finish()
}

/// A token in `HF_TOKEN` that this library put there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Its source.
    pub(super) source: Source,
    /// When it expires, as its source says.
    pub(super) expires_at: Expiry,
}

/// What is recorded about a token in `HF_TOKEN`, if this library put it there.
fn placed(origin: &str, token: &Token) -> Option<Placed> {
    let field = |name: &str| {
        parse(origin.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    };
    if field(FINGERPRINT)? != token.digest().fingerprint() {
        return None;
    }
    let by = match &*field(BY)? {
        ACTIVATION => Placement::Activation,
        RUN => Placement::Run,
        ENVIRON => Placement::Environ,
        _ => return None,
    };
    let name = field(PROFILE).or_else(|| field(RESOURCE));
    let origin = Source::parse(&field(SOURCE)?, name.as_deref())?;
    let expires_at = field(EXPIRES_AT).and_then(|end| end.parse().ok());
    Some(Placed {
        source: Source::Placed {
            origin: Box::new(origin),
            by,
        },
        expires_at: expires_at.map_or(Expiry::UNKNOWN, Expiry::at_unix_milliseconds),
    })
}

impl Inputs<'_> {
    /// What is recorded about the token in a variable, if this library put it there.
    pub(super) fn placed(&self, name: &str, token: &Token) -> Option<Placed> {
        if name != env::HF_TOKEN {
            return None;
        }
        placed(self.origin.as_deref()?.to_str()?, token)
    }
}

/// A warning that a variable takes precedence over the active token of the file, if one does.
///
/// `effect` describes what the variable's token does ("goes before the active token"). `purpose`
/// says why to change that (" to be without a token"), and may be empty.
#[must_use]
pub fn shadow_warning(
    environment: &dyn Environment,
    effect: &str,
    purpose: &str,
) -> Option<String> {
    let name = TOKEN_VARIABLES
        .into_iter()
        .find(|name| env::text(environment, name).is_some())?;
    let placed = env::text(environment, name)
        .and_then(|value| Token::parse(&value).ok().flatten())
        .and_then(|token| Inputs::read(environment, None).placed(name, &token));
    Some(match placed.map(|placed| placed.source) {
        Some(Source::Placed { origin, by }) => {
            let remedy = match by {
                Placement::Activation => "call hubtoken.deactivate() in the program that did",
                Placement::Run => "do this outside of `hubtoken run`",
                Placement::Environ => "do this in a process that was started without it",
            };
            format!(
                "a token was {} and {effect}; {remedy}{purpose}",
                by.describe(&origin)
            )
        }
        _ => format!("{name} is set and {effect}; unset it{purpose}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::env::StaticEnvironment;

    const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
    const OTHER: &str = "hf_OtherOtherOtherOtherOtherOtherOtXX";

    fn credential(source: Source) -> Credential {
        Credential {
            token: Token::parse(VALUE).unwrap().unwrap(),
            source,
            endpoint: Endpoint::default_hub(),
            expires_at: Expiry::at_unix_seconds(4_000_000_000),
            renewal: None,
        }
    }

    #[test]
    fn every_source_is_read_back_for_its_own_value_only() {
        let other = Token::parse(OTHER).unwrap().unwrap();
        for by in [Placement::Activation, Placement::Run, Placement::Environ] {
            for from in [
                Source::Argument,
                Source::Oidc("datasets/acme/x".to_owned()),
                Source::Environment("HUGGING_FACE_HUB_TOKEN".to_owned()),
                Source::File("/a b/ü&=/token".into()),
                Source::Store("c i&source=argument".to_owned()),
                Source::Command("/opt/a:b".to_owned()),
                Source::Configuration {
                    file: "/p/hubtoken.toml".into(),
                    profile: "ci".to_owned(),
                },
            ] {
                let credential = credential(from.clone());
                let written = origin(&credential, by);
                assert!(!written.contains(VALUE));
                let read = placed(&written, &credential.token).unwrap();
                assert_eq!(read.source.origin(), &from);
                assert_eq!(read.expires_at, credential.expires_at);
                assert_eq!(placed(&written, &other), None);
                // A placed token that is placed again keeps its original source.
                let again = Credential {
                    source: read.source,
                    ..credential
                };
                assert_eq!(origin(&again, by), written);
            }
        }
    }

    #[test]
    fn what_is_not_ours_says_nothing() {
        let credential = credential(Source::Argument);
        let written = origin(&credential, Placement::Activation);
        for broken in [
            "",
            "store:ci",
            &written.replace("activate", "magic"),
            &written.replace("argument", "moon"),
            &written.replace("fingerprint", "print"),
        ] {
            assert_eq!(placed(broken, &credential.token), None, "{broken}");
        }
    }

    #[test]
    fn a_shadow_is_blamed_on_what_put_it_there() {
        let warn = |environment: &StaticEnvironment| {
            shadow_warning(environment, "goes before the active token", "").unwrap()
        };
        let mut environment = StaticEnvironment::from([("HF_TOKEN", VALUE)]);
        assert_eq!(
            warn(&environment),
            "HF_TOKEN is set and goes before the active token; unset it"
        );
        let credential = credential(Source::Store("ci".to_owned()));
        environment.set(
            env::HUBTOKEN_TOKEN_ORIGIN,
            origin(&credential, Placement::Activation),
        );
        let warning = warn(&environment);
        assert!(warning.contains("activated from store:ci") && !warning.contains("unset"));
        environment.set(
            env::HUBTOKEN_TOKEN_ORIGIN,
            origin(&credential, Placement::Environ),
        );
        let warning = warn(&environment);
        assert!(warning.contains("handed over by `token.environ()` from store:ci"));
        assert!(!warning.contains("unset"));
        environment.set("HF_TOKEN", OTHER);
        assert!(warn(&environment).contains("unset"));
        environment.unset("HF_TOKEN");
        assert_eq!(shadow_warning(&environment, "", ""), None);
    }
}
