//! Where a token came from: its label, its description in messages, and how to replace an invalid
//! token from that source.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::sanitize::{mask_secrets, redacted};

/// The label of an exchange.
pub const OIDC: &str = "oidc";

/// Where a token came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Passed in a call.
    Argument,
    /// Typed or pasted at a prompt.
    Typed,
    /// Issued for a login in a browser.
    Browser,
    /// Read from standard input.
    StandardInput,
    /// An exchange of the CI job's id token for a token of this resource, which `HF_OIDC_RESOURCE`
    /// names.
    Oidc(String),
    /// An environment variable.
    Environment(String),
    /// A profile named by a configuration file.
    Configuration {
        /// The configuration file.
        file: PathBuf,
        /// The profile it names.
        profile: String,
    },
    /// A file that holds one token.
    File(PathBuf),
    /// Such a file that a configuration names. It has the same label, and another remedy.
    ConfiguredFile(PathBuf),
    /// A stored token, requested by name.
    Store(String),
    /// A stored token whose value is in the system's keyring, requested by name.
    Keyring(String),
    /// A program named by the user's configuration, without its arguments.
    Command(String),
    /// The secrets vault of the notebook that this process runs in.
    Vault(Notebook),
    /// `HF_TOKEN`, set by this library to a token from another source.
    Placed {
        /// The original source of the token; never another `Placed`.
        origin: Box<Source>,
        /// What put it there.
        by: Placement,
    },
}

/// What puts a token into `HF_TOKEN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// `activate()`, in this process or in its parent.
    Activation,
    /// `hubtoken run`, for the program it started.
    Run,
    /// `HubToken.environ()`, for a process started with that environment.
    Environ,
}

impl Placement {
    /// A description of the placement, including the original source.
    #[must_use]
    pub fn describe(self, origin: &Source) -> String {
        let origin = redacted(&origin.to_string());
        match self {
            Self::Activation => format!("activated from {origin}"),
            Self::Run => format!("handed over by `hubtoken run` from {origin}"),
            Self::Environ => format!("handed over by `token.environ()` from {origin}"),
        }
    }
}

impl Source {
    /// Parses the output of `Display`; `name` supplies the profile of a configuration source, or the
    /// resource of an exchange.
    #[must_use]
    pub fn parse(label: &str, name: Option<&str>) -> Option<Self> {
        match label.split_once(':') {
            None if label == "argument" => Some(Self::Argument),
            None if label == OIDC => Some(Self::Oidc(name?.to_owned())),
            None => Notebook::parse(label).map(Self::Vault),
            Some(("env", name)) => Some(Self::Environment(name.to_owned())),
            Some(("file", path)) => Some(Self::File(path.into())),
            Some(("store", name)) => Some(Self::Store(name.to_owned())),
            Some(("keyring", name)) => Some(Self::Keyring(name.to_owned())),
            Some(("command", program)) => Some(Self::Command(program.to_owned())),
            Some(("config", file)) => Some(Self::Configuration {
                file: file.into(),
                profile: name?.to_owned(),
            }),
            _ => None,
        }
    }

