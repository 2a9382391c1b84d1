//! The audit log over HTTP.

use serde_json::{Value, json};

use super::support::world::World;

fn entries(world: &World, query: &str) -> Vec<Value> {
    let answer = world.admin("GET", &format!("audit{query}"), None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["entries"].as_array().unwrap().clone()
}

#[test]
fn it_tells_who_did_what() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    assert_eq!(world.create(&token, "alice/m", true).status, 200);
    let revoked = world.post(
        "/api/credentials/revoke",
        None,
        &json!({ "credentials": [token] }),
    );
    assert_eq!(revoked.status, 202);
    let log = entries(&world, "?limit=3");
    let told: Vec<Value> = log
        .iter()
        .map(|entry| {
            json!([
                entry["act"],
                entry["actor"],
                entry["actorName"],
                entry["user"],
                entry["tokenName"],
                entry["repository"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["token.revoke", "nobody", null, "alice", "w", null]),
            json!(["repository.create", "user", "alice", null, null, "alice/m"]),
            json!(["token.create", "admin-key", null, "alice", "w", null]),
        ]
    );
    // The token that was used, by the id recorded in the log.
    assert_eq!(log[1]["actorToken"], log[2]["tokenId"]);
    assert_eq!(log[0]["at"], "2026-01-02T03:04:05.000Z");
    assert_eq!(log[0]["last4"], token[token.len() - 4..]);
    assert!(!json!(log).to_string().contains(&token));
}

#[test]
fn it_is_chosen_from_and_turned_page_by_page() {
    let world = World::populated();
    for number in 0..5 {
        world.pass(60);
        world.token("bob", &number.to_string(), "read");
    }
    let count = |query: &str| entries(&world, query).len();
    assert_eq!(count("?user=BOB&act=token.create"), 5);
    assert_eq!(count("?organization=acme"), 3);
    assert_eq!(count("?since=2026-01-02T03:07:00Z"), 3);
    assert_eq!(count("?since=2026-01-02T05:07:00%2B02:00"), 3);
    let all = entries(&world, "");
    let mut turned = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = world.admin("GET", &format!("audit{query}"), None).json();
        turned.extend(page["entries"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_i64() else {
            break;
        };
        query = format!("?limit=4&before={next}");
    }
    assert_eq!(turned, all);
    for wrong in [
        "?limit=0",
        "?limit=1001",
        "?limit=x",
        "?before=x",
        "?since=yesterday",
        "?everything=1",
    ] {
        let answer = world.admin("GET", &format!("audit{wrong}"), None);
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[test]
fn nobody_reads_or_writes_it_with_a_token() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    let path = "/-/hubtoken/v1/audit";
    let host = ("host", "127.0.0.1:8080");
    let body = axum::body::Body::empty;
    assert_eq!(
        world.ask("GET", path, Some(&token), &[host], body()).status,
        401
    );
    assert_eq!(world.ask("GET", path, None, &[host], body()).status, 401);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(world.admin(method, "audit", None).status, 405, "{method}");
    }
}
