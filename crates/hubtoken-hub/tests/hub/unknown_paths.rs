//! Paths that no route takes: they are guarded and answered like the routes that they resemble.

use axum::body::Body;
use hubtoken_hub::RateLimit;

use super::support::world::{ADMIN, World};

const OWN_HOST: (&str, &str) = ("host", "127.0.0.1:8080");
const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const LFS: &str = "application/vnd.git-lfs+json";
const HTML: &str = "text/html; charset=utf-8";

#[test]
fn an_unknown_path_is_answered_in_the_format_of_those_that_it_resembles() {
    let world = World::populated();
    for (path, status, format) in [
        ("/settings/nowhere", 404, HTML),
        ("/settings/", 404, HTML),
        ("/settings/tokens/x/nowhere", 404, HTML),
        // What only looks like a path below a repository.
        ("/settings/a/resolve/main/x", 404, HTML),
        ("/settings/tokens/resolve/main/x", 404, HTML),
        ("/settings/a/info/lfs/objects/batch", 404, HTML),
        ("/organizations/acme/info/refs", 404, HTML),
        ("/organizations/acme/settings/nowhere", 404, HTML),
        ("/login/a/raw/main/x", 404, HTML),
        ("/logout/nowhere", 404, HTML),
        ("/-", 401, TEXT),
        ("/-/nowhere", 401, JSON),
        ("/-/hubtoken/v2/users", 401, JSON),
        ("/-/a/resolve/main/x", 401, JSON),
        ("/-/a/info/lfs/locks", 401, LFS),
        ("/api/nothing/a/b/c/d", 404, JSON),
        ("/oauth/nothing", 404, JSON),
        ("/v1/nothing", 404, JSON),
        ("/models/", 404, JSON),
        ("/alice/x.git/info/lfs/locks", 404, LFS),
        ("/datasets/alice/x/info/lfs/locks/verify", 404, LFS),
        ("/nowhere", 404, TEXT),
        ("/settingsx", 404, TEXT),
        ("/metrics/x", 404, TEXT),
        ("/healthz/x", 404, TEXT),
        ("/static/nothing", 404, TEXT),
    ] {
        let answer = world.ask("GET", path, None, &[OWN_HOST], Body::empty());
        let found = (answer.status, answer.header("content-type"));
        assert_eq!(found, (status, format), "{path}");
        let is_page = answer.headers.contains_key("content-security-policy");
        assert_eq!(is_page, format == HTML, "{path}");
    }
}

#[test]
fn an_unknown_path_is_guarded_like_those_that_it_resembles() {
    let world = World::with_limit(Some(RateLimit {
        quota: 1,
        window_seconds: 60,
    }));
    let status = |path: &str, token: &str| {
        world
            .ask("GET", path, Some(token), &[OWN_HOST], Body::empty())
            .status
    };
    for path in ["/-", "/-/nowhere", "/-/a/resolve/main/x"] {
        assert_eq!(status(path, "hf_x"), 401, "{path}");
        assert_eq!(status(path, ADMIN), 404, "{path}");
    }
    // Tokens are checked, even if there is nothing to find.
    for path in ["/nowhere", "/api/nothing/a", "/a/b/info/lfs/locks", "/v1/x"] {
        assert_eq!(status(path, "hf_x"), 401, "{path}");
        assert_eq!(status(path, ADMIN), 401, "{path}");
    }
    // Not at the pages, which identify a visitor by their session alone.
    assert_eq!(status("/settings/nowhere", "hf_x"), 404);
    // What is below a counted or an open path is neither.
    for path in ["/api/whoami-v2/x", "/healthz/x", "/readyz/", "/metrics/x"] {
        for _ in 0..3 {
            assert_eq!(status(path, "hf_x"), 401, "{path}");
        }
    }
}

#[test]
fn an_unknown_path_shows_the_rate_limit_of_those_that_it_resembles() {
    let world = World::new();
    for (path, window) in [
        (
            "/gpt2/resolve/main/config.json",
            "\"resolvers\";r=2999;t=300",
        ),
        ("/gpt2/raw/main/config.json", "\"resolvers\";r=2999;t=300"),
        ("/a/b/resolve/main/x", "\"resolvers\";r=2999;t=300"),
        ("/a/b/tree/main", "\"api\";r=499;t=300"),
        ("/nowhere", "\"api\";r=499;t=300"),
    ] {
        assert_eq!(world.get(path, None).header("ratelimit"), window, "{path}");
    }
}

#[test]
fn unknown_paths_are_counted_as_one() {
    let world = World::new();
    let paths = [
        "/nowhere",
        "/-/nowhere",
        "/settings/nowhere",
        "/settings/a/resolve/main/x",
        "/organizations/acme/info/refs",
    ];
    for path in paths {
        world.ask("GET", path, Some(ADMIN), &[OWN_HOST], Body::empty());
    }
    let page = world.get("/metrics", Some(ADMIN)).text();
    for line in [
        "hubtoken_requests_total{route=\"(none)\",method=\"GET\",status=\"404\"} 4",
        "hubtoken_requests_total{route=\"(none)\",method=\"GET\",status=\"401\"} 1",
    ] {
        assert!(page.lines().any(|each| each == line), "{line}\n{page}");
    }
    assert!(
        !page.contains("{*path}\",method=\"GET\",status=\"404\""),
        "{page}"
    );
}
