//! A token together with where it came from and the Hub it belongs to.
//!
//! Everything after resolution takes a [`Credential`]: who asks the Hub needs the endpoint, and
//! every message names the source, since that is where a wrong token is mended.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::endpoint::{Endpoint, Recipient};
use crate::error::Error;
use crate::known_end::KnownEnd;
use crate::printable::{masked, printable};
use crate::resolve::outside::Notebook;
use crate::token::Token;

/// Where a token came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Handed over in a call.
    Argument,
    /// A variable of the environment.
    Environment(String),
    /// A profile that a configuration file names.
    Configuration {
        /// The configuration file.
        file: PathBuf,
        /// The profile that it names.
        profile: String,
    },
    /// A file that holds one token.
    File(PathBuf),
    /// A stored token, asked for by its name.
    Store(String),
    /// A program that the user's configuration names; here without its arguments.
    Command(String),
    /// The vault of the notebook that the process belongs to.
    Vault(Notebook),
    /// `HF_TOKEN`, where this library put a token that came from elsewhere.
    Placed {
        /// Where the token came from before that; never another `Placed`.
        origin: Box<Source>,
        /// What put it there.
        by: Placement,
    },
}

/// What puts a token into `HF_TOKEN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// `activate()`, in this process or in the one that started it.
    Activation,
    /// `hubtoken run`, for the program that it started.
    Run,
    /// `HubToken.environ()`, for the process that was started with it.
    Environ,
}

impl Placement {
    /// The placement in words, with the source that it took the token from.
    #[must_use]
    pub fn describe(self, origin: &Source) -> String {
        let origin = printable(&origin.to_string());
        match self {
            Self::Activation => format!("activated from {origin}"),
            Self::Run => format!("handed over by `hubtoken run` from {origin}"),
            Self::Environ => format!("handed over by `token.environ()` from {origin}"),
        }
    }
}

impl Source {
    /// Reads back what `Display` wrote; `profile` completes a configuration's.
    #[must_use]
    pub fn parse(label: &str, profile: Option<&str>) -> Option<Self> {
        match label.split_once(':') {
            None if label == "argument" => Some(Self::Argument),
            None => Notebook::parse(label).map(Self::Vault),
            Some(("env", name)) => Some(Self::Environment(name.to_owned())),
            Some(("file", path)) => Some(Self::File(path.into())),
            Some(("store", name)) => Some(Self::Store(name.to_owned())),
            Some(("command", program)) => Some(Self::Command(program.to_owned())),
            Some(("config", file)) => Some(Self::Configuration {
                file: file.into(),
                profile: profile?.to_owned(),
            }),
            _ => None,
        }
    }

    /// The name of the stored token, for the two sources that have one.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Configuration { profile, .. } | Self::Store(profile) => Some(profile),
            Self::Placed { origin, .. } => origin.profile(),
            _ => None,
        }
    }

    /// The source itself, or the one from which the token was put into `HF_TOKEN`.
    #[must_use]
    pub fn origin(&self) -> &Self {
        match self {
            Self::Placed { origin, .. } => origin,
            source => source,
        }
    }

    /// How the token got here, to follow its mask: "from store:ci", "activated from store:ci".
    #[must_use]
    pub fn provenance(&self) -> String {
        match self {
            Self::Placed { origin, by } => by.describe(origin),
            source => format!("from {source}"),
        }
    }

    /// The source in words, to follow "from".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Argument => "the argument".to_owned(),
            Self::Environment(name) => format!("the environment variable {name}"),
            // Names and paths are shown in the open, and may hold what they should not.
            Self::Configuration { file, profile } => format!(
                "the profile `{}` that {} names",
                masked(profile),
                masked(&file.to_string_lossy())
            ),
            Self::File(path) => format!("the token file {}", masked(&path.to_string_lossy())),
            Self::Store(name) => format!("the stored token `{}`", masked(name)),
            Self::Command(program) => format!("the token_command `{}`", printable(program)),
            Self::Vault(notebook) => format!("the secret HF_TOKEN of this {notebook} notebook"),
            Self::Placed { origin, .. } => origin.describe(),
        }
    }

    /// How a dead token from this source is replaced.
    #[must_use]
    pub fn mend(&self) -> String {
        match self {
            Self::Argument => "hand over a valid one".to_owned(),
            Self::Environment(name) => format!("set {name} to a valid one, or unset it"),
            Self::Configuration { profile, .. } | Self::Store(profile) => {
                let profile = masked(profile);
                format!("store a valid one with `hubtoken login --name {profile}`")
            }
            Self::File(_) => "log in again with `hubtoken login`".to_owned(),
            Self::Command(program) => format!(
                "see what `{}` hands out, and call hubtoken.reload() in a program that runs on",
                printable(program)
            ),
            Self::Vault(notebook) => format!(
                "put a valid one into the notebook's secrets ({}) and call hubtoken.reload()",
                notebook.place()
            ),
            Self::Placed { origin, by } => {
                // HF_TOKEN was set by this library: to set or unset it is not the user's part.
                let replace = match &**origin {
                    Self::Environment(name) => format!("set {name} to a valid one"),
                    origin => origin.mend(),
                };
                let again = match by {
                    Placement::Activation => "activate it",
                    Placement::Run => "run the command again",
                    Placement::Environ => "start this process again with `token.environ()`",
                };
                format!("{replace}, and {again}")
            }
        }
    }
}

