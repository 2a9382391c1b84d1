//! The JSON of a token's properties, as a Hub takes them.

use reqwest::Method;
use serde_json::Value;

use super::{ServiceAccounts, check_shown, parsed};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::manage::hub_api::Operation;
use crate::manage::service_account::{id, is_object_id};
use crate::manage::token_change::TokenChange;
use crate::repository::RepositoryType;
use crate::target::Target;

impl ServiceAccounts {
    /// The JSON of a change, with the repositories looked up.
    pub(super) fn body(
        &self,
        change: TokenChange,
        interrupt: &dyn Interrupt,
    ) -> Result<Value, Error> {
        check_shown("name", change.name.as_deref())?;
        let repos = change.repos.as_deref().map(|repos| {
            let ids = repos.iter().map(|repo| self.repository_id(repo, interrupt));
            ids.collect::<Result<Vec<_>, _>>()
        });
        let repo_ids = repos.transpose()?;
        Ok(change.into_json(repo_ids))
    }

    /// The ID of a repository that is given by ID or by name; a bare name is the organization's.
    fn repository_id(&self, wanted: &str, interrupt: &dyn Interrupt) -> Result<String, Error> {
        if is_object_id(wanted) {
            return Ok(wanted.to_ascii_lowercase());
        }
        let target = Target::repository(wanted, RepositoryType::Model, &self.organization)?;
        let Target::Repository {
            kind,
            namespace,
            name,
        } = &target
        else {
            return Err(Error::InvalidArgument("that is no repository".to_owned()));
        };
        let operation = Operation {
            purpose: format!(
                "find the repository {target} for a service account of {}",
                self.organization
            ),
            permission: "repo.content.read",
            ..self.reading("")
        };
        let path = format!("/api/{}/{namespace}/{name}", kind.plural());
        let answer = self
            .api
            .ask(&operation, (Method::GET, path), None, interrupt)?;
        parsed(&answer, id)
            .map(|(_, id)| id)
            .ok_or_else(|| self.api.unreadable(&operation, &answer))
    }
}
