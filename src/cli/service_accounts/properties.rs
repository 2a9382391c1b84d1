//! What a token of a service account may do, as options.

use clap::ValueEnum;

use crate::cli::error::Failure;
use crate::manage::TokenChange;

/// What a token may do.
#[derive(clap::Args)]
pub struct Properties {
    /// A permission on the whole organization, such as repo.content.read; can be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// A repository for which other permissions apply; can be repeated
    #[arg(long = "repo", value_name = "NAMESPACE/NAME")]
    repos: Vec<String>,
    /// One of those other permissions, repo.content.read or repo.write; can be repeated
    #[arg(long = "repo-permission", value_name = "PERMISSION")]
    repo_permissions: Vec<String>,
    /// Inference endpoints that the permissions for endpoints are limited to, such as gpt2-*; can be
    /// repeated
    #[arg(long = "endpoint-pattern", value_name = "PATTERN")]
    endpoint_patterns: Vec<String>,
    /// Whether to exempt it from the organization's network security
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    skip_network_security: Option<bool>,
}

/// A list that a change can empty.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum List {
    Permissions,
    Repos,
    RepoPermissions,
    EndpointPatterns,
}

impl Properties {
    /// The change that sets what is given, and empties what is cleared.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] if a list is both.
    pub fn change(self, name: Option<String>, cleared: &[List]) -> Result<TokenChange, Failure> {
        let set = |list: List, items: Vec<String>| match (items.is_empty(), cleared.contains(&list))
        {
            (true, false) => Ok(None),
            (false, true) => Err(Failure::Usage(
                "a list is either given or cleared, not both".to_owned(),
            )),
            _ => Ok(Some(items)),
        };
        Ok(TokenChange {
            name,
            permissions: set(List::Permissions, self.permissions)?,
            repos: set(List::Repos, self.repos)?,
            repo_permissions: set(List::RepoPermissions, self.repo_permissions)?,
            endpoint_patterns: set(List::EndpointPatterns, self.endpoint_patterns)?,
            skip_network_security: self.skip_network_security,
        })
    }
}