/// The label that Python shows as `.source`.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => formatter.write_str("argument"),
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::Configuration { file, .. } => {
                write!(formatter, "config:{}", masked(&file.to_string_lossy()))
            }
            Self::File(path) => write!(formatter, "file:{}", masked(&path.to_string_lossy())),
            Self::Store(name) => write!(formatter, "store:{}", masked(name)),
            Self::Command(program) => write!(formatter, "command:{}", masked(program)),
            Self::Vault(notebook) => formatter.write_str(notebook.name()),
            // A token keeps its source while it is active.
            Self::Placed { origin, .. } => origin.fmt(formatter),
        }
    }
}

/// A token, its source and its endpoint.
#[derive(Debug)]
pub struct Credential {
    /// The secret.
    pub token: Token,
    /// Where it came from.
    pub source: Source,
    /// The Hub it belongs to. It never travels to another.
    pub endpoint: Endpoint,
    /// When it ends, where its source says so. What is remembered of it does not outlive that.
    pub expires_at: KnownEnd,
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

    /// The same token, said to have come from elsewhere.
    #[must_use]
    pub fn with_source(&self, source: &Source) -> Option<Arc<Self>> {
        // A token has no copy but by its value, which it has been parsed from before.
        let token = Token::parse(self.token.expose()).ok().flatten()?;
        Some(Arc::new(Self {
            token,
            source: source.clone(),
            endpoint: self.endpoint.clone(),
            expires_at: self.expires_at,
        }))
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

    /// Refuses a URL that is neither the endpoint's nor one of the hosts that huggingface.co itself
    /// uses.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`], without the URL's path or query, which may hold secrets.
    pub fn check_url(&self, url: &str) -> Result<(), Error> {
        let origin = match self.endpoint.recipient(url) {
            Ok(Recipient::Own | Recipient::Sibling) => return Ok(()),
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
            "the token {} belongs to {} and is not sent to {origin}. If {origin} is to have it, \
             hand it over with `.reveal()`",
            self.describe(),
            self.endpoint
        )))
    }

    /// Refuses an endpoint that is not the token's own.
    ///
    /// # Errors
    ///
    /// [`Error::UntrustedEndpoint`].
    pub fn check_endpoint(&self, asked: Option<&Endpoint>) -> Result<(), Error> {
        match asked {
            Some(asked) if *asked != self.endpoint => Err(Error::UntrustedEndpoint(format!(
                "the token {} belongs to {} and was asked for at {asked}. Set HF_ENDPOINT if it \
                 is {asked}'s, or hand over that Hub's own token",
                self.describe(),
                self.endpoint
            ))),
            _ => Ok(()),
        }
    }
}

/// What a pickle carries: enough to find the token again, never the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where the token came from.
    pub source: Source,
    /// The Hub it belongs to.
    pub endpoint: Endpoint,
    /// The token's fingerprint.
    pub fingerprint: String,
    /// The token's mask, for messages.
    pub mask: String,
}

