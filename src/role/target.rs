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
    /// Reads a type, in the singular or the plural.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other word.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "model" | "models" => Ok(Self::Model),
            "dataset" | "datasets" => Ok(Self::Dataset),
            "space" | "spaces" => Ok(Self::Space),
            _ => Err(Error::InvalidArgument(
                "a repository type is \"model\", \"dataset\" or \"space\"".to_owned(),
            )),
        }
    }

    /// The word, in the singular.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// The word in the API's paths, in the plural.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before a repository's name in a page's address.
    #[must_use]
    pub fn page_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
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
                (RepositoryType::parse(plural)?, namespace, name)
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

fn is_name(text: &str) -> bool {
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
            } => write!(formatter, "{}{namespace}/{name}", kind.page_prefix()),
        }
    }
}