    /// The name of the stored token, for the sources that have one.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Configuration { profile, .. } | Self::Store(profile) | Self::Keyring(profile) => {
                Some(profile)
            }
            Self::Placed { origin, .. } => origin.profile(),
            _ => None,
        }
    }

    /// What an exchanged token is for.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self.origin() {
            Self::Oidc(resource) => Some(resource),
            _ => None,
        }
    }

    /// What [`Source::parse`] needs besides the label.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.profile().or_else(|| self.resource())
    }

    /// The file that holds the token, if it is one with nothing else in it.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::ConfiguredFile(path) => Some(path),
            _ => None,
        }
    }

    /// The source itself, or the original source if this library put the token into `HF_TOKEN`.
    #[must_use]
    pub fn origin(&self) -> &Self {
        match self {
            Self::Placed { origin, .. } => origin,
            source => source,
        }
    }

    /// How the token got here, phrased to follow its mask: "from store:ci", "activated from
    /// store:ci".
    #[must_use]
    pub fn provenance(&self) -> String {
        match self {
            Self::Placed { origin, by } => by.describe(origin),
            source => format!("from {source}"),
        }
    }

    /// A description of the source, phrased to follow "from".
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Argument => "the argument".to_owned(),
            Self::Typed => "the prompt".to_owned(),
            Self::Browser => "the login in the browser".to_owned(),
            Self::StandardInput => "standard input".to_owned(),
            Self::Oidc(resource) => {
                format!("the OIDC exchange for `{}`", mask_secrets(resource))
            }
            Self::Environment(name) => format!("the environment variable {name}"),
            // Names and paths are shown unmasked and may contain a secret by mistake.
            Self::Configuration { file, profile } => format!(
                "the profile `{}` that {} names",
                mask_secrets(profile),
                mask_secrets(&file.to_string_lossy())
            ),
            Self::File(path) | Self::ConfiguredFile(path) => {
                format!("the token file {}", mask_secrets(&path.to_string_lossy()))
            }
            Self::Store(name) => format!("the stored token `{}`", mask_secrets(name)),
            Self::Keyring(name) => {
                format!("the stored token `{}` in the keyring", mask_secrets(name))
            }
            Self::Command(program) => format!("the token_command `{}`", redacted(program)),
            Self::Vault(notebook) => format!("the secret HF_TOKEN of this {notebook} notebook"),
            Self::Placed { origin, .. } => origin.describe(),
        }
    }

    /// How to replace an invalid token from this source.
    #[must_use]
    pub fn fix_hint(&self) -> String {
        match self {
            Self::Argument => "hand over a valid one".to_owned(),
            Self::Typed => "type or paste a valid one".to_owned(),
            Self::Browser => "log in again".to_owned(),
            Self::StandardInput => "write a valid one to standard input".to_owned(),
            Self::Oidc(resource) => format!(
                "check the trusted publishers of `{}`, and call hubtoken.clear_cache() in a \
                 long-running program",
                mask_secrets(resource)
            ),
            Self::Environment(name) => format!("set {name} to a valid one, or unset it"),
            Self::Configuration { profile, .. } | Self::Store(profile) => {
                let profile = mask_secrets(profile);
                format!("store a valid one with `hubtoken login --name {profile}`")
            }
            Self::Keyring(name) => {
                let name = mask_secrets(name);
                format!("store a valid one with `hubtoken login --keyring --name {name}`")
            }
            Self::File(_) => "log in again with `hubtoken login`".to_owned(),
            Self::ConfiguredFile(_) => {
                "put a valid one into that file, or remove `token_file` from the configuration"
                    .to_owned()
            }
            Self::Command(program) => format!(
                "check what `{}` prints, and call hubtoken.clear_cache() in a long-running program",
                redacted(program)
            ),
            Self::Vault(notebook) => format!(
                "put a valid one into the notebook's secrets ({}) and call hubtoken.clear_cache()",
                notebook.secrets_panel()
            ),
            Self::Placed { origin, by } => {
                // This library set HF_TOKEN, so the user should not be asked to set or unset it.
                let replace = match &**origin {
                    Self::Environment(name) => format!("set {name} to a valid one"),
                    origin => origin.fix_hint(),
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

/// The label that Python exposes as `.source`.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => formatter.write_str("argument"),
            Self::Typed => formatter.write_str("prompt"),
            Self::Browser => formatter.write_str("browser"),
            Self::StandardInput => formatter.write_str("stdin"),
            Self::Oidc(_) => formatter.write_str(OIDC),
            Self::Environment(name) => write!(formatter, "env:{name}"),
            Self::Configuration { file, .. } => {
                write!(
                    formatter,
                    "config:{}",
                    mask_secrets(&file.to_string_lossy())
                )
            }
            Self::File(path) | Self::ConfiguredFile(path) => {
                write!(formatter, "file:{}", mask_secrets(&path.to_string_lossy()))
            }
            Self::Store(name) => write!(formatter, "store:{}", mask_secrets(name)),
            Self::Keyring(name) => write!(formatter, "keyring:{}", mask_secrets(name)),
            Self::Command(program) => write!(formatter, "command:{}", mask_secrets(program)),
            Self::Vault(notebook) => formatter.write_str(notebook.name()),
            // A token keeps its source while it is active.
            Self::Placed { origin, .. } => origin.fmt(formatter),
        }
    }
}

/// A notebook service that stores secrets for its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notebook {
    /// Google Colab: `google.colab.userdata`.
    Colab,
    /// Kaggle: `kaggle_secrets.UserSecretsClient`.
    Kaggle,
}

impl Notebook {
    /// All notebook services, in the order in which they are queried.
    pub const ALL: [Self; 2] = [Self::Colab, Self::Kaggle];

    /// `colab` or `kaggle`, the label of the source.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Colab => "colab",
            Self::Kaggle => "kaggle",
        }
    }

    /// Parses the label.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|notebook| notebook.name() == name)
    }

    /// Where the user grants a notebook access to a secret.
    #[must_use]
    pub fn secrets_panel(self) -> &'static str {
        match self {
            Self::Colab => "the panel with the key",
            Self::Kaggle => "Add-ons, Secrets",
        }
    }
}

impl fmt::Display for Notebook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Colab => "Colab",
            Self::Kaggle => "Kaggle",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_back() {
        for source in [
            Source::Argument,
            Source::Oidc("datasets/acme/x".to_owned()),
            Source::Environment("HF_TOKEN".to_owned()),
            Source::File("/a:b/token".into()),
            Source::Store("x:y".to_owned()),
            Source::Keyring("x:y".to_owned()),
            Source::Command("/opt/a:b".to_owned()),
            Source::Vault(Notebook::Colab),
            Source::Vault(Notebook::Kaggle),
            Source::Configuration {
                file: "/p/hubtoken.toml".into(),
                profile: "ci".to_owned(),
            },
        ] {
            assert_eq!(
                Source::parse(&source.to_string(), source.name()),
                Some(source)
            );
        }
        assert_eq!(Source::parse("config:/p", None), None);
        assert_eq!(Source::parse("oidc", None), None);
        assert_eq!(Source::parse("moon", None), None);
    }

    #[test]
    fn a_secret_in_a_name_or_a_path_is_not_shown() {
        let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
        let key = "sk-proj-FakeFakeFakeFakeFakeFakeFakeFake";
        for source in [
            Source::Store(secret.to_owned()),
            Source::Store(key.to_owned()),
            Source::Keyring(key.to_owned()),
            Source::File(format!("/home/{secret}/token").into()),
            Source::Command(key.to_owned()),
            Source::Configuration {
                file: format!("/{key}/hubtoken.toml").into(),
                profile: secret.to_owned(),
            },
        ] {
            for text in [source.to_string(), source.describe(), source.fix_hint()] {
                assert!(!text.contains("Fake"), "{text}");
            }
        }
    }
}
