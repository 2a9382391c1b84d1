//! What would help against a *no*.
//!
//! Advice that cannot help costs more than none: a user makes a token, waits for it to be
//! approved, and is denied again. So each cause has a remedy of its own, and what lies with the
//! user is never blamed on the token.
//!
//! What the user, the organization, or the repository must change is reported before what the
//! token lacks, since in that case no other token would help.

use crate::endpoint::Endpoint;
use crate::error::Denial;
use crate::identity::model::Identity;
use crate::role::TokenRole;

/// What would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Another token of the same user; the query of the form that makes it.
    Token(String),
    /// For a fine-grained token that was asked for a role on nothing in particular: a token that
    /// has one; the query of the form.
    RoleInGeneral(String),
    /// A fine-grained token, since no other is let in; the query of the form.
    FineGrained(String),
    /// Perhaps another token: whether its user has the right, whoami does not tell.
    TokenAndRight,
    /// To belong to the namespace.
    Membership(String),
    /// A namespace of one's own, since this one is another user's.
    OwnNamespace,
    /// A higher role in the organization.
    HigherRole(String),
    /// That the organization lets this token in.
    Admission(String),
    /// A second factor for the account.
    SecondFactor,
    /// A session of the organization's single sign-on.
    SingleSignOn(String),
    /// Another network.
    Network,
    /// That a fine-grained token may read gated repositories.
    GatedRepositories,
    /// To be let through the gate; the repository's page.
    Access(String),
    /// Its owner, or the Hub's operator, who can enable it again.
    Owner,
    /// A name that exists; the reason says which.
    Name,
    /// Nothing that is known; the repository's page may say more.
    Page(String),
}

impl Remedy {
    /// What lets a token in that an organization keeps out, by what whoami says of it.
    pub(crate) fn for_restrictions(
        identity: &Identity,
        organization: &str,
        permission: &str,
        restrictions: &[String],
    ) -> Self {
        let known = restrictions.iter().find_map(|word| match word.as_str() {
            "token-policy" => Some(Self::for_policy(identity, organization, permission)),
            "mfa" => Some(Self::SecondFactor),
            "sso" => Some(Self::SingleSignOn(organization.to_owned())),
            "ip" => Some(Self::Network),
            _ => None,
        });
        known.unwrap_or_else(|| Self::Admission(organization.to_owned()))
    }

    /// What lets a token in that a policy keeps out, by the Hub's own words.
    pub(crate) fn for_words(
        identity: &Identity,
        organization: &str,
        permission: &str,
        words: &str,
    ) -> Self {
        if words.contains("revoked") {
            return Self::Admission(organization.to_owned());
        }
        Self::for_policy(identity, organization, permission)
    }

    /// What lets a token in that is kept out for its kind, or for want of an approval: no policy
    /// lets in fewer fine-grained tokens than others, and only those can be approved.
    fn for_policy(identity: &Identity, organization: &str, permission: &str) -> Self {
        match identity.role {
            Some(TokenRole::Read | TokenRole::Write | TokenRole::God) => Self::FineGrained(
                format!("tokenType=fineGrained&orgs={organization}&orgPermissions={permission}"),
            ),
            _ => Self::Admission(organization.to_owned()),
        }
    }

    /// Writes it into a denial.
    pub(crate) fn put_into(self, denial: &mut Denial, endpoint: &Endpoint) {
        denial.advice = self.advice();
        denial.remedy_url = self.path().map(|path| endpoint.url(&path));
    }

    pub(super) fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Token(_) => "Make a token that will do",
            Self::RoleInGeneral(_) => "Or make a token that has the role everywhere",
            Self::FineGrained(_) => "Make a fine-grained token",
            Self::Membership(_) => {
                "Another token does not help: ask to be invited, or use a namespace of your own"
            }
            Self::TokenAndRight => "Another token helps only if its user has the right as well",
            Self::OwnNamespace => "Another token does not help: use a namespace of your own",
            Self::HigherRole(_) => "Ask an administrator for a higher role",
            Self::Admission(_) => "Ask an administrator of the organization",
            Self::SecondFactor => "Turn on two-factor authentication",
            Self::SingleSignOn(_) => "Sign in to the organization by single sign-on",
            Self::Network => "Use it from a network that the organization allows",
            Self::GatedRepositories => {
                "Turn on access to public gated repositories in the token's settings"
            }
            Self::Access(_) => "Ask for access",
            Self::Owner => "No token helps; only its owner or the Hub's operator can enable it",
            Self::Name => "Another token does not help: look at the name",
            Self::Page(_) => return None,
        })
    }

    fn path(&self) -> Option<String> {
        Some(match self {
            Self::Token(query) | Self::RoleInGeneral(query) | Self::FineGrained(query) => {
                format!("/settings/tokens/new?{query}")
            }
            Self::Membership(namespace) | Self::SingleSignOn(namespace) => format!("/{namespace}"),
            Self::HigherRole(organization) => {
                format!("/organizations/{organization}/settings/members")
            }
            Self::Admission(organization) => format!("/organizations/{organization}/settings"),
            Self::SecondFactor => "/settings/authentication".to_owned(),
            Self::GatedRepositories => "/settings/tokens".to_owned(),
            Self::Access(page) | Self::Page(page) => page.clone(),
            Self::TokenAndRight | Self::OwnNamespace | Self::Network | Self::Owner | Self::Name => {
                return None;
            }
        })
    }
}
