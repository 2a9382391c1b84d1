//! A path that no route takes.
//!
//! Most lead nowhere. Some name a repository without a namespace, as the first models of the real Hub are named. This Hub
//! has none of those, and clients must be told so in the words that they know, or `repo_exists("gpt2")` is an error.

use axum::extract::Request;

use crate::answers::ApiError;
use crate::authentication::Caller;

pub(crate) async fn unknown(request: Request) -> ApiError {
    if !names_a_repository(request.uri().path()) {
        return ApiError::page_not_found();
    }
    let caller = request.extensions().get::<Caller>();
    match caller.and_then(Caller::principal) {
        Some(_) => ApiError::repository_not_found(),
        None => ApiError::repository_needs_login(),
    }
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
