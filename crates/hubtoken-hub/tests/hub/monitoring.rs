//! Health endpoints and metrics, in-process.

use axum::body::Body;

use super::support::world::World;

fn metrics(world: &World) -> String {
    let host = [("host", "127.0.0.1:8080")];
    let answer = world.ask("GET", "/metrics", None, &host, Body::empty());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[test]
fn a_hub_that_is_well_says_so() {
    let world = World::new();
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = world.get(path, None);
        assert_eq!((answer.status, answer.text().as_str()), (200, text));
        assert_eq!(answer.header("cache-control"), "no-store");
        // Whatever credentials a probe sends.
        assert_eq!(world.get(path, Some("hf_x")).status, 200);
    }
    assert_eq!(
        world.post("/healthz", None, &serde_json::json!({})).status,
        405
    );
}

#[test]
fn what_happens_is_counted_without_a_name() {
    let world = World::populated();
    let token = world.token("alice", "my secret project", "write");
    world.create(&token, "alice/secret-model", true);
    world.get("/api/models/alice/secret-model", Some(&token));
    world.get(
        "/api/whoami-v2",
        Some("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"),
    );
    world.get(
        "/no/such/path?token=hf_FakeFakeFakeFakeFakeFakeFakeFakeYY",
        None,
    );
    world.ask("BREW", "/coffee", None, &[], Body::empty());
    world.ask(
        "GET",
        "/-/hubtoken/v1/users",
        Some("x"),
        &[("host", "127.0.0.1:8080")],
        Body::empty(),
    );
    let page = metrics(&world);
    for line in [
        "hubtoken_requests_total{route=\"/api/{kind}/{namespace}/{name}\",method=\"GET\",status=\"200\"} 1",
        "hubtoken_requests_total{route=\"/api/whoami-v2\",method=\"GET\",status=\"401\"} 1",
        "hubtoken_requests_total{route=\"(none)\",method=\"GET\",status=\"404\"} 1",
        "hubtoken_requests_total{route=\"(none)\",method=\"other\",status=\"404\"} 1",
        "hubtoken_authentications_total{result=\"token_refused\"} 1",
        "hubtoken_authentications_total{result=\"admin_key_refused\"} 1",
        "hubtoken_users 2",
        "hubtoken_organizations 1",
        "hubtoken_tokens 1",
        "hubtoken_service_accounts 0",
        "hubtoken_repositories 1",
        "hubtoken_uploads 0",
        "hubtoken_stopping 0",
    ] {
        assert!(page.lines().any(|each| each == line), "{line}\n{page}");
    }
    assert!(page.contains("hubtoken_build_info{version=\""));
    assert!(page.contains("hubtoken_disk_free_bytes "));
    for secret in ["alice", "secret", "acme", "hf_", "coffee", "BREW"] {
        assert!(!page.contains(secret), "{secret}\n{page}");
    }
}

#[test]
fn metrics_are_for_the_owner() {
    let world = World::new();
    let ask = |headers: &[(&str, &str)], token: Option<&str>| {
        world
            .ask("GET", "/metrics", token, headers, Body::empty())
            .status
    };
    let host = ("host", "127.0.0.1:8080");
    assert_eq!(ask(&[], None), 404);
    assert_eq!(ask(&[("host", "evil.example")], None), 404);
    assert_eq!(ask(&[host, ("origin", "http://evil.example")], None), 404);
    assert_eq!(ask(&[host], None), 200);
    assert_eq!(ask(&[], Some(super::support::world::ADMIN)), 200);
    let limited = World::with_limit(Some(hubtoken_hub::RateLimit {
        quota: 1,
        window_seconds: 60,
    }));
    limited.get("/api/whoami-v2", None);
    limited.get("/api/whoami-v2", None);
    assert!(metrics(&limited).contains("hubtoken_rate_limited_total 1\n"));
}
