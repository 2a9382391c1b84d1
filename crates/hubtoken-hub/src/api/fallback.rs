//! Handles paths that match no route.
//!
//! The errors have the format of the routes that the path resembles: a client that uses a feature
//! this Hub does not have, such as git-lfs locks, must be able to read the response.
//!
//! Most such paths are simply not found. Some name a repository without a namespace, like the
//! oldest models on the real Hub. This Hub has none of those, and must respond as the real Hub does
//! for a missing repository; otherwise `repo_exists("gpt2")` raises an error.

use axum::extract::Request;

use crate::auth::authentication::Caller;
use crate::response::{ApiError, ErrorFormat};

pub(crate) async fn fallback(request: Request) -> ApiError {
    if !names_a_repository(request.uri().path()) {
        return ApiError::page_not_found();
    }
    let caller = request.extensions().get::<Caller>();
    match caller.and_then(Caller::principal) {
        Some(_) => ApiError::repository_not_found(),
        None => ApiError::repository_needs_login(),
    }
}

/// The format of errors for a path.
pub(crate) fn error_format(path: &str) -> ErrorFormat {
    let rest = path_after_repository(path).unwrap_or_default();
    if rest.starts_with("info/lfs/") {
        ErrorFormat::Lfs
    } else if ["/api/", "/oauth/", "/-/", "/v1/", "/models/"]
        .iter()
        .any(|under| path.starts_with(under))
    {
        ErrorFormat::Json
    } else if matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack") {
        ErrorFormat::Git
    } else {
        ErrorFormat::Text
    }
}

/// The part of a path below a repository's own URL.
fn path_after_repository(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/')?;
    let path = ["datasets/", "spaces/"]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))
        .unwrap_or(path);
    path.splitn(3, '/').nth(2)
}

fn names_a_repository(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["api", "models" | "datasets" | "spaces", name] => !name.is_empty(),
        [
            "api",
            "models" | "datasets" | "spaces",
            _,
            "auth-check" | "commit" | "commits" | "paths-info" | "preupload" | "revision" | "tree",
            _,
            ..,
        ]
        | [_, "resolve" | "raw", _, _, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_git() {
        for path in [
            "/a/b.git/info/refs",
            "/datasets/a/b/git-receive-pack",
            "/a/b.git/info/lfs/objects/batch",
        ] {
            assert!(error_format(path).is_for_git(), "{path}");
        }
        for path in [
            "/api/models/a/b",
            "/a/b/resolve/main/info/refs",
            "/api/models/a/b/tree/main/info/refs",
        ] {
            assert!(!error_format(path).is_for_git(), "{path}");
        }
    }

    #[test]
    fn a_repository_without_a_namespace_is_told_from_a_page() {
        for path in [
            "/api/models/gpt2",
            "/api/datasets/squad",
            "/api/models/gpt2/revision/main",
            "/api/models/gpt2/tree/main/folder",
            "/gpt2/resolve/main/config.json",
            "/gpt2/raw/main/a/b",
        ] {
            assert!(names_a_repository(path), "{path}");
        }
        for path in [
            "",
            "/",
            "/nowhere",
            "/api/models/",
            "/api/nothing/gpt2",
            "/api/models/gpt2/nothing/main",
            "/a/b/c",
            "/resolve/main/x",
        ] {
            assert!(!names_a_repository(path), "{path}");
        }
    }
}
