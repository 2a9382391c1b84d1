//! Basic authentication works wherever bearer tokens do: on every route, with the token as password
//! or user name.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::support::upstream::Toy;
use super::support::world::{ADMIN, Answer, World};

/// A route, its request body, and the expected status with alice's write token. Requests that
/// change something are only sent in a form that can be repeated.
const ROUTES: &[(&str, &str, &str, u16)] = &[
    ("GET", "/api/whoami-v2", "", 200),
    ("GET", "/oauth/userinfo", "", 200),
    ("POST", "/oauth/userinfo", "", 200),
    ("GET", "/api/models", "", 200),
    ("GET", "/api/models/alice/private", "", 200),
    ("GET", "/api/models/alice/private/revision/main", "", 200),
    ("GET", "/api/models/alice/private/auth-check", "", 200),
    ("GET", "/api/models/alice/private/auth-check/write", "", 200),
    ("GET", "/api/models/alice/private/tree/main", "", 200),
    ("GET", "/api/models/alice/private/tree/main/folder", "", 200),
    ("GET", "/api/models/alice/private/refs", "", 200),
    ("GET", "/api/models/alice/private/commits/main", "", 200),
    (
        "POST",
        "/api/models/alice/private/paths-info/main",
        r#"{"paths":["a.txt"]}"#,
        200,
    ),
    (
        "POST",
        "/api/models/alice/private/preupload/main",
        r#"{"files":[{"path":"a.txt","size":1,"sample":"YQ=="}]}"#,
        200,
    ),
    (
        "PUT",
        "/api/models/alice/private/settings",
        r#"{"private":true}"#,
        200,
    ),
    ("POST", "/api/models/alice/private/branch/main", "{}", 409),
    ("POST", "/api/models/alice/private/tag/main", "", 400),
    (
        "POST",
        "/api/models/alice/private/commit/main",
        "not a commit",
        400,
    ),
    ("POST", "/api/repos/create", r#"{"name":"private"}"#, 409),
    ("DELETE", "/api/repos/delete", r#"{"name":"missing"}"#, 404),
    (
        "POST",
        "/api/organizations/acme/settings/tokens/revoke",
        r#"{"token":"hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"}"#,
        403,
    ),
    ("GET", "/api/agent-harnesses", "", 200),
    ("POST", "/api/validate-yaml", r#"{"content":""}"#, 200),
    ("GET", "/alice/private/resolve/main/a.txt", "", 200),
    ("HEAD", "/alice/private/resolve/main/a.txt", "", 200),
    ("GET", "/alice/private/raw/main/a.txt", "", 200),
    (
        "GET",
        "/alice/private.git/info/refs?service=git-upload-pack",
        "",
        200,
    ),
    (
        "GET",
        "/alice/private/info/refs?service=git-receive-pack",
        "",
        200,
    ),
    (
        "POST",
        "/alice/private.git/info/lfs/objects/batch",
        r#"{"operation":"upload","objects":[]}"#,
        200,
    ),
    (
        "POST",
        "/alice/private.git/info/lfs/objects/verify",
        r#"{"oid":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#,
        404,
    ),
    ("GET", "/v1/models", "", 200),
    (
        "POST",
        "/v1/chat/completions",
        r#"{"model":"alice/private"}"#,
        200,
    ),
    (
        "POST",
        "/v1/completions",
        r#"{"model":"alice/private"}"#,
        200,
    ),
    (
        "POST",
        "/v1/embeddings",
        r#"{"model":"alice/private"}"#,
        200,
    ),
    ("POST", "/models/alice/private", "{}", 200),
    ("POST", "/models/alice/private/v1/embeddings", "{}", 200),
];

fn ask(world: &World, (method, path, body, _): (&str, &str, &str, u16), header: &str) -> Answer {
    let headers = [("authorization", header)];
    world.ask(method, path, None, &headers, Body::from(body.to_owned()))
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn every_route_takes_a_token_in_each_way() {
    let toy = Toy::plain();
    let world = World::populated_with(&toy.for_all());
    let token = world.token("alice", "w", "write");
    assert_eq!(world.create(&token, "alice/private", true).status, 200);
    let files: [(&str, &[u8]); 2] = [("a.txt", b"a"), ("folder/b.txt", b"b")];
    assert_eq!(world.commit(&token, "alice/private", &files).status, 200);
    for route in ROUTES {
        let bearer = ask(&world, *route, &format!("Bearer {token}"));
        assert_eq!(bearer.status, route.3, "{route:?}: {}", bearer.text());
        for pair in [
            format!("alice:{token}"),
            format!("anybody:{token}"),
            format!(":{token}"),
            format!("{token}:"),
        ] {
            let other = ask(&world, *route, &basic(&pair));
            assert_eq!(other.verdict(), bearer.verdict(), "{route:?}");
            assert_eq!(other.body, bearer.body, "{route:?}");
        }
        for header in [
            basic("alice:hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"),
            basic(&token),
            "Basic !".to_owned(),
            format!("Basic {token}"),
            format!("Digest {token}"),
        ] {
            let refused = ask(&world, *route, &header);
            assert_eq!(refused.status, 401, "{route:?}");
            assert!(!refused.text().contains(&token));
        }
    }
}

#[test]
fn administration_takes_its_key_as_a_bearer_alone() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    let path = "/-/hubtoken/v1/users";
    let with = |header: &str| {
        let headers = [("host", "127.0.0.1:8080"), ("authorization", header)];
        world.ask("GET", path, None, &headers, Body::empty()).status
    };
    assert_eq!(with(&format!("Bearer {ADMIN}")), 200);
    for pair in [
        format!("alice:{ADMIN}"),
        format!(":{ADMIN}"),
        format!("{ADMIN}:"),
        format!("alice:{token}"),
    ] {
        assert_eq!(with(&basic(&pair)), 401);
    }
    assert_eq!(with(&format!("Bearer {token}")), 401);
    // The admin key grants access to nothing else.
    let inference = json!({ "model": "m" });
    for path in ["/v1/embeddings", "/models/a/b"] {
        assert_eq!(world.post(path, Some(ADMIN), &inference).status, 401);
    }
    assert_eq!(world.get("/api/whoami-v2", Some(ADMIN)).status, 401);
}
