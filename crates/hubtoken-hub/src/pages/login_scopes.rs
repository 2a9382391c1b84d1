//! The scopes of a login, in words.

use crate::registry::{LoginScope, LoginScopes};

/// What a login with these scopes may do in its user's name, one line each.
pub(super) fn lines(scopes: &LoginScopes) -> Vec<String> {
    if scopes.is_everything() {
        return [
            "Read every repository that you may read",
            "Write to, create, change, and delete every repository that you may",
            "Administer the organizations of which you are an admin",
            "Send inference requests",
            "See your profile, your e-mail address, and your organizations",
        ]
        .map(ToOwned::to_owned)
        .to_vec();
    }
    let mut lines = Vec::new();
    let mut without_effect = Vec::new();
    for scope in LoginScope::ALL {
        if !scopes.include(&[scope]) {
            continue;
        }
        match label(scope) {
            Some(label) => lines.push(format!("{label} ({})", scope.as_str())),
            None => without_effect.push(scope.as_str()),
        }
    }
    if !without_effect.is_empty() {
        lines.push(format!(
            "Without effect on this Hub: {}",
            without_effect.join(", ")
        ));
    }
    lines
}

/// What a scope allows, or `None` if it names a part of the real Hub that this one does not have.
fn label(scope: LoginScope) -> Option<&'static str> {
    Some(match scope {
        LoginScope::OpenId => "Know who you are",
        LoginScope::Profile => "See your profile and your organizations",
        LoginScope::Email => "See your e-mail address",
        LoginScope::ReadMemberships => "See your organizations",
        LoginScope::ReadRepos => "Read your own repositories",
        LoginScope::GatedRepos => "Read the public gated repositories to which you have access",
        LoginScope::ContributeRepos => "Create repositories of your own",
        LoginScope::WriteRepos => "Read and write to your own repositories",
        LoginScope::ManageRepos => {
            "Read, write to, create, change, and delete your own repositories"
        }
        LoginScope::InferenceApi => "Send inference requests",
        LoginScope::ReadBilling
        | LoginScope::ReadCollections
        | LoginScope::WriteCollections
        | LoginScope::ReadEndpoints
        | LoginScope::WriteEndpoints
        | LoginScope::Jobs
        | LoginScope::Webhooks
        | LoginScope::WriteDiscussions
        | LoginScope::ReadMcp => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_told_and_what_has_no_effect_is_named_as_such() {
        let requested = |scopes| lines(&LoginScopes::requested(Some(scopes)).unwrap());
        assert_eq!(
            requested("read-repos jobs openid webhooks"),
            [
                "Know who you are (openid)",
                "Read your own repositories (read-repos)",
                "Without effect on this Hub: jobs, webhooks"
            ]
        );
        for scope in LoginScope::ALL {
            let lines = lines(&LoginScopes::of([scope]));
            assert_eq!(lines.len(), 1);
            assert!(lines[0].contains(scope.as_str()), "{lines:?}");
        }
        assert!(lines(&LoginScopes::of([])).is_empty());
    }
}
