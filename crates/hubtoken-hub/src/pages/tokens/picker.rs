//! The part of a form that selects the role and the permissions.

use super::form::{TokenForm, is_own_namespace};
use crate::auth::access::user_can_see;
use crate::error::HubError;
use crate::pages::permissions::{Choices, GLOBAL, ORGANIZATION, OWN, REPOSITORY, choices};
use crate::pages::view::FormErrors;
use crate::registry::{FineGrained, RepositoryType, Session};
use crate::state::HubState;

/// Repositories suggested while a name is typed.
const MAX_SUGGESTIONS: usize = 200;

/// All checkboxes, with the current selection.
#[derive(Debug)]
pub(super) struct Picker {
    pub role: String,
    pub user: String,
    pub own: Vec<Choices>,
    pub namespaces: Vec<NamespaceOption>,
    pub repositories: Vec<Row>,
    pub global: Vec<Choices>,
    pub can_read_gated_repos: bool,
    pub suggestions: Vec<String>,
}

/// The checkboxes of another namespace.
#[derive(Debug)]
pub(super) struct NamespaceOption {
    pub name: String,
    pub groups: Vec<Choices>,
    pub chosen: usize,
}

/// The checkboxes of one repository.
#[derive(Debug)]
pub(super) struct Row {
    pub number: usize,
    pub field: String,
    pub path: String,
    pub groups: Vec<Choices>,
    pub error: Option<String>,
}

impl Picker {
    /// `more` adds an empty row for another repository.
    pub(super) async fn new(
        state: &HubState,
        session: &Session,
        token_form: &TokenForm,
        current: Option<&FineGrained>,
        errors: &FormErrors,
        more: bool,
    ) -> Result<Self, HubError> {
        let mut rows = token_form.repositories.clone();
        let least = if more { token_form.rows + 1 } else { 1 };
        rows.resize_with(rows.len().max(least), Default::default);
        let repositories = rows
            .into_iter()
            .enumerate()
            .map(|(number, (path, permissions))| {
                let field = format!("repository-{number}");
                Row {
                    number,
                    error: errors.of(&field).map(ToOwned::to_owned),
                    field,
                    path,
                    groups: choices(REPOSITORY, &permissions),
                }
            })
            .collect();
        Ok(Self {
            role: token_form.role.clone(),
            user: session.user.name.clone(),
            own: choices(OWN, &token_form.own),
            namespaces: namespaces(session, token_form, current),
            repositories,
            global: choices(GLOBAL, &token_form.global),
            can_read_gated_repos: token_form.can_read_gated_repos,
            suggestions: suggestions(state, session).await?,
        })
    }
}

/// The organizations of the signed-in user, and all others on which the token already has
/// permissions.
fn namespaces(
    session: &Session,
    token_form: &TokenForm,
    current: Option<&FineGrained>,
) -> Vec<NamespaceOption> {
    let mut names: Vec<String> = session
        .memberships
        .iter()
        .map(|membership| membership.organization.name.clone())
        .collect();
    for name in token_form.namespaces.keys() {
        let is_listed = names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !is_listed && is_own_namespace(name, session, current) {
            names.push(name.clone());
        }
    }
    names
        .into_iter()
        .map(|name| {
            let chosen = token_form
                .namespaces
                .iter()
                .find(|(requested, _)| requested.eq_ignore_ascii_case(&name))
                .map(|(_, permissions)| permissions.clone())
                .unwrap_or_default();
            NamespaceOption {
                groups: choices(ORGANIZATION, &chosen),
                chosen: chosen.len(),
                name,
            }
        })
        .collect()
}

/// Repositories of the user and of their organizations, newest first.
async fn suggestions(state: &HubState, session: &Session) -> Result<Vec<String>, HubError> {
    let mut all = state.registry.repositories().await?;
    all.retain(|repository| {
        let is_near = repository.namespace_id == session.user.id
            || session
                .memberships
                .iter()
                .any(|membership| membership.organization.id == repository.namespace_id);
        is_near && user_can_see(&session.user, &session.memberships, repository)
    });
    Ok(all
        .iter()
        .take(MAX_SUGGESTIONS)
        .map(|repository| match repository.kind {
            RepositoryType::Model => repository.full_name(),
            RepositoryType::Dataset => format!("datasets/{}", repository.full_name()),
            RepositoryType::Space => format!("spaces/{}", repository.full_name()),
        })
        .collect())
}
