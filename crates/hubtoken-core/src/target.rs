//! The target of a requirement: a repository, a namespace, or nothing in particular.

use std::fmt;

use crate::error::Error;
use crate::repository::RepositoryType;
use crate::sanitize::{contains_secret, redacted};
use crate::token::recognize;

impl RepositoryType {
    /// Parses a type in the singular or the plural.
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
}

/// The target of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing in particular.
    Anything,
    /// A user or an organization.
    Namespace(String),
    /// A repository, which may not exist yet.
    Repository {
        /// The repository's type.
        kind: RepositoryType,
        /// The user or organization that owns it.
        namespace: String,
        /// The repository's name, without the namespace.
        name: String,
    },
}

impl Target {
    /// Parses a repository as users write it: `acme/tiny`, `tiny` in their own namespace, or with
    /// its type first, `datasets/acme/tiny`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it is none of these.
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
        if [namespace, name].into_iter().any(looks_like_a_token) {
            return Err(Error::InvalidArgument(
                "the repository's name looks like a token, and is not repeated here".to_owned(),
            ));
        }
        if !is_name(namespace) || !is_name(name) {
            return Err(invalid_repository());
        }
        Ok(Self::Repository {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Whether a repository is written with its type first, where it counts more than an argument.
    pub(crate) fn has_type_prefix(text: &str) -> bool {
        text.matches('/').count() == 2
    }

    /// Parses the name of a user or an organization.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it cannot be one.
    ///
    /// ```
    /// use hubtoken_core::target::Target;
    ///
    /// assert!(Target::namespace_named("acme").is_ok());
    /// assert!(Target::namespace_named("").is_err() && Target::namespace_named("../x").is_err());
    /// ```
    pub fn namespace_named(text: &str) -> Result<Self, Error> {
        let may_be_a_token = looks_like_a_token(text);
        if is_name(text) && !may_be_a_token {
            return Ok(Self::Namespace(text.to_owned()));
        }
        let what = if text.trim().is_empty() {
            "the namespace is blank".to_owned()
        } else if may_be_a_token || recognize(text.trim()).is_some() {
            "the namespace looks like a token, and is not repeated here".to_owned()
        } else {
            let shown: String = redacted(text).chars().take(SHOWN).collect();
            format!("`{shown}` is not the name of a user or an organization")
        };
        Err(Error::InvalidArgument(format!(
            "{what}: such a name is written with letters, digits, `-`, `_` and `.`"
        )))
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
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

/// How many characters of an invalid name are shown.
const SHOWN: usize = 60;

/// An unbroken run of this many letters and digits is not a word of a name.
const KEY_LENGTH: usize = 20;

/// Whether a text may be a token passed in place of a name. A token must not appear in a message or
/// a URL. `sk-telecom-research` begins like a key, but is a name.
pub(crate) fn looks_like_a_token(text: &str) -> bool {
    let text = text.trim();
    let has_long_run = || {
        text.split(|character: char| !character.is_ascii_alphanumeric())
            .any(|run| run.len() >= KEY_LENGTH)
    };
    contains_secret(text) || (recognize(text).is_some() && has_long_run())
}

/// Whether a text can be the name of a user, an organization or a repository. Such a name needs no
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

#[cfg(test)]
mod tests;
