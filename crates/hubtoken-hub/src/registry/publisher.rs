//! Trusted publishers: jobs of a CI provider that may exchange their id tokens for tokens of this
//! Hub.
//!
//! An entry names an issuer of id tokens and the claims that such a token must have, for one
//! repository or for one user. It acts in the name of the user who added it, limited to that
//! repository (or to reading what that user may read through a gate). So whatever takes the user's
//! right away also takes it from the entry and from every token that came of it.
//!
//! Claims are compared exactly, without patterns, as on the real Hub: `ref=refs/heads/main` must
//! not match `refs/heads/main-2`. Entries do not change; deleting one ends its tokens.

use std::collections::BTreeMap;

use async_trait::async_trait;
use time::OffsetDateTime;
use url::Url;

use super::{AuditContext, Repository, User};
use crate::error::HubError;
use crate::local_url::is_on_this_machine;
use crate::names;
use crate::oauth::jwk_set::PublicKeys;
use crate::secret::Digest;
use hubtoken_core::repository::RepositoryType;
use hubtoken_core::strict_url::Origin;

const MAX_ISSUER_BYTES: usize = 500;
const MAX_CLAIMS: usize = 20;
const MAX_CLAIM_BYTES: usize = 500;

/// Claims that do not describe a job: they are checked for every id token, or differ in each.
const CHECKED_ANYWAY: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "nonce"];

/// A CI provider whose issuer is known.
#[derive(Debug)]
pub(crate) struct KnownIssuer {
    /// What people call it.
    pub name: &'static str,
    /// The short name in commands and forms.
    pub slug: &'static str,
    /// Its URL. What is in angle brackets is different for each customer.
    pub issuer: &'static str,
    /// The claims to offer in a form, the most useful first.
    pub claims: &'static [&'static str],
    /// The claims that say whose job it is. One of them must be named if the issuer serves
    /// everybody.
    identifying: &'static [&'static str],
}

/// The providers that the documentation of the real Hub names.
pub(crate) const KNOWN_ISSUERS: [KnownIssuer; 4] = [
    KnownIssuer {
        name: "GitHub Actions",
        slug: "github",
        issuer: "https://token.actions.githubusercontent.com",
        claims: &["repository", "ref", "environment", "workflow"],
        identifying: &[
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "sub",
            "workflow_ref",
            "job_workflow_ref",
        ],
    },
    KnownIssuer {
        name: "GitLab CI/CD",
        slug: "gitlab",
        issuer: "https://gitlab.com",
        claims: &["project_path", "ref", "ref_type", "environment"],
        identifying: &[
            "project_path",
            "project_id",
            "namespace_path",
            "namespace_id",
            "sub",
            "ci_config_ref_uri",
        ],
    },
    KnownIssuer {
        name: "CircleCI",
        slug: "circleci",
        issuer: "https://oidc.circleci.com/org/<organization id>",
        claims: &["oidc.circleci.com/project-id", "oidc.circleci.com/vcs-ref"],
        identifying: &[],
    },
    KnownIssuer {
        name: "Bitbucket Pipelines",
        slug: "bitbucket",
        issuer: "https://api.bitbucket.org/2.0/workspaces/<workspace>/pipelines-config/identity/oidc",
        claims: &["repositoryUuid", "branchName", "deploymentEnvironmentUuid"],
        identifying: &[],
    },
];

/// What an exchange asks for, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// To write to one repository.
    Repository(RepositoryType, &'a str, &'a str),
    /// To read in a user's name.
    User(&'a str),
}

impl<'a> Resource<'a> {
    /// Parses `alice/model`, `datasets/alice/d`, `spaces/alice/s` or `alice`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, HubError> {
        let invalid = |reason| HubError::InvalidName {
            what: "a resource",
            name: printable(text),
            reason,
        };
        if !text.contains('/') {
            names::check_namespace("a user", text).map_err(|_| {
                invalid("it must be `namespace/name`, `datasets/namespace/name`, `spaces/namespace/name` or a user")
            })?;
            return Ok(Self::User(text));
        }
        if text.starts_with("kernels/") || text.starts_with("buckets/") {
            return Err(invalid("this Hub has models, datasets and Spaces alone"));
        }
        let (kind, id) = if let Some(id) = text.strip_prefix("datasets/") {
            (RepositoryType::Dataset, id)
        } else if let Some(id) = text.strip_prefix("spaces/") {
            (RepositoryType::Space, id)
        } else {
            (RepositoryType::Model, text)
        };
        let named = names::split_repository(id)
            .ok()
            .filter(|(namespace, name)| {
                names::check_namespace("a namespace", namespace).is_ok()
                    && names::check_repository(name).is_ok()
            });
        let (namespace, name) = named.ok_or_else(|| {
            invalid(
                "it must be `namespace/name`, `datasets/namespace/name` or `spaces/namespace/name`",
            )
        })?;
        Ok(Self::Repository(kind, namespace, name))
    }
}

