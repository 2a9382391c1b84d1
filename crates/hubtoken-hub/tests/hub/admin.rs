//! The administration API: access control, and the life cycle of a token.

use axum::body::Body;
use serde_json::json;

use super::support::world::{ADMIN, World};

const WHOAMI: &str = "/api/whoami-v2";
const USERS: &str = "/-/hubtoken/v1/users";

#[test]
fn only_the_admin_key_from_the_own_address() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    let host = ("host", "127.0.0.1:8080");
    let status = |key: Option<&str>, headers: &[(&str, &str)]| {
        world.ask("GET", USERS, key, headers, Body::empty()).status
    };
    assert_eq!(status(Some(ADMIN), &[host]), 200);
    assert_eq!(
        status(
            Some(ADMIN),
            &[
                ("host", "localhost:8080"),
                ("origin", "http://127.0.0.1:8080")
            ]
        ),
        200
    );
    assert_eq!(status(Some(&token), &[host]), 401);
    assert_eq!(status(None, &[host]), 401);
    assert_eq!(status(Some(ADMIN), &[]), 403);
    assert_eq!(
        status(Some(ADMIN), &[("host", "rebound.example:8080")]),
        403
    );
    assert_eq!(
        status(Some(ADMIN), &[host, ("origin", "http://evil.example")]),
        403
    );
    assert_eq!(status(Some(ADMIN), &[host, ("origin", "null")]), 403);
    // Unknown paths are guarded as well.
    assert_eq!(world.get("/-/anything", Some(&token)).status, 403);
}

#[test]
fn the_life_of_a_token() {
    let world = World::populated();
    let made = world.admin(
        "POST",
        "users/alice/tokens",
        Some(json!({ "name": "ci", "role": "write" })),
    );
    assert_eq!(
        (
            made.status,
            made.header("cache-control"),
            made.header("etag")
        ),
        (201, "no-store", "")
    );
    let old = made.json()["token"].as_str().unwrap().to_owned();
    let id = made.json()["info"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["info"]["last4"], old[old.len() - 4..]);
    assert_eq!(world.get(WHOAMI, Some(&old)).status, 200);

    let renamed = world.admin(
        "PATCH",
        "users/alice/tokens/ci",
        Some(json!({ "name": "ci 2" })),
    );
    assert_eq!(renamed.json()["name"], "ci 2");
    assert_eq!(
        world.get(WHOAMI, Some(&old)).json()["auth"]["accessToken"]["displayName"],
        "ci 2"
    );

    let fresh = world.admin("POST", "users/alice/tokens/ci%202/refresh", None);
    assert_eq!(
        (fresh.status, fresh.header("cache-control")),
        (200, "no-store")
    );
    let new = fresh.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(fresh.json()["info"]["id"], *id);
    assert_eq!(world.get(WHOAMI, Some(&old)).status, 401);
    assert_eq!(world.get(WHOAMI, Some(&new)).status, 200);

    let listed = world.admin("GET", "users/alice/tokens", None);
    assert!(!listed.text().contains(&new) && !listed.text().contains(&old));
    assert_eq!(listed.json()[0]["role"], "write");

    assert_eq!(
        world
            .admin("DELETE", &format!("users/alice/tokens/{id}"), None)
            .status,
        204
    );
    assert_eq!(world.get(WHOAMI, Some(&new)).status, 401);
    assert_eq!(
        world
            .admin("DELETE", &format!("users/alice/tokens/{id}"), None)
            .status,
        404
    );
}

#[test]
fn names_may_repeat_and_then_an_id_is_needed() {
    let world = World::populated();
    let (first, second) = (
        world.token("alice", "x", "read"),
        world.token("alice", "x", "write"),
    );
    let ambiguous = world.admin("DELETE", "users/alice/tokens/x", None);
    assert_eq!(ambiguous.status, 409);
    let id = world.admin("GET", "users/alice/tokens", None).json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(ambiguous.text().contains(&id));
    assert_eq!(
        world
            .admin("DELETE", &format!("users/alice/tokens/{id}"), None)
            .status,
        204
    );
    let alive = [&first, &second]
        .iter()
        .filter(|token| world.get(WHOAMI, Some(token)).status == 200)
        .count();
    assert_eq!(alive, 1);
    // A user has no access to another user's token.
    assert_eq!(
        world.admin("DELETE", "users/bob/tokens/x", None).status,
        404
    );
}

#[test]
fn a_pasted_value_is_not_repeated() {
    let world = World::populated();
    let token = world.token("alice", "x", "read");
    let answer = world.admin("DELETE", &format!("users/alice/tokens/{token}"), None);
    assert_eq!(answer.status, 404);
    assert!(!answer.text().contains(&token[3..]));
}

