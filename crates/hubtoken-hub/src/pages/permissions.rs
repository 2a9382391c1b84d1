//! The permissions that the form of a fine-grained token offers, with their labels.
//!
//! The Hub's list is open: a token may have other permissions, set through the API or requested by
//! a link. Those are shown under their own names and kept.

use std::collections::BTreeSet;

use hubtoken_core::role::permission::{self, Spelling};

/// Permissions that are grouped on the page.
pub(super) type Group = (&'static str, &'static [(&'static str, &'static str)]);

const REPOSITORIES: Group = (
    "Repositories",
    &[
        ("repo.content.read", "Read the content of every repository"),
        (
            "repo.access.read",
            "See who asks for access to gated repositories",
        ),
        (
            "repo.write",
            "Write to every repository, and create new ones",
        ),
    ],
);

const INFERENCE: Group = (
    "Inference and jobs",
    &[
        ("inference.serverless.write", "Call inference providers"),
        (
            "inference.endpoints.infer.write",
            "Call inference endpoints",
        ),
        ("inference.endpoints.write", "Manage inference endpoints"),
        ("job.write", "Start and manage jobs"),
    ],
);

const COLLECTIONS: Group = (
    "Collections and discussions",
    &[
        ("collection.read", "Read collections"),
        ("collection.write", "Change collections"),
        (
            "discussion.write",
            "Take part in discussions and pull requests",
        ),
    ],
);

/// On the user's own namespace.
pub(super) const OWN: &[Group] = &[
    REPOSITORIES,
    INFERENCE,
    COLLECTIONS,
    (
        "Account",
        &[
            ("user.webhooks.read", "See webhooks"),
            ("user.webhooks.write", "Change webhooks"),
            ("user.notifications.read", "See notifications"),
            ("user.notifications.write", "Change notifications"),
            ("user.billing.read", "See bills and usage"),
        ],
    ),
];

/// On an organization.
pub(super) const ORGANIZATION: &[Group] = &[
    REPOSITORIES,
    (
        "Organization",
        &[
            ("org.read", "See the settings"),
            ("org.write", "Change the settings"),
            ("org.members.read", "See the members"),
            ("org.members.write", "Change the members"),
            ("org.serviceAccounts.read", "See service accounts"),
            ("org.serviceAccounts.write", "Manage service accounts"),
            ("resourceGroup.write", "Manage resource groups"),
            ("org.billing.read", "See bills and usage"),
        ],
    ),
    INFERENCE,
    COLLECTIONS,
];

/// On a single repository.
pub(super) const REPOSITORY: &[Group] = &[(
    "Permissions",
    &[
        ("repo.content.read", "Read the content"),
        ("repo.access.read", "See who asks for access"),
        ("repo.write", "Write"),
        ("discussion.write", "Take part in discussions"),
    ],
)];

/// Not tied to a namespace or repository.
pub(super) const GLOBAL: &[Group] = &[(
    "Discussions and posts",
    &[
        (
            "discussion.write",
            "Take part in discussions and pull requests of all repositories",
        ),
        ("post.write", "Publish posts"),
    ],
)];

/// A permission with its checkbox.
#[derive(Debug)]
pub(super) struct Choice {
    /// The permission itself.
    pub value: String,
    pub label: String,
    pub is_chosen: bool,
}

/// Checkboxes under one heading.
#[derive(Debug)]
pub(super) struct Choices {
    pub heading: &'static str,
    pub choices: Vec<Choice>,
}

/// The checkboxes of a form: all that are offered, and those that are selected without being
/// offered.
pub(super) fn choices(offered: &[Group], chosen: &BTreeSet<String>) -> Vec<Choices> {
    let mut all: Vec<Choices> = offered
        .iter()
        .map(|(heading, permissions)| Choices {
            heading,
            choices: permissions
                .iter()
                .map(|(value, label)| Choice {
                    value: (*value).to_owned(),
                    label: (*label).to_owned(),
                    is_chosen: chosen.contains(*value),
                })
                .collect(),
        })
        .collect();
    let is_offered = |value: &str| {
        offered
            .iter()
            .any(|(_, permissions)| permissions.iter().any(|(known, _)| *known == value))
    };
    let others: Vec<Choice> = chosen
        .iter()
        .filter(|value| !is_offered(value))
        .map(|value| Choice {
            value: value.clone(),
            label: match permission::spelling(value) {
                Spelling::Misspelled(suggestion) => {
                    format!("Unknown to this page. Did you mean {suggestion}?")
                }
                Spelling::Known | Spelling::Unfamiliar => "Unknown to this page".to_owned(),
            },
            is_chosen: true,
        })
        .collect();
    if !others.is_empty() {
        all.push(Choices {
            heading: "Others",
            choices: others,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_offered_is_kept() {
        let chosen = BTreeSet::from(["repo.write".to_owned(), "<b>.new".to_owned()]);
        let all = choices(REPOSITORY, &chosen);
        assert_eq!(all.len(), 2);
        let ticked: Vec<_> = all
            .iter()
            .flat_map(|group| &group.choices)
            .filter(|choice| choice.is_chosen)
            .map(|choice| choice.value.as_str())
            .collect();
        assert_eq!(ticked, ["repo.write", "<b>.new"]);
        assert_eq!(choices(GLOBAL, &BTreeSet::new()).len(), 1);
    }

    #[test]
    fn a_known_permission_is_offered_once() {
        for offered in [OWN, ORGANIZATION, REPOSITORY, GLOBAL] {
            let mut seen = BTreeSet::new();
            for (value, _) in offered.iter().flat_map(|(_, permissions)| *permissions) {
                assert!(seen.insert(value), "{value}");
                assert_eq!(permission::spelling(value), Spelling::Known, "{value}");
            }
        }
    }
}
