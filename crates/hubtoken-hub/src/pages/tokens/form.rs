//! The settings of a token in a form: prefilled by a link, submitted by a user, or taken from an
//! existing token.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::access::user_can_see;
use crate::error::HubError;
use crate::pages::form::Form;
use crate::pages::view::FormErrors;
use crate::registry::{
    EntityType, FineGrained, GrantedRole, RepositoryType, Scope, Session, TokenInfo, TokenRole,
    misspelling,
};
use crate::state::HubState;
use hubtoken_core::role::permission::is_well_formed;

/// The maximum number of repository rows read from a form.
const MAX_REPOSITORIES: usize = 200;

/// All fields of the token form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenForm {
    pub name: String,
    /// `read`, `write`, `fineGrained`, or empty if none is chosen.
    pub role: String,
    /// Permissions on the user's own namespace.
    pub own: BTreeSet<String>,
    /// Permissions on other namespaces, by name.
    pub namespaces: BTreeMap<String, BTreeSet<String>>,
    /// Permissions on single repositories, in the order of the form.
    pub repositories: Vec<(String, BTreeSet<String>)>,
    /// Repository rows on the form, including empty ones.
    pub rows: usize,
    pub global: BTreeSet<String>,
    pub can_read_gated_repos: bool,
    /// The last day, in the format of a date field.
    pub expires: String,
}

