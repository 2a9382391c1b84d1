//! whoami with valid tokens, and every way of not having one.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubtoken_hub::RateLimit;
use serde_json::{Value, json};

use super::support::world::World;

const WHOAMI: &str = "/api/whoami-v2";

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_write_token_sees_all_of_its_user() {
    let world = World::populated();
    let token = world.token("alice", "lab ✎", "write");
    let answer = world.get(WHOAMI, Some(&token));
    assert_eq!(answer.status, 200);
    assert!(answer.header("etag").starts_with("W/\""));
    let body = answer.json();
    assert_eq!(
        keys(&body),
        [
            "auth",
            "avatarUrl",
            "billingMode",
            "canPay",
            "email",
            "emailVerified",
            "fullname",
            "id",
            "isPro",
            "name",
            "orgs",
            "periodEnd",
            "type"
        ]
    );
    assert_eq!(
        (&body["type"], &body["name"], &body["email"]),
        (
            &json!("user"),
            &json!("alice"),
            &json!("alice@example.invalid")
        )
    );
    assert_eq!(body["id"].as_str().unwrap().len(), 24);
    assert_eq!(
        body["auth"],
        json!({ "type": "access_token", "accessToken": {
            "displayName": "lab ✎", "role": "write", "createdAt": "2026-01-02T03:04:05.000Z" } })
    );
    let org = &body["orgs"][0];
    assert_eq!(
        (&org["type"], &org["name"], &org["roleInOrg"]),
        (&json!("org"), &json!("acme"), &json!("write"))
    );
    assert_eq!(org["securityRestrictions"], json!([]));
}

#[test]
fn a_fine_grained_token_shows_its_scopes_and_no_address() {
    let world = World::populated();
    let writer = world.token("alice", "w", "write");
    assert_eq!(world.create(&writer, "alice/tiny", true).status, 200);
    let token = world.token_from(
        "alice",
        json!({ "name": "ci", "role": "fineGrained", "global": ["discussion.write"], "expiresAt": "2026-01-02T04:04:05Z",
                "scopes": [{ "entity": "alice/tiny", "permissions": ["repo.write"] },
                           { "entity": "acme", "permissions": ["repo.content.read"] }] }),
    );
    let body = world.get(WHOAMI, Some(&token)).json();
    assert!(body.get("email").is_none());
    let auth = &body["auth"];
    assert_eq!(auth["expiresAt"], "2026-01-02T04:04:05.000Z");
    assert_eq!(auth["accessToken"]["role"], "fineGrained");
    let fine = &auth["accessToken"]["fineGrained"];
    assert_eq!(
        (&fine["canReadGatedRepos"], &fine["global"]),
        (&json!(false), &json!(["discussion.write"]))
    );
    let entity = &fine["scoped"][0]["entity"];
    assert_eq!(
        (&entity["type"], &entity["name"]),
        (&json!("model"), &json!("alice/tiny"))
    );
    assert_eq!(entity["_id"].as_str().unwrap().len(), 24);
    assert_eq!(fine["scoped"][1]["entity"]["type"], "org");
}

#[test]
fn the_three_ways_to_send_a_token() {
    let world = World::populated();
    let token = world.token("alice", "w", "read");
    for text in [format!("anybody:{token}"), format!("{token}:")] {
        let header = format!("Basic {}", STANDARD.encode(text));
        let answer = world.ask(
            "GET",
            WHOAMI,
            None,
            &[("authorization", &header)],
            Body::empty(),
        );
        assert_eq!(answer.json()["name"], "alice");
    }
    assert_eq!(world.get(WHOAMI, Some(&token)).json()["name"], "alice");
    // Not in the URL.
    assert_eq!(
        world.get(&format!("{WHOAMI}?token={token}"), None).status,
        401
    );
}

#[test]
fn no_token_and_bad_tokens() {
    let world = World::populated();
    let missing = world.get(WHOAMI, None);
    assert_eq!(
        missing.verdict(),
        (401, "", "Invalid username or password.")
    );
    assert_eq!(
        missing.json(),
        json!({ "error": "Invalid username or password." })
    );
    assert_eq!(
        missing.header("www-authenticate"),
        "Bearer realm=\"Authentication required\", charset=\"UTF-8\""
    );
    let bad = (401, "", "Invalid credentials in Authorization header");
    for path in [
        WHOAMI,
        "/api/models/alice/x",
        "/alice/x/resolve/main/a",
        "/nowhere",
        "/api/agent-harnesses",
    ] {
        assert_eq!(world.get(path, Some("hf_nope")).verdict(), bad, "{path}");
    }
    // The admin key is not an access token.
    assert_eq!(
        world
            .get(WHOAMI, Some(super::support::world::ADMIN))
            .verdict(),
        bad
    );
    let token = world.token("alice", "w", "read");
    let twice = format!("Bearer {token}");
    let two = world.ask(
        "GET",
        WHOAMI,
        Some(&token),
        &[("authorization", &twice)],
        Body::empty(),
    );
    assert_eq!(two.verdict(), bad);
}

