//! The part of a form that selects the role and the permissions.

use super::wish::{Wish, is_own_place};
use crate::access::user_may_see;
use crate::error::HubError;
use crate::pages::permissions::{Choices, GLOBAL, ORGANIZATION, OWN, REPOSITORY, choices};
use crate::pages::view::Mistakes;
use crate::registry::{FineGrained, RepositoryType, Session};
use crate::state::HubState;

/// Repositories suggested while a name is typed.
const SUGGESTED: usize = 200;

/// All checkboxes, with the current selection.
#[derive(Debug)]
pub(super) struct Picker {
    pub role: String,
    pub user: String,
    pub own: Vec<Choices>,
    pub places: Vec<Place>,
    pub repositories: Vec<Row>,
    pub global: Vec<Choices>,
    pub can_read_gated_repos: bool,
    pub suggestions: Vec<String>,
}

/// The checkboxes of another namespace.
#[derive(Debug)]
pub(super) struct Place {
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
    pub mistake: Option<String>,
}

impl Picker {
    /// `more` adds an empty row for another repository.
    pub(super) async fn new(
        state: &HubState,
        session: &Session,
        wish: &Wish,
        present: Option<&FineGrained>,
        mistakes: &Mistakes,
        more: bool,
    ) -> Result<Self, HubError> {
        let mut rows = wish.repositories.clone();
        let least = if more { wish.rows + 1 } else { 1 };
        rows.resize_with(rows.len().max(least), Default::default);
        let repositories = rows
            .into_iter()
            .enumerate()
            .map(|(number, (path, permissions))| {
                let field = format!("repository-{number}");
                Row {
                    number,
                    mistake: mistakes.of(&field).map(ToOwned::to_owned),
                    field,
                    path,
                    groups: choices(REPOSITORY, &permissions),
                }
            })
            .collect();
        Ok(Self {
            role: wish.role.clone(),
            user: session.user.name.clone(),
            own: choices(OWN, &wish.own),
            places: places(session, wish, present),
            repositories,
            global: choices(GLOBAL, &wish.global),
            can_read_gated_repos: wish.can_read_gated_repos,
            suggestions: suggestions(state, session).await?,
        })
    }
}

/// The organizations of the signed-in user, and all others on which the token already has
/// permissions.
fn places(session: &Session, wish: &Wish, present: Option<&FineGrained>) -> Vec<Place> {
    let mut names: Vec<String> = session
        .memberships
        .iter()
        .map(|membership| membership.organization.name.clone())
        .collect();
    for name in wish.places.keys() {
        let is_listed = names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !is_listed && is_own_place(name, session, present) {
            names.push(name.clone());
        }
    }
    names
        .into_iter()
        .map(|name| {
            let chosen = wish
                .places
                .iter()
                .find(|(wished, _)| wished.eq_ignore_ascii_case(&name))
                .map(|(_, permissions)| permissions.clone())
                .unwrap_or_default();
            Place {
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
        is_near && user_may_see(&session.user, &session.memberships, repository)
    });
    Ok(all
        .iter()
        .take(SUGGESTED)
        .map(|repository| match repository.kind {
            RepositoryType::Model => repository.full_name(),
            RepositoryType::Dataset => format!("datasets/{}", repository.full_name()),
            RepositoryType::Space => format!("spaces/{}", repository.full_name()),
        })
        .collect())
}