impl TokenForm {
    /// The fields requested by a link, in the format of the real page's links. Permissions for
    /// organizations are requested for all of them at once.
    pub(super) fn from_query(query: &str) -> Self {
        let mut token_form = Self::default();
        let (mut namespaces, mut permissions) = (Vec::new(), BTreeSet::new());
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match key.as_ref() {
                "tokenType" => token_form.role = role(&value),
                "ownUserPermissions" if is_well_formed(&value) => {
                    token_form.own.insert(value);
                }
                "globalPermissions" if is_well_formed(&value) => {
                    token_form.global.insert(value);
                }
                "orgPermissions" if is_well_formed(&value) => {
                    permissions.insert(value);
                }
                "orgs" if !value.is_empty() => namespaces.push(value),
                "canReadGatedRepos" => token_form.can_read_gated_repos = value == "true",
                _ => (),
            }
        }
        for namespace in namespaces {
            token_form.namespaces.insert(namespace, permissions.clone());
        }
        if token_form.role.is_empty() && token_form.requests_anything() {
            "fineGrained".clone_into(&mut token_form.role);
        }
        token_form
    }

    /// The fields of a submitted form.
    pub(super) fn from_form(form: &Form) -> Self {
        let mut token_form = Self {
            name: form.field("name").trim().to_owned(),
            role: role(form.field("role")),
            can_read_gated_repos: form.field("gated") == "on",
            expires: form.field("expires").trim().to_owned(),
            ..Self::default()
        };
        let mut rows: BTreeMap<usize, (String, BTreeSet<String>)> = BTreeMap::new();
        for (key, value) in form.pairs() {
            if let Some(namespace) = key.strip_prefix("in.") {
                let permissions = token_form
                    .namespaces
                    .entry(namespace.to_owned())
                    .or_default();
                permissions.insert(value.to_owned());
            } else if let Some(row) = key.strip_prefix("repository.") {
                let (number, is_permission) = match row.strip_suffix(".may") {
                    Some(number) => (number, true),
                    None => (row, false),
                };
                let Some(number) = number
                    .parse()
                    .ok()
                    .filter(|number| *number < MAX_REPOSITORIES)
                else {
                    continue;
                };
                let (path, permissions) = rows.entry(number).or_default();
                if is_permission {
                    permissions.insert(value.to_owned());
                } else {
                    value.trim().clone_into(path);
                }
            } else if key == "own" {
                token_form.own.insert(value.to_owned());
            } else if key == "global" {
                token_form.global.insert(value.to_owned());
            }
        }
        token_form.rows = rows.len();
        token_form.repositories = rows
            .into_values()
            .filter(|(path, permissions)| !path.is_empty() || !permissions.is_empty())
            .collect();
        token_form
    }

    /// The fields of an existing token.
    pub(super) fn from_token(token: &TokenInfo, user_id: &str) -> Self {
        let mut token_form = Self {
            name: token.name.clone(),
            role: token.role.as_str().to_owned(),
            ..Self::default()
        };
        let GrantedRole::FineGrained(fine) = &token.role else {
            return token_form;
        };
        token_form.can_read_gated_repos = fine.can_read_gated_repos;
        token_form.global = fine.global.iter().cloned().collect();
        for scope in &fine.scoped {
            let permissions: BTreeSet<String> = scope.permissions.iter().cloned().collect();
            match scope.entity.kind {
                EntityType::User if scope.entity.id == user_id => token_form.own = permissions,
                EntityType::User | EntityType::Org => {
                    token_form
                        .namespaces
                        .insert(scope.entity.name.clone(), permissions);
                }
                EntityType::Model | EntityType::Dataset | EntityType::Space => {
                    token_form
                        .repositories
                        .push((scope.entity.path(), permissions));
                }
            }
        }
        token_form
    }

    /// Validates the role and converts it for the registry. `current` is the token's current role:
    /// what it contains may stay, even if the signed-in user could not choose it now.
    pub(super) async fn check_role(
        &self,
        state: &HubState,
        session: &Session,
        current: Option<&FineGrained>,
        errors: &mut FormErrors,
    ) -> Result<Option<TokenRole>, HubError> {
        match self.role.as_str() {
            "read" => return Ok(Some(TokenRole::Read)),
            "write" => return Ok(Some(TokenRole::Write)),
            "fineGrained" => (),
            _ => {
                errors.add("role", "Choose what the token may do.");
                return Ok(None);
            }
        }
        let before = errors.0.len();
        if !self.requests_anything() {
            errors.add("own", "A fine-grained token needs at least one permission.");
        }
        let mut scopes = Vec::new();
        let mut add = |entity: &str, permissions: &BTreeSet<String>| {
            if !permissions.is_empty() {
                scopes.push(Scope {
                    entity: entity.to_owned(),
                    permissions: permissions.iter().cloned().collect(),
                });
            }
        };
        add(&session.user.name, &self.own);
        for (namespace, permissions) in &self.namespaces {
            if is_own_namespace(namespace, session, current) {
                add(namespace, permissions);
            } else {
                let message = format!("You are not a member of “{namespace}”.");
                errors.add("places", message);
            }
        }
        for (number, (path, permissions)) in self.repositories.iter().enumerate() {
            let field = format!("repository-{number}");
            if path.is_empty() {
                errors.add(field, "Name the repository, or remove its permissions.");
            } else if permissions.is_empty() {
                errors.add(field, "Choose what the token may do with this repository.");
            } else if !can_choose(path, state, session, current).await? {
                errors.add(field, "There is no such repository, or you cannot see it.");
            } else {
                add(path, permissions);
            }
        }
        let all = scopes.iter().flat_map(|scope| &scope.permissions);
        for each in all.chain(&self.global) {
            if !is_well_formed(each) {
                errors.add("own", "One of the permissions is not valid.");
            } else if let Some((name, suggestion)) = misspelling(each, current) {
                let message = format!(
                    "The Hub does not know the permission “{name}”. Did you mean “{suggestion}”?"
                );
                errors.add("own", message);
            }
        }
        Ok((errors.0.len() == before).then(|| TokenRole::FineGrained {
            scopes,
            global: self.global.iter().cloned().collect(),
            can_read_gated_repos: self.can_read_gated_repos,
        }))
    }

    /// What the token may do, one line each, worded for users.
    pub(super) fn lines(&self, user: &str) -> Vec<String> {
        match self.role.as_str() {
            "read" => return vec!["Read everything that you can read".to_owned()],
            "write" => {
                return vec![
                    "Read everything that you can read, and write wherever you can write"
                        .to_owned(),
                ];
            }
            _ => (),
        }
        let joined = |permissions: &BTreeSet<String>| {
            let all: Vec<&str> = permissions.iter().map(String::as_str).collect();
            all.join(", ")
        };
        let mut lines = Vec::new();
        if !self.own.is_empty() {
            lines.push(format!("{user}: {}", joined(&self.own)));
        }
        for (namespace, permissions) in self.namespaces.iter().filter(|(_, all)| !all.is_empty()) {
            lines.push(format!("{namespace}: {}", joined(permissions)));
        }
        for (path, permissions) in &self.repositories {
            lines.push(format!("{path}: {}", joined(permissions)));
        }
        if !self.global.is_empty() {
            lines.push(format!("Everywhere: {}", joined(&self.global)));
        }
        if self.can_read_gated_repos {
            lines.push("Read public gated repositories that you have access to".to_owned());
        }
        if lines.is_empty() {
            lines.push("Nothing".to_owned());
        }
        lines
    }

    fn requests_anything(&self) -> bool {
        !self.own.is_empty()
            || self
                .namespaces
                .values()
                .any(|permissions| !permissions.is_empty())
            || !self.repositories.is_empty()
            || !self.global.is_empty()
            || self.can_read_gated_repos
    }
}

