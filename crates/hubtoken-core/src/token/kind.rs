//! The kinds of tokens.

/// The kind of a token, recognized by its prefix.
///
/// The prefixes are the Hub's. A value without a known prefix is [`TokenKind::Opaque`], since a
/// team's own Hub may issue any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A user access token: `hf_…`, or `api_…` before 2022.
    UserAccess,
    /// An organization token, deprecated: `api_org_…`.
    Organization,
    /// An OAuth access token: `hf_oauth_…`.
    OAuth,
    /// A token of an OIDC exchange, bound to one repository: `hf_jwt_…`.
    Jwt,
    /// A token of an app or service account: `hf_app_…`.
    App,
    /// A token for the S3 gateway: `hf_s3_…`.
    S3,
    /// Anything else.
    Opaque,
}

/// The prefixes from the longest to the shortest. The first match decides.
const PREFIXES: [(&str, TokenKind); 7] = [
    ("hf_oauth_", TokenKind::OAuth),
    ("api_org_", TokenKind::Organization),
    ("hf_jwt_", TokenKind::Jwt),
    ("hf_app_", TokenKind::App),
    ("hf_s3_", TokenKind::S3),
    ("api_", TokenKind::UserAccess),
    ("hf_", TokenKind::UserAccess),
];

impl TokenKind {
    /// The kind of a value, from its prefix.
    #[must_use]
    pub fn of(value: &str) -> Self {
        split_prefix(value).1
    }

    /// The name shown to users and in Python.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserAccess => "user-access",
            Self::Organization => "organization",
            Self::OAuth => "oauth",
            Self::Jwt => "jwt",
            Self::App => "app",
            Self::S3 => "s3",
            Self::Opaque => "opaque",
        }
    }
}

/// The prefix of a value, which may be empty, and the kind that it stands for.
pub(super) fn split_prefix(value: &str) -> (&'static str, TokenKind) {
    PREFIXES
        .iter()
        .find(|(prefix, _)| value.starts_with(prefix))
        .map_or(("", TokenKind::Opaque), |&(prefix, kind)| (prefix, kind))
}
