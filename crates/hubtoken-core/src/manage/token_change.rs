//! The properties of a service account's token, as a Hub takes them.
//!
//! A creation and a change send the same fields. What is not set is left out, since a Hub takes an
//! empty list for a wish.

use serde_json::{Map, Value};

/// The properties of a token that are to be set. Those that are `None` keep their value, or get the
/// Hub's default in a new token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// The display name.
    pub name: Option<String>,
    /// The permissions on the whole organization.
    pub permissions: Option<Vec<String>>,
    /// The repositories for which other permissions apply: `acme/model`, `datasets/acme/x`, or IDs.
    pub repos: Option<Vec<String>>,
    /// Those other permissions.
    pub repo_permissions: Option<Vec<String>>,
    /// Patterns of inference endpoints' names.
    pub endpoint_patterns: Option<Vec<String>>,
    /// Whether it is exempt from network security.
    pub skip_network_security: Option<bool>,
}

impl TokenChange {
    /// Whether nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The body of the request, with the IDs of the repositories.
    pub(super) fn into_json(self, repo_ids: Option<Vec<String>>) -> Value {
        let skip_network_security = self.skip_network_security.map(Value::from);
        let fields = [
            ("displayName", self.name.map(Value::from)),
            ("permissions", self.permissions.map(Value::from)),
            ("repoIds", repo_ids.map(Value::from)),
            ("repoPermissions", self.repo_permissions.map(Value::from)),
            ("endpointPatterns", self.endpoint_patterns.map(Value::from)),
            ("skipNetworkSecurity", skip_network_security),
        ];
        let set = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field.to_owned(), value?)));
        Value::Object(set.collect::<Map<_, _>>())
    }
}