/// A trusted publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `namespace/name`, prefixed with `datasets/` or `spaces/` where applicable, or a user's name.
    pub resource: String,
    /// The user in whose name its tokens act.
    pub user: String,
    /// The issuer of the id tokens, exactly as their `iss` has it.
    pub issuer: String,
    /// The claims that an id token must have.
    pub claims: BTreeMap<String, String>,
    /// The issuer's keys, a JWK set, if they are not fetched from the issuer.
    pub keys: Option<String>,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When a token was last issued for it.
    pub last_used_at: Option<OffsetDateTime>,
}

/// What a publisher is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PublisherTarget<'a> {
    Repository(&'a Repository),
    User,
}

/// The parameters of a new publisher.
#[derive(Clone, Debug)]
pub(crate) struct NewPublisher<'a> {
    pub target: PublisherTarget<'a>,
    /// In whose name it acts. For a user's publisher, that user.
    pub user: &'a User,
    pub trust: PublisherTrust,
}

/// Which id tokens are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherTrust {
    /// The issuer, exactly as the `iss` of its id tokens has it.
    pub issuer: String,
    /// The claims that an id token must have, by name.
    pub claims: BTreeMap<String, String>,
    /// The issuer's keys, a JWK set, so that nothing is fetched from the issuer.
    pub keys: Option<String>,
}

/// A verified id token that is exchanged, and that must not be exchanged again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsedIdToken<'a> {
    /// The publisher that it matched.
    pub publisher_id: &'a str,
    /// The digest of its issuer and its `jti`, or of its content.
    pub digest: &'a Digest,
    pub expires_at: OffsetDateTime,
}

impl PublisherTrust {
    /// Checks what does not depend on the registry.
    pub(crate) fn check(&self) -> Result<(), HubError> {
        self.check_issuer()?;
        self.check_claims()?;
        if let Some(keys) = &self.keys {
            PublicKeys::parse(keys.as_bytes())
                .map_err(|reason| invalid("the issuer's JWK set", reason))?;
        }
        Ok(())
    }

    fn check_issuer(&self) -> Result<(), HubError> {
        let wrong = |reason: &str| Err(invalid("the issuer", reason));
        if self.issuer.len() > MAX_ISSUER_BYTES {
            return wrong("it has more than 500 bytes");
        }
        if self.issuer.contains(['<', '>']) {
            return wrong("replace what is in angle brackets by your own");
        }
        if let Err(problem) = Origin::of(&self.issuer) {
            return wrong(&format!("it {problem}"));
        }
        let Ok(url) = Url::parse(&self.issuer) else {
            return wrong("it is not a URL; write it like https://gitlab.com");
        };
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("it has a query or a fragment");
        }
        if url.scheme() == "http" && !is_on_this_machine(&url) {
            return wrong("it must begin with https://; plain http is for this machine alone");
        }
        Ok(())
    }

    fn check_claims(&self) -> Result<(), HubError> {
        let wrong = |reason: String| Err(invalid("the claims", &reason));
        if self.claims.is_empty() {
            return wrong(
                "name at least one, such as repository=acme/train: without any, every job of the issuer \
                 could publish"
                    .to_owned(),
            );
        }
        if self.claims.len() > MAX_CLAIMS {
            return wrong(format!("there are more than {MAX_CLAIMS}"));
        }
        for (name, value) in &self.claims {
            let shown = printable(name);
            if name.is_empty() || name.len() > MAX_CLAIM_BYTES || name.chars().any(char::is_control)
            {
                return wrong(format!("`{shown}` cannot be the name of a claim"));
            }
            if CHECKED_ANYWAY.contains(&name.as_str()) {
                return wrong(format!(
                    "`{shown}` is checked for every id token: name what describes the job instead"
                ));
            }
            if value.is_empty()
                || value.len() > MAX_CLAIM_BYTES
                || value.chars().any(char::is_control)
            {
                return wrong(format!(
                    "the value of `{shown}` is empty, too long, or has control characters"
                ));
            }
            if value.contains('*') {
                return wrong(format!(
                    "the value of `{shown}` has a `*`: values are compared exactly, without patterns"
                ));
            }
        }
        let known = KNOWN_ISSUERS.iter().find(|known| {
            known.issuer == self.issuer.trim_end_matches('/') && !known.identifying.is_empty()
        });
        if let Some(known) = known
            && !known
                .identifying
                .iter()
                .any(|name| self.claims.contains_key(*name))
        {
            return wrong(format!(
                "none of them says whose job it is, so any user of {} could publish: name `{}`",
                known.name, known.claims[0]
            ));
        }
        Ok(())
    }
}