#[test]
fn an_expired_token_is_no_token() {
    let world = World::populated();
    let token = world.token_from(
        "alice",
        json!({ "name": "x", "role": "read", "expiresAt": "2026-01-02T03:04:15Z" }),
    );
    world.pass(9);
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 200);
    world.pass(1);
    assert_eq!(
        world.get(WHOAMI, Some(&token)).verdict(),
        (401, "", "Invalid credentials in Authorization header")
    );
}

#[test]
fn every_answer_has_the_common_headers() {
    let world = World::populated();
    for path in [
        WHOAMI,
        "/nothing",
        "/api/models",
        "/alice/x/resolve/main/a",
        "/-/hubtoken/v1/users",
    ] {
        let answer = world.ask(
            "GET",
            path,
            None,
            &[("origin", "http://evil.example")],
            Body::empty(),
        );
        assert_eq!(answer.header("x-powered-by"), "huggingface-moon", "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            super::support::world::ENDPOINT,
            "{path}"
        );
        assert_eq!(answer.header("vary"), "Origin", "{path}");
        assert!(
            answer.header("x-request-id").starts_with("Root=1-"),
            "{path}"
        );
        assert!(answer.header("ratelimit").contains(";r="), "{path}");
        assert!(
            answer
                .header("ratelimit-policy")
                .starts_with("\"fixed window\";"),
            "{path}"
        );
    }
    assert_eq!(
        world.get(WHOAMI, None).header("ratelimit-policy"),
        "\"fixed window\";\"api\";q=500;w=300"
    );
}

#[test]
fn the_whoami_limit_is_exact_and_per_user() {
    let world = World::with_limit(Some(RateLimit {
        quota: 2,
        window_seconds: 60,
    }));
    for name in ["alice", "bob"] {
        world.admin("POST", "users", Some(json!({ "name": name })));
    }
    let (alice, other, bob) = (
        world.token("alice", "a", "read"),
        world.token("alice", "b", "read"),
        world.token("bob", "a", "read"),
    );
    assert_eq!(
        world.get(WHOAMI, Some(&alice)).header("ratelimit"),
        "\"whoami\";r=1;t=60"
    );
    world.pass(10);
    assert_eq!(world.get(WHOAMI, Some(&other)).status, 200);
    let beyond = world.get(WHOAMI, Some(&alice));
    assert_eq!(beyond.status, 429);
    assert_eq!(
        (beyond.header("ratelimit"), beyond.header("retry-after")),
        ("\"whoami\";r=0;t=50", "50")
    );
    assert_eq!(
        beyond.header("ratelimit-policy"),
        "\"fixed window\";\"whoami\";q=2;w=60"
    );
    assert!(
        beyond.json()["error"]
            .as_str()
            .unwrap()
            .starts_with("We had to rate limit you")
    );
    assert_eq!(world.get(WHOAMI, Some(&bob)).status, 200);
    // Guesses count by address, and so do requests without a token.
    assert_eq!(world.get(WHOAMI, Some("hf_x")).status, 401);
    assert_eq!(world.get(WHOAMI, None).status, 401);
    assert_eq!(world.get(WHOAMI, Some("hf_x")).status, 429);
    // Nothing else is limited, and the window ends.
    assert_eq!(world.get("/api/models", Some(&alice)).status, 200);
    world.pass(50);
    assert_eq!(world.get(WHOAMI, Some(&alice)).status, 200);
}

#[test]
fn userinfo() {
    let world = World::populated();
    let token = world.token("alice", "w", "read");
    for method in ["GET", "POST"] {
        let body = world
            .ask(method, "/oauth/userinfo", Some(&token), &[], Body::empty())
            .json();
        assert_eq!(
            (&body["preferred_username"], &body["isPro"]),
            (&json!("alice"), &json!(false))
        );
        assert_eq!(body["orgs"][0]["preferred_username"], "acme");
    }
}

#[test]
fn whoever_holds_a_token_can_revoke_it() {
    let world = World::populated();
    let (token, other) = (
        world.token("alice", "x", "write"),
        world.token("bob", "x", "read"),
    );
    let revoke = |body: &Value| world.post("/api/credentials/revoke", None, body).status;
    assert_eq!(
        revoke(&json!({ "credentials": ["hf_unknown", token] })),
        202
    );
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 401);
    assert_eq!(world.get(WHOAMI, Some(&other)).status, 200);
    for bad in [
        json!([]),
        json!({ "credentials": [] }),
        json!({ "credentials": ["x".repeat(201)] }),
    ] {
        assert_eq!(revoke(&json!({ "credentials": bad })), 400);
        assert_eq!(revoke(&bad), 400);
    }
}
