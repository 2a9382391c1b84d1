//! Handles paths that match no route.
//!
//! They are treated like the routes that they resemble: a client that uses a feature this Hub does
//! not have, such as git-lfs locks, must be able to read the response, and a mistyped address of a
//! page leads to an error page. This is the only place that reads a path as text for that.
//!
//! Most such paths are simply not found. Some name a repository without a namespace, like the
//! oldest models on the real Hub. This Hub has none of those, and must respond as the real Hub does
//! for a missing repository; otherwise `repo_exists("gpt2")` raises an error.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;

use crate::auth::authentication::Caller;
use crate::response::{ApiError, ErrorFormat};
use crate::route_family::{Guard, RateLimitWindow, RouteFamily};
use crate::state::HubState;

/// Below the pages and the administration API, a path that looks like one below a repository is not
/// one: `/settings/a/resolve/main/x` is a mistyped address of a page.
const NOT_REPOSITORIES: [&str; 5] = [
    "/-/{*path}",
    "/login/{*path}",
    "/logout/{*path}",
    "/organizations/{organization}/{*path}",
    "/settings/{*path}",
];

pub(crate) fn routes() -> Router<Arc<HubState>> {
    NOT_REPOSITORIES
        .iter()
        .fold(Router::new(), |router, path| {
            router.route(path, any(not_found))
        })
        .fallback(not_found)
}

async fn not_found(request: Request) -> ApiError {
    if !names_a_repository(request.uri().path()) {
        return ApiError::page_not_found();
    }
    let caller = request.extensions().get::<Caller>();
    match caller.and_then(Caller::principal) {
        Some(_) => ApiError::repository_not_found(),
        None => ApiError::repository_needs_login(),
    }
}

/// The family of routes that an unknown path resembles. Everything below the pages and the
/// administration API belongs to them.
pub(crate) fn resembled_family(path: &str) -> RouteFamily {
    let is_below = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if ["/settings", "/organizations", "/login", "/logout"]
        .into_iter()
        .any(is_below)
    {
        return RouteFamily::Pages {
            needs_visitor: true,
        };
    }
    let guard = if is_below("/-") {
        Guard::AdminKey
    } else {
        Guard::Token
    };
    let window = if path.contains("/resolve/") || path.contains("/raw/") {
        RateLimitWindow::Resolvers
    } else {
        RateLimitWindow::Api
    };
    RouteFamily::api(guard, error_format(path), window)
}

fn error_format(path: &str) -> ErrorFormat {
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

    fn api(guard: Guard, errors: ErrorFormat) -> RouteFamily {
        RouteFamily::api(guard, errors, RateLimitWindow::Api)
    }

    #[test]
    fn an_unknown_path_is_treated_like_those_that_it_resembles() {
        use ErrorFormat::{Git, Json, Lfs, Text};
        let pages = RouteFamily::Pages {
            needs_visitor: true,
        };
        let resolvers = RouteFamily::api(Guard::Token, Text, RateLimitWindow::Resolvers);
        for (path, family) in [
            ("/settings/nowhere", pages),
            ("/settings/", pages),
            ("/settings/a/resolve/main/x", pages),
            ("/settings/a/info/lfs/locks", pages),
            ("/organizations", pages),
            ("/organizations/acme", pages),
            ("/login/x", pages),
            ("/logout/x", pages),
            ("/-", api(Guard::AdminKey, Text)),
            ("/-/nowhere", api(Guard::AdminKey, Json)),
            ("/-/a/info/refs", api(Guard::AdminKey, Json)),
            ("/-/a/info/lfs/locks", api(Guard::AdminKey, Lfs)),
            ("/api/nothing/a", api(Guard::Token, Json)),
            ("/api/models/a/b", api(Guard::Token, Json)),
            (
                "/api/models/a/b/tree/main/info/refs",
                api(Guard::Token, Json),
            ),
            ("/oauth/nothing", api(Guard::Token, Json)),
            ("/v1/nothing", api(Guard::Token, Json)),
            ("/models/", api(Guard::Token, Json)),
            ("/a/b.git/info/lfs/locks", api(Guard::Token, Lfs)),
            ("/a/b.git/info/lfs/objects/batch", api(Guard::Token, Lfs)),
            (
                "/datasets/a/b/info/lfs/locks/verify",
                api(Guard::Token, Lfs),
            ),
            ("/a/b.git/info/refs", api(Guard::Token, Git)),
            ("/datasets/a/b/git-receive-pack", api(Guard::Token, Git)),
            ("/gpt2/resolve/main/config.json", resolvers),
            ("/gpt2/raw/main/a/info/refs", resolvers),
            ("/a/b/resolve/main/info/refs", resolvers),
            ("", api(Guard::Token, Text)),
            ("/nowhere", api(Guard::Token, Text)),
            ("/settingsx", api(Guard::Token, Text)),
            ("/-x", api(Guard::Token, Text)),
            ("/api", api(Guard::Token, Text)),
            ("/metrics/x", api(Guard::Token, Text)),
            ("/healthz/x", api(Guard::Token, Text)),
        ] {
            assert_eq!(resembled_family(path), family, "{path}");
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
