//! What something is to be done on: a repository, a namespace, or nothing in particular.

use std::fmt;

use crate::error::Error;

/// What sort of repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RepositoryType {
    /// A model.
    #[default]
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
}

impl RepositoryType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// `model`, `dataset` or `space`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// `models`, `datasets` or `spaces`: the word in the API's paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the id in every other URL: nothing for a model.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    /// Reads an argument: a type in the singular or the plural.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other word.
    pub fn from_argument(text: &str) -> Result<Self, Error> {
        Self::parse(text)
            .or_else(|| Self::parse_plural(text))
            .ok_or_else(|| {
                Error::InvalidArgument(
                    "a repository type is \"model\", \"dataset\" or \"space\"".to_owned(),
                )
            })
    }

    /// Reads `model`, `dataset` or `space`.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == kind)
    }

    /// Reads `models`, `datasets` or `spaces`.
    #[must_use]
    pub fn parse_plural(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.plural() == kind)
    }
}

impl fmt::Display for RepositoryType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What it is to be done on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing in particular.
    Anything,
    /// A user or an organisation.
    Namespace(String),
    /// A repository, which may not exist yet.
    Repository {
        /// What sort of repository.
        kind: RepositoryType,
        /// Its user or organisation.
        namespace: String,
        /// Its own name.
        name: String,
    },
}

impl Target {
    /// Reads a repository as people name it: `acme/tiny`, `tiny` for one's own, or with its type
    /// before it, `datasets/acme/tiny`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it is none of these.
    pub fn repository(
        text: &str,
        kind: RepositoryType,
        own_namespace: &str,
    ) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [name] => (kind, own_namespace, name),
            [namespace, name] => (kind, namespace, name),
            [plural @ ("models" | "datasets" | "spaces"), namespace, name] => {
                (RepositoryType::from_argument(plural)?, namespace, name)
            }
            _ => return Err(invalid_repository()),
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(invalid_repository());
        }
        Ok(Self::Repository {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Anything => None,
            Self::Namespace(namespace) | Self::Repository { namespace, .. } => Some(namespace),
        }
    }
}

fn invalid_repository() -> Error {
    Error::InvalidArgument(
        "a repository is written \"name\", \"namespace/name\" or \"datasets/namespace/name\", of \
         letters, digits, `-`, `_` and `.`"
            .to_owned(),
    )
}

/// Whether a text can be the name of a user, an organization or a repository; such a name needs no
/// escaping in a path.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 96
        && !text.starts_with('.')
        && !text.contains("..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => formatter.write_str("the Hub"),
            Self::Namespace(namespace) => formatter.write_str(namespace),
            Self::Repository {
                kind,
                namespace,
                name,
            } => write!(formatter, "{}{namespace}/{name}", kind.prefix()),
        }
    }
}