impl Reference {
    /// The reference to a credential.
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        Self {
            // Whether it is active says nothing of the process that the reference gets to.
            source: credential.source.origin().clone(),
            endpoint: credential.endpoint.clone(),
            fingerprint: credential.token.digest().fingerprint(),
            mask: credential.token.mask(),
        }
    }

    /// Whether a token that was found again is the one that is meant.
    ///
    /// A profile may have been rotated meanwhile: its name and the endpoint decide. Elsewhere the
    /// value must be the same.
    #[must_use]
    pub fn matches(&self, credential: &Credential) -> bool {
        let same_value = credential.token.digest().fingerprint() == self.fingerprint;
        let same_profile =
            self.source.profile().is_some() && self.source.profile() == credential.source.profile();
        credential.endpoint == self.endpoint && (same_value || same_profile)
    }

    /// Why a token could not be had again.
    #[must_use]
    pub fn lost(&self) -> String {
        let origin = match &self.source {
            Source::Argument => "it was handed over as an argument in another process".to_owned(),
            source => format!("it came from {}", source.describe()),
        };
        format!(
            "the token {} was unpickled without its value: {origin}, a pickle in a file, in a \
             queue or of submit() carries no value, and neither this process's environment nor \
             its token file nor its stored tokens hold that token for {}. Let each worker have it \
             as it starts (initializer=hubtoken.HubToken.activate, initargs=(token,), or args= of \
             a Process), or call token.activate() before the pool is made, or resolve a token in \
             this process",
            self.mask, self.endpoint
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credential(source: Source, endpoint: &str) -> Credential {
        Credential {
            token: Token::parse("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
                .unwrap()
                .unwrap(),
            source,
            endpoint: Endpoint::parse(endpoint).unwrap(),
            expires_at: KnownEnd::default(),
        }
    }

    #[test]
    fn labels_are_read_back() {
        for source in [
            Source::Argument,
            Source::Environment("HF_TOKEN".to_owned()),
            Source::File("/a:b/token".into()),
            Source::Store("x:y".to_owned()),
            Source::Command("/opt/a:b".to_owned()),
            Source::Vault(Notebook::Colab),
            Source::Vault(Notebook::Kaggle),
            Source::Configuration {
                file: "/p/hubtoken.toml".into(),
                profile: "ci".to_owned(),
            },
        ] {
            assert_eq!(
                Source::parse(&source.to_string(), source.profile()),
                Some(source)
            );
        }
        assert_eq!(Source::parse("config:/p", None), None);
        assert_eq!(Source::parse("moon", None), None);
    }

    #[test]
    fn a_secret_in_a_name_or_a_path_is_not_shown() {
        let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
        let key = "sk-proj-FakeFakeFakeFakeFakeFakeFakeFake";
        for source in [
            Source::Store(secret.to_owned()),
            Source::Store(key.to_owned()),
            Source::File(format!("/home/{secret}/token").into()),
            Source::Command(key.to_owned()),
            Source::Configuration {
                file: format!("/{key}/hubtoken.toml").into(),
                profile: secret.to_owned(),
            },
        ] {
            for text in [source.to_string(), source.describe(), source.mend()] {
                assert!(!text.contains("Fake"), "{text}");
            }
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
                .mend()
                .ends_with("--name ci`, and activate it")
        );
        assert_eq!(
            Reference::of(&stored).source,
            Source::Store("ci".to_owned())
        );
        for by in [Placement::Activation, Placement::Run, Placement::Environ] {
            let variable = placed(Source::Environment("HF_TOKEN".to_owned()), by);
            assert!(!variable.source.mend().contains("unset"));
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

    #[test]
    fn a_reference_follows_a_rotated_profile_only() {
        let stored = credential(Source::Store("ci".to_owned()), "https://huggingface.co");
        let mut rotated = credential(Source::Store("ci".to_owned()), "https://huggingface.co");
        rotated.token = Token::parse("hf_OtherOtherOtherOtherOtherOtherOtXX")
            .unwrap()
            .unwrap();
        assert!(Reference::of(&stored).matches(&rotated));
        rotated.source = Source::Environment("HF_TOKEN".to_owned());
        assert!(!Reference::of(&stored).matches(&rotated));
        let elsewhere = credential(Source::Store("ci".to_owned()), "http://127.0.0.1:1");
        assert!(!Reference::of(&stored).matches(&elsewhere));
    }
}
