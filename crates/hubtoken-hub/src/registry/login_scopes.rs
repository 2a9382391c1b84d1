//! What an OAuth login may do: everything that its user may, or what its scopes name.
//!
//! Scopes that name a part of the Hub which this one does not have (billing, endpoints, jobs) are
//! accepted and listed, and allow nothing.

use std::collections::BTreeSet;

/// A scope of an OAuth login, as the Hub's documentation of OAuth names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LoginScope {
    OpenId,
    Profile,
    Email,
    ReadBilling,
    ReadMemberships,
    ReadRepos,
    GatedRepos,
    ContributeRepos,
    WriteRepos,
    ManageRepos,
    ReadCollections,
    WriteCollections,
    InferenceApi,
    ReadEndpoints,
    WriteEndpoints,
    Jobs,
    Webhooks,
    WriteDiscussions,
    ReadMcp,
}

impl LoginScope {
    /// All scopes, in the order in which they are listed.
    pub(crate) const ALL: [Self; 19] = [
        Self::OpenId,
        Self::Profile,
        Self::Email,
        Self::ReadBilling,
        Self::ReadMemberships,
        Self::ReadRepos,
        Self::GatedRepos,
        Self::ContributeRepos,
        Self::WriteRepos,
        Self::ManageRepos,
        Self::ReadCollections,
        Self::WriteCollections,
        Self::InferenceApi,
        Self::ReadEndpoints,
        Self::WriteEndpoints,
        Self::Jobs,
        Self::Webhooks,
        Self::WriteDiscussions,
        Self::ReadMcp,
    ];

    /// The name that the Hub uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Profile => "profile",
            Self::Email => "email",
            Self::ReadBilling => "read-billing",
            Self::ReadMemberships => "read-memberships",
            Self::ReadRepos => "read-repos",
            Self::GatedRepos => "gated-repos",
            Self::ContributeRepos => "contribute-repos",
            Self::WriteRepos => "write-repos",
            Self::ManageRepos => "manage-repos",
            Self::ReadCollections => "read-collections",
            Self::WriteCollections => "write-collections",
            Self::InferenceApi => "inference-api",
            Self::ReadEndpoints => "read-endpoints",
            Self::WriteEndpoints => "write-endpoints",
            Self::Jobs => "jobs",
            Self::Webhooks => "webhooks",
            Self::WriteDiscussions => "write-discussions",
            Self::ReadMcp => "read-mcp",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// What an OAuth login may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginScopes(Granted);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Granted {
    Everything,
    Scopes(BTreeSet<LoginScope>),
}

/// How [`Granted::Everything`] is stored; no scope has this name.
const EVERYTHING: &str = "*";

impl LoginScopes {
    /// Everything that its user may do: a login from the command line, which asks for no scope.
    pub(crate) fn everything() -> Self {
        Self(Granted::Everything)
    }

    /// What these scopes allow.
    pub(crate) fn of(scopes: impl IntoIterator<Item = LoginScope>) -> Self {
        Self(Granted::Scopes(scopes.into_iter().collect()))
    }

    /// The scopes of a request: names separated by spaces, or none for everything. `None` if one of
    /// them is not known.
    pub(crate) fn requested(scope: Option<&str>) -> Option<Self> {
        let names: Vec<&str> = scope.unwrap_or_default().split_ascii_whitespace().collect();
        if names.is_empty() {
            return Some(Self::everything());
        }
        let scopes = names.into_iter().map(LoginScope::parse);
        scopes.collect::<Option<BTreeSet<_>>>().map(Self::of)
    }

    /// Whether the login is not limited by scopes.
    pub(crate) fn is_everything(&self) -> bool {
        self.0 == Granted::Everything
    }

    /// Whether one of these scopes was granted, or everything.
    pub(crate) fn include(&self, any: &[LoginScope]) -> bool {
        match &self.0 {
            Granted::Everything => true,
            Granted::Scopes(scopes) => any.iter().any(|scope| scopes.contains(scope)),
        }
    }

    /// The names of the granted scopes: of all of them, if everything was granted.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let all = LoginScope::ALL.into_iter();
        all.filter(|scope| self.include(&[*scope]))
            .map(LoginScope::as_str)
            .collect()
    }

    /// How the registry stores them.
    pub(crate) fn to_stored(&self) -> String {
        match &self.0 {
            Granted::Everything => EVERYTHING.to_owned(),
            Granted::Scopes(_) => self.names().join(" "),
        }
    }

    /// Reads what [`to_stored`](Self::to_stored) wrote.
    pub(crate) fn from_stored(stored: &str) -> Option<Self> {
        if stored == EVERYTHING {
            return Some(Self::everything());
        }
        let scopes = stored.split_ascii_whitespace().map(LoginScope::parse);
        scopes.collect::<Option<BTreeSet<_>>>().map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_scope() {
        for scope in LoginScope::ALL {
            assert_eq!(LoginScope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(LoginScope::parse("*"), None);
        assert_eq!(LoginScope::parse("Read-Repos"), None);
    }

    #[test]
    fn no_scope_is_everything_and_an_unknown_one_is_refused() {
        for none in [None, Some(""), Some("  ")] {
            assert!(LoginScopes::requested(none).unwrap().is_everything());
        }
        let some = LoginScopes::requested(Some("read-repos  openid read-repos")).unwrap();
        assert!(!some.is_everything());
        assert_eq!(some.names(), ["openid", "read-repos"]);
        for wrong in ["*", "read-repos everything", "read-repos,openid", "é"] {
            assert_eq!(LoginScopes::requested(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let none = LoginScopes::of([]);
        let some = LoginScopes::of([LoginScope::Jobs, LoginScope::Email]);
        for scopes in [LoginScopes::everything(), none.clone(), some] {
            assert_eq!(LoginScopes::from_stored(&scopes.to_stored()), Some(scopes));
        }
        assert!(!none.include(&LoginScope::ALL));
        assert_eq!(LoginScopes::from_stored("read-repos future"), None);
    }
}
