//! Chooses the advice that goes with a denial.
//!
//! Advice that cannot help is worse than none: a user creates a token, waits for its approval, and
//! is denied again. So each cause has its own remedy, and the user's missing rights are never
//! blamed on the token.
//!
//! What the user, the organization, or the repository must change is reported before what the token
//! lacks, since in that case no other token would help.

use crate::endpoint::Endpoint;
use crate::error::Denial;
use crate::identity::model::Identity;
use crate::oauth::Resource;
use crate::role::TokenRole;

/// What would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Another token of the same user; the query of the form that creates it.
    Token(String),
    /// A token with a later end, or none; the query of the form.
    LongerLife(String),
    /// For a fine-grained token that needs a role without a specific target: a token that has one;
    /// the query of the form.
    RoleInGeneral(String),
    /// A fine-grained token, since no other kind is allowed; the query of the form.
    FineGrained(String),
    /// Perhaps another token: whoami does not say whether its user has the right.
    TokenAndRight,
    /// Membership in the namespace.
    Membership(String),
    /// A namespace of the user's own, since this one is another user's.
    OwnNamespace,
    /// A higher role in the organization.
    HigherRole(String),
    /// Approval of this token by the organization.
    Admission(String),
    /// Two-factor authentication for the account.
    SecondFactor,
    /// A single sign-on session with the organization.
    SingleSignOn(String),
    /// Another network.
    Network,
    /// Permission for a fine-grained token to read gated repositories.
    GatedRepositories,
    /// Access to the gated repository; its page.
    Access(String),
    /// The owner or the Hub's operator, who can enable the repository again.
    Owner,
    /// An existing name; the reason says which.
    Name,
    /// Another OIDC exchange; the repository that it would have to be for, if that is known.
    Resource(Option<Resource>),
    /// Nothing known; the repository's page may say more.
    Page(String),
}

impl Remedy {
    /// The remedy for a token that an organization blocks, from the restrictions that whoami lists.
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

    /// The remedy for a token that a policy blocks, from the Hub's message.
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

    /// The remedy for a token that is blocked because of its kind or for lack of approval. Every
    /// policy that allows some kind of token also allows fine-grained ones, and only those can be
    /// approved.
    fn for_policy(identity: &Identity, organization: &str, permission: &str) -> Self {
        match identity.role {
            Some(TokenRole::Read | TokenRole::Write | TokenRole::God) => Self::FineGrained(
                format!("tokenType=fineGrained&orgs={organization}&orgPermissions={permission}"),
            ),
            _ => Self::Admission(organization.to_owned()),
        }
    }

    /// Writes the remedy into a denial.
    pub(crate) fn apply_to(self, denial: &mut Denial, endpoint: &Endpoint) {
        denial.advice = self.advice();
        denial.remedy_url = self.path().map(|path| endpoint.url(&path));
    }

    pub(super) fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Token(_) => "Create a token that has it",
            Self::LongerLife(_) => "Create a token that lasts longer",
            Self::RoleInGeneral(_) => "Or create a token that has the role everywhere",
            Self::FineGrained(_) => "Create a fine-grained token",
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
            Self::Name => "Another token does not help: check the name",
            Self::Resource(_) => {
                "Set HF_OIDC_RESOURCE to the repository that the job writes to, which needs a \
                 trusted publisher"
            }
            Self::Page(_) => return None,
        })
    }

    fn path(&self) -> Option<String> {
        Some(match self {
            Self::Token(query)
            | Self::LongerLife(query)
            | Self::RoleInGeneral(query)
            | Self::FineGrained(query) => {
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
            Self::Resource(other) => return other.as_ref().map(Resource::settings_path),
            Self::TokenAndRight | Self::OwnNamespace | Self::Network | Self::Owner | Self::Name => {
                return None;
            }
        })
    }
}
