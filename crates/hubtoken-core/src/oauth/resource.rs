//! What the token of an exchange of id tokens is for: the value of `HF_OIDC_RESOURCE`.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::repository::RepositoryType;
use crate::sanitize::redacted;
use crate::target::{Target, is_name, looks_like_a_token};

/// How many characters of an invalid value are shown.
const SHOWN: usize = 80;

/// The types in the plural, as users write them in front of an ID.
const TYPES: [&str; 5] = ["models", "datasets", "spaces", "kernels", "buckets"];

/// The kinds of repositories that have trusted publishers. Those that the auth-check does not know
/// have no [`RepositoryType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// A model, a dataset, or a Space.
    Repository(RepositoryType),
    /// A kernel.
    Kernel,
    /// A storage bucket.
    Bucket,
}

impl ResourceType {
    const ALL: [Self; 5] = [
        Self::Repository(RepositoryType::Model),
        Self::Repository(RepositoryType::Dataset),
        Self::Repository(RepositoryType::Space),
        Self::Kernel,
        Self::Bucket,
    ];

    /// What precedes the ID: nothing for a model.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Repository(kind) => kind.prefix(),
            Self::Kernel => "kernels/",
            Self::Bucket => "buckets/",
        }
    }
}

/// What a token is requested for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A repository, which the token may write to, and to no other.
    Repository {
        /// The repository's type.
        kind: ResourceType,
        /// The user or organization that owns it.
        namespace: String,
        /// The repository's name, without the namespace.
        name: String,
    },
    /// A user, whose gated repositories the token may read.
    User(String),
}

impl Resource {
    /// Parses the value of `HF_OIDC_RESOURCE`: `acme/model`, `datasets/acme/data`, `spaces/…`,
    /// `kernels/…`, `buckets/…`, or a user's name. White space around it is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], which names the variable and the forms.
    ///
    /// ```
    /// use hubtoken_core::oauth::Resource;
    ///
    /// assert_eq!(Resource::parse(" datasets/acme/data ")?.to_string(), "datasets/acme/data");
    /// assert_eq!(Resource::parse("alice")?, Resource::User("alice".to_owned()));
    /// assert!(Resource::parse("models/acme/model").is_err());
    /// # Ok::<(), hubtoken_core::error::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('/').collect();
        let found = match parts[..] {
            [user] if is_name(user) && !TYPES.contains(&user) => Some(Self::User(user.to_owned())),
            // No account has the name of a type.
            [namespace, name] if !TYPES.contains(&namespace) => {
                Self::repository(ResourceType::ALL[0], namespace, name)
            }
            [prefix, namespace, name] => ResourceType::ALL
                .into_iter()
                .find(|kind| kind.prefix().strip_suffix('/') == Some(prefix))
                .and_then(|kind| Self::repository(kind, namespace, name)),
            _ => None,
        };
        let is_secret = parts.iter().any(|part| looks_like_a_token(part));
        found.filter(|_| !is_secret).ok_or_else(|| {
            let what = if is_secret {
                "looks like a token, which is not repeated here".to_owned()
            } else {
                let shown: String = redacted(text).chars().take(SHOWN).collect();
                format!("is `{shown}`, which is not a resource")
            };
            Error::Configuration(format!(
                "{} {what}. Write the repository that the job publishes to (\"acme/model\", \
                 \"datasets/acme/data\", \"spaces/...\", \"kernels/...\", \"buckets/...\"), or a user \
                 name",
                env::HF_OIDC_RESOURCE
            ))
        })
    }

    fn repository(kind: ResourceType, namespace: &str, name: &str) -> Option<Self> {
        (is_name(namespace) && is_name(name)).then(|| Self::Repository {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Whether a token for this resource may write to a target. The Hub ignores case in names.
    #[must_use]
    pub fn may_write_to(&self, target: &Target) -> bool {
        let (
            Self::Repository {
                kind: ResourceType::Repository(own_kind),
                namespace: own_namespace,
                name: own_name,
            },
            Target::Repository {
                kind,
                namespace,
                name,
            },
        ) = (self, target)
        else {
            return false;
        };
        own_kind == kind
            && own_namespace.eq_ignore_ascii_case(namespace)
            && own_name.eq_ignore_ascii_case(name)
    }

    /// The path of the page on which its trusted publishers are added.
    #[must_use]
    pub fn settings_path(&self) -> String {
        match self {
            Self::Repository { .. } => format!("/{self}/settings"),
            Self::User(_) => "/settings/authentication".to_owned(),
        }
    }

    /// That page.
    #[must_use]
    pub fn settings_url(&self, endpoint: &Endpoint) -> String {
        endpoint.url(&self.settings_path())
    }

    /// What the token may do, as a verb phrase: "writes to `acme/model` alone".
    #[must_use]
    pub fn describe_right(&self) -> String {
        match self {
            Self::Repository { .. } => format!("writes to `{self}` alone"),
            Self::User(_) => format!("reads the gated repositories of `{self}` alone"),
        }
    }
}

/// As it is sent.
impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository {
                kind,
                namespace,
                name,
            } => write!(formatter, "{}{namespace}/{name}", kind.prefix()),
            Self::User(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_read_and_sent_as_it_was() {
        for text in [
            "acme/model",
            "datasets/acme/data",
            "spaces/acme/demo",
            "kernels/acme/kernel",
            "buckets/acme/bucket",
            "alice",
        ] {
            let resource = Resource::parse(&format!("\t{text}\n")).unwrap();
            assert_eq!(resource.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_resource_is_an_error_that_shows_no_secret() {
        let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
        for text in [
            "",
            "/",
            "acme/",
            "models/acme/model",
            "datasets",
            "datasets/data",
            "datasets/acme/data/more",
            "acme/../x",
            "https://huggingface.co/acme/model",
            "a b",
            "acme/ü",
            "acme/\u{1b}[31m",
            secret,
            &format!("acme/{secret}"),
            &"x".repeat(100_000),
        ] {
            let message = Resource::parse(text).unwrap_err().to_string();
            assert!(message.starts_with("HF_OIDC_RESOURCE "), "{message}");
            assert!(!message.contains("FakeFake") && !message.contains('\u{1b}'));
            assert!(message.len() < 500, "{message}");
        }
    }

    #[test]
    fn a_token_writes_to_its_own_repository_alone() {
        let target = |text: &str| Target::repository(text, RepositoryType::Model, "me").unwrap();
        let model = Resource::parse("acme/model").unwrap();
        assert!(model.may_write_to(&target("Acme/Model")));
        for other in ["acme/other", "other/model", "datasets/acme/model"] {
            assert!(!model.may_write_to(&target(other)), "{other}");
        }
        assert!(!model.may_write_to(&Target::Namespace("acme".to_owned())));
        assert!(!model.may_write_to(&Target::Anything));
        for other in ["kernels/acme/model", "buckets/acme/model", "acme"] {
            let resource = Resource::parse(other).unwrap();
            assert!(!resource.may_write_to(&target("acme/model")), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(text in "[a-z/.\\-]{0,40}") {
            if let Ok(resource) = Resource::parse(&text) {
                prop_assert_eq!(resource.to_string(), text);
            }
        }
    }
}
