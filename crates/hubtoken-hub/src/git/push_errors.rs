//! Explains denials in messages that git shows to its user.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::auth::access::{Action, MissingRight, missing_right};
use crate::auth::authentication::Caller;
use crate::extract::repository::RepositoryRef;
use crate::registry::{Principal, Repository};
use crate::response::ApiError;
use crate::state::HubState;

/// The real Hub's message, verbatim.
const PASSWORD: &str = "Password authentication in git is no longer supported. You must use a user access token or an \
                        SSH key instead. See https://huggingface.co/blog/password-git-deprecation";

/// Replaces the error for credentials that are not a token: a user who typed a password is told
/// what to use instead.
pub(crate) fn with_password_hint(error: ApiError, headers: &HeaderMap) -> ApiError {
    if error.status() == StatusCode::UNAUTHORIZED && has_account_password(headers) {
        error.with_message("Invalid credentials", PASSWORD)
    } else {
        error
    }
}

/// Whether the credentials are a name with a password that is not a token.
fn has_account_password(headers: &HeaderMap) -> bool {
    let password = headers
        .get(AUTHORIZATION)
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, text)| STANDARD.decode(text.trim()).ok())
        .map(Zeroizing::new);
    let Some(decoded) = password else {
        return false;
    };
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let password = &decoded[colon + 1..];
    !password.is_empty()
        && !["hf_", "api_org_"]
            .iter()
            .any(|form| password.starts_with(form.as_bytes()))
}

/// The repository, if the caller may push to it, or else the error response with the reason.
pub(crate) async fn open_for_writing(
    state: &Arc<HubState>,
    caller: &Caller,
    target: &RepositoryRef,
) -> Result<Repository, ApiError> {
    let error = match target.open(state, caller, Action::Write).await {
        Err(error) if error.status() == StatusCode::FORBIDDEN => error,
        other => return other,
    };
    let Some(principal) = caller.principal() else {
        return Err(error);
    };
    let found = state
        .registry
        .find_repository(target.kind, &target.namespace, &target.name)
        .await?;
    Err(match found {
        Some(repository) => error.with_message(
            "Forbidden: pass",
            &explain_missing_right(principal, &repository),
        ),
        None => error,
    })
}

fn explain_missing_right(principal: &Principal, repository: &Repository) -> String {
    let (user, name, owner) = (
        principal.owner.name(),
        repository.full_name(),
        &repository.namespace,
    );
    let reason = match missing_right(principal, repository) {
        MissingRight::NotAMember => format!("{user} has no right to write to {name}."),
        MissingRight::Role(role) => format!(
            "{user} has the role `{}` in the organization {owner}, which does not allow writing to \
             {name}.",
            role.as_str()
        ),
        MissingRight::ReadToken => format!(
            "The token in use has the role `read`: a push to {name} needs one with the role \
             `write`, or a fine-grained one with `repo.write`."
        ),
        MissingRight::FineGrainedToken => {
            format!("The fine-grained token in use has no `repo.write` on {name} or {owner}.")
        }
        MissingRight::LoginScopes => format!(
            "The scopes of the login in use do not include writing to {name}: `write-repos` does, \
             for the repositories of {user}."
        ),
        MissingRight::OtherRepository => {
            format!("The token in use is for one repository, and {name} is another one.")
        }
    };
    format!("You are not authorized to push to this repo. {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_from_tokens() {
        let shows = |text: &str| {
            let value = format!("Basic {}", STANDARD.encode(text)).parse().unwrap();
            has_account_password(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
        };
        assert!(shows("alice:correct horse"));
        for text in [
            "alice:hf_Fake",
            "alice:",
            "hf_Fake:",
            "alice",
            "x:api_org_Fake",
        ] {
            assert!(!shows(text), "{text}");
        }
        assert!(!has_account_password(&HeaderMap::new()));
    }
}