/// Whether the user may name a namespace in a token.
pub(super) fn is_own_namespace(
    namespace: &str,
    session: &Session,
    current: Option<&FineGrained>,
) -> bool {
    let is_member = session
        .memberships
        .iter()
        .any(|membership| membership.organization.name.eq_ignore_ascii_case(namespace));
    is_member
        || current.is_some_and(|fine| {
            fine.scoped.iter().any(|scope| {
                matches!(scope.entity.kind, EntityType::User | EntityType::Org)
                    && scope.entity.name == namespace
            })
        })
}

/// Whether the user may name a repository in a token; the check must not reveal to other users
/// whether it exists.
async fn can_choose(
    path: &str,
    state: &HubState,
    session: &Session,
    current: Option<&FineGrained>,
) -> Result<bool, HubError> {
    let (kind, id) = match path.split_once('/') {
        Some(("datasets", id)) => (RepositoryType::Dataset, id),
        Some(("spaces", id)) => (RepositoryType::Space, id),
        _ => (RepositoryType::Model, path),
    };
    let Some((namespace, name)) = id.split_once('/') else {
        return Ok(false);
    };
    let found = state
        .registry
        .find_repository(kind, namespace, name)
        .await?;
    Ok(found.is_some_and(|repository| {
        let is_present = current.is_some_and(|fine| {
            fine.scoped
                .iter()
                .any(|scope| scope.entity.id == repository.id)
        });
        is_present || user_can_see(&session.user, &session.memberships, &repository)
    }))
}

fn role(text: &str) -> String {
    match text {
        "read" | "write" | "fineGrained" => text.to_owned(),
        "fine-grained" => "fineGrained".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(permissions: &[&str]) -> BTreeSet<String> {
        permissions.iter().map(|&each| each.to_owned()).collect()
    }

    #[test]
    fn a_link_fills_the_form_in() {
        let token_form = TokenForm::from_query(
            "tokenType=fineGrained&ownUserPermissions=repo.write&ownUserPermissions=repo.content.read\
             &globalPermissions=discussion.write&canReadGatedRepos=true&orgs=acme&orgs=beta&orgPermissions=job.write",
        );
        assert!(token_form.role == "fineGrained" && token_form.can_read_gated_repos);
        assert_eq!(token_form.own, set(&["repo.content.read", "repo.write"]));
        assert_eq!(token_form.global, set(&["discussion.write"]));
        assert_eq!(token_form.namespaces["acme"], set(&["job.write"]));
        assert_eq!(token_form.namespaces["beta"], set(&["job.write"]));
    }

    #[test]
    fn a_link_that_asks_for_permissions_asks_for_a_fine_grained_token() {
        assert_eq!(
            TokenForm::from_query("ownUserPermissions=repo.write").role,
            "fineGrained"
        );
        assert_eq!(TokenForm::from_query("tokenType=write").role, "write");
        assert_eq!(TokenForm::from_query(""), TokenForm::default());
    }

    #[test]
    fn nonsense_in_a_link_is_left_out() {
        let token_form = TokenForm::from_query(
            "tokenType=god&ownUserPermissions=%3Cscript%3E&ownUserPermissions=&orgPermissions=a+b&canReadGatedRepos=x",
        );
        assert_eq!(token_form, TokenForm::default());
    }

    #[test]
    fn lines_say_what_a_token_may_do() {
        let mut token_form =
            TokenForm::from_query("tokenType=fineGrained&ownUserPermissions=repo.write");
        token_form
            .repositories
            .push(("datasets/acme/x".to_owned(), set(&["repo.content.read"])));
        assert_eq!(
            token_form.lines("alice"),
            ["alice: repo.write", "datasets/acme/x: repo.content.read"]
        );
        assert_eq!(
            TokenForm::from_query("tokenType=fineGrained").lines("alice"),
            ["Nothing"]
        );
    }
}