#[test]
fn bad_requests_are_refused() {
    let world = World::populated();
    for (path, body, status) in [
        ("users", json!({ "name": "Alice" }), 409),
        ("users", json!({ "name": "acme" }), 409),
        ("organizations", json!({ "name": "ALICE" }), 409),
        ("users", json!({ "name": "a b" }), 400),
        ("users", json!({ "name": "datasets" }), 400),
        ("users", json!({ "name": "x", "admin": true }), 400),
        ("users", json!([]), 400),
        (
            "users/nobody/tokens",
            json!({ "name": "x", "role": "read" }),
            404,
        ),
        (
            "users/acme/tokens",
            json!({ "name": "x", "role": "read" }),
            404,
        ),
        (
            "users/alice/tokens",
            json!({ "name": "x", "role": "god" }),
            400,
        ),
        (
            "users/alice/tokens",
            json!({ "name": "", "role": "read" }),
            400,
        ),
        (
            "users/alice/tokens",
            json!({ "name": "x", "role": "read", "scopes": [{ "entity": "alice", "permissions": [] }] }),
            400,
        ),
        (
            "users/alice/tokens",
            json!({ "name": "x", "role": "read", "expiresAt": "2020-01-01T00:00:00Z" }),
            400,
        ),
        (
            "users/alice/tokens",
            json!({ "name": "x", "role": "fineGrained", "scopes": [{ "entity": "alice/no", "permissions": [] }] }),
            404,
        ),
        (
            "repositories",
            json!({ "type": "model", "id": "nobody/x" }),
            404,
        ),
        (
            "repositories",
            json!({ "type": "thing", "id": "alice/x" }),
            400,
        ),
        (
            "repositories",
            json!({ "type": "model", "id": "alice/../x" }),
            400,
        ),
        (
            "repositories",
            json!({ "type": "model", "id": "alice/x", "gated": true }),
            400,
        ),
    ] {
        let answer = world.admin("POST", path, Some(body.clone()));
        assert_eq!(answer.status, status, "{path} {body} {}", answer.text());
        assert!(answer.json()["error"].is_string());
    }
}

#[test]
fn members_and_settings() {
    let world = World::populated();
    assert_eq!(
        world
            .admin("GET", "organizations/acme/members", None)
            .json(),
        json!([{ "user": "alice", "role": "write" }, { "user": "bob", "role": "read" }])
    );
    assert_eq!(
        world
            .admin(
                "PUT",
                "organizations/acme/members/bob",
                Some(json!({ "role": "boss" }))
            )
            .status,
        400
    );
    assert_eq!(
        world
            .admin("DELETE", "organizations/acme/members/bob", None)
            .status,
        204
    );
    let bob = world.token("bob", "b", "read");
    assert_eq!(world.get(WHOAMI, Some(&bob)).json()["orgs"], json!([]));

    let made = world.admin(
        "POST",
        "repositories",
        Some(json!({ "type": "dataset", "id": "acme/d", "private": true })),
    );
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["private"], true);
    let path = "repositories/dataset/acme/d";
    let changed = world
        .admin(
            "PATCH",
            path,
            Some(json!({ "private": false, "gated": "manual" })),
        )
        .json();
    assert_eq!(
        (&changed["private"], &changed["gated"], &changed["disabled"]),
        (&json!(false), &json!("manual"), &json!(false))
    );
    let check = "/api/datasets/acme/d/auth-check";
    assert_eq!(world.get(check, Some(&bob)).verdict().1, "GatedRepo");
    assert_eq!(
        world
            .admin("PUT", &format!("{path}/grants/bob"), None)
            .status,
        204
    );
    assert_eq!(
        world.admin("GET", &format!("{path}/grants"), None).json(),
        json!(["bob"])
    );
    assert_eq!(world.get(check, Some(&bob)).text(), "OK");
    assert_eq!(
        world
            .admin("DELETE", &format!("{path}/grants/bob"), None)
            .status,
        204
    );
    assert_eq!(world.get(check, Some(&bob)).status, 403);
    world.admin(
        "PATCH",
        path,
        Some(json!({ "gated": false, "disabled": true })),
    );
    assert_eq!(
        world.get(check, Some(&bob)).verdict(),
        (403, "", "Access to this resource is disabled.")
    );
    assert_eq!(world.admin("DELETE", path, None).status, 204);
    assert_eq!(
        world.get(check, Some(&bob)).verdict(),
        (404, "RepoNotFound", "Repository not found")
    );
}