fn invalid(what: &str, reason: &str) -> HubError {
    HubError::InvalidOption {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

/// What was typed, in a form that can be shown.
fn printable(text: &str) -> String {
    text.chars()
        .take(100)
        .map(|each| if each.is_control() { '?' } else { each })
        .collect()
}

/// The registry's operations on trusted publishers. Whether the actor may change the repository's
/// settings is checked before.
#[async_trait]
pub(crate) trait Publishers {
    /// Adds a publisher.
    async fn create_publisher(
        &self,
        new: NewPublisher<'_>,
        context: &AuditContext,
    ) -> Result<Publisher, HubError>;

    /// All publishers, oldest first.
    async fn publishers(&self) -> Result<Vec<Publisher>, HubError>;

    /// The publishers of a repository, oldest first.
    async fn publishers_of_repository(
        &self,
        repository_id: &str,
    ) -> Result<Vec<Publisher>, HubError>;

    /// The publishers of a user, which are for no repository, oldest first.
    async fn publishers_of_user(&self, user_id: &str) -> Result<Vec<Publisher>, HubError>;

    /// Deletes a publisher and the tokens that were issued for it.
    async fn delete_publisher(&self, id: &str, context: &AuditContext) -> Result<(), HubError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(issuer: &str, claims: &[(&str, &str)]) -> PublisherTrust {
        PublisherTrust {
            issuer: issuer.to_owned(),
            claims: claims
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            keys: None,
        }
    }

    #[test]
    fn issuers_are_https_or_on_this_machine() {
        let check = |issuer: &str| trust(issuer, &[("sub", "x")]).check();
        for issuer in [
            "https://gitlab.com",
            "https://git.example:8443/realms/ci",
            "http://127.0.0.1:9000",
            "http://localhost/x",
        ] {
            assert!(check(issuer).is_ok(), "{issuer}");
        }
        for issuer in [
            "",
            "gitlab.com",
            "http://gitlab.com",
            "ftp://gitlab.com",
            "https://user:hunter2@gitlab.com",
            "https://gitlab.com?x",
            "https://gitlab.com#x",
            "https://gitlab.com\\@evil.example",
            KNOWN_ISSUERS[2].issuer,
            &format!("https://gitlab.com/{}", "x".repeat(500)),
        ] {
            let refused = check(issuer).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_publisher_that_anybody_could_be_is_refused() {
        let github = KNOWN_ISSUERS[0].issuer;
        let refused = trust(github, &[("ref", "refs/heads/main")]).check();
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`repository`"), "{refused}");
        assert!(trust(github, &[]).check().is_err());
        assert!(
            trust(github, &[("repository", "acme/train")])
                .check()
                .is_ok()
        );
        let own = "https://git.example";
        assert!(trust(own, &[("ref", "refs/heads/main")]).check().is_ok());
        assert!(trust(own, &[]).check().is_err());
    }

    #[test]
    fn claims_are_plain_text() {
        let check =
            |name: &str, value: &str| trust("https://git.example", &[(name, value)]).check();
        assert!(check("oidc.circleci.com/project-id", "é x").is_ok());
        for (name, value) in [
            ("", "x"),
            ("sub", ""),
            ("sub", "a\nb"),
            ("s\u{1b}", "x"),
            ("aud", "https://huggingface.co"),
            ("ref", "refs/heads/*"),
            (&"n".repeat(501), "x"),
            ("sub", &"v".repeat(501)),
        ] {
            let refused = check(name, value).unwrap_err().to_string();
            assert!(!refused.contains(char::is_control), "{refused}");
        }
    }

    #[test]
    fn keys_are_checked() {
        let mut trust = trust("https://git.example", &[("sub", "x")]);
        trust.keys = Some("{}".to_owned());
        assert!(trust.check().is_err());
    }

    #[test]
    fn resources_are_repositories_and_users() {
        let of = |kind| Resource::Repository(kind, "alice", "d1");
        for (text, expected) in [
            ("alice", Resource::User("alice")),
            ("alice/d1", of(RepositoryType::Model)),
            ("datasets/alice/d1", of(RepositoryType::Dataset)),
            ("spaces/alice/d1", of(RepositoryType::Space)),
        ] {
            assert_eq!(Resource::parse(text).unwrap(), expected);
        }
        for text in [
            "",
            "/",
            "alice/",
            "/d1",
            "a b",
            "datasets/alice",
            "models/alice/d1",
            "kernels/alice/d1",
            "buckets/alice/d1",
            "datasets/datasets/alice/d1",
            "alice/d1/x",
            "alice/\u{1b}[31m",
            "datasets",
        ] {
            let refused = Resource::parse(text).unwrap_err().to_string();
            assert!(!refused.contains('\u{1b}'), "{refused}");
        }
    }
}
