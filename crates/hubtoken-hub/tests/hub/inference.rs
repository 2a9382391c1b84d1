//! The inference API, in-process: who may use which model, and what is sent to the upstream.

use axum::body::Body;
use hubtoken_hub::{InferenceOptions, RateLimit, Upstream};
use serde_json::{Value, json};

use super::support::upstream::{Toy, for_all, of};
use super::support::world::{Answer, World};

const CHAT: &str = "/v1/chat/completions";
const NO_RIGHT: &str = "This authentication method does not have sufficient permissions to call Inference Providers on \
                        behalf of user alice";
/// An address on which no server listens; no request may be sent to it.
const NOBODY: &str = "http://127.0.0.1:1";

fn ask(world: &World, token: Option<&str>, model: &str) -> Answer {
    world.post(CHAT, token, &json!({ "model": model, "messages": [] }))
}

/// A world in which alice owns a public, a private and a gated model.
fn with_models(options: &InferenceOptions) -> (World, String) {
    let world = World::populated_with(options);
    let write = world.token("alice", "w", "write");
    for (id, private) in [
        ("alice/open", false),
        ("alice/private", true),
        ("alice/gated", false),
    ] {
        assert_eq!(world.create(&write, id, private).status, 200);
    }
    let gate = world.ask(
        "PUT",
        "/api/models/alice/gated/settings",
        Some(&write),
        &[],
        Body::from(r#"{"gated":"manual"}"#),
    );
    assert_eq!(gate.status, 200);
    (world, write)
}

#[test]
fn a_request_is_forwarded_as_it_came_and_without_what_is_the_hubs() {
    let toy = Toy::plain();
    let mut options = toy.for_all();
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "key-FakeFakeFake\n").unwrap();
    options.upstreams[0].key_file = Some(key.path().to_owned());
    let world = World::populated_with(&options);
    let token = world.token("alice", "r", "read");
    let body = "{ \"stream\":false,\n \"model\" : \"any/model\", \"x\":[1.0e0] }";
    let answer = world.ask(
        "POST",
        "/v1/chat/completions?a=b%20c&d",
        Some(&token),
        &[
            ("accept", "text/event-stream"),
            ("connection", "close, x-mine"),
            ("content-type", "text/plain"),
            ("cookie", "session=secret"),
            ("forwarded", "for=192.0.2.1"),
            ("host", "hub.example"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("te", "trailers"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-mine", "secret"),
        ],
        Body::from(body),
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let [seen] = &*toy.seen() else {
        panic!("not one request");
    };
    assert_eq!(seen.line, "POST /v1/chat/completions?a=b%20c&d HTTP/1.1");
    assert_eq!(seen.body, body.as_bytes());
    let host = toy.url.strip_prefix("http://").unwrap();
    for expected in [
        "accept: text/event-stream",
        "authorization: bearer key-fakefakefake",
        &format!("content-length: {}", body.len()),
        "content-type: application/json",
        &format!("host: {host}"),
    ] {
        let line = format!("\n{expected}\n");
        assert!(seen.headers.contains(&line), "{expected}: {}", seen.headers);
    }
    let expected = seen.headers.trim().lines().count();
    assert_eq!(expected, 5, "{}", seen.headers);
    assert!(!format!("{seen:?}").contains(&token.to_ascii_lowercase()));
}

#[test]
fn an_answer_loses_what_is_not_the_upstreams_to_say() {
    let toy = Toy::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close, x-own\r\n\
         Set-Cookie: a=b\r\nLocation: http://other.example\r\nX-Own: 1\r\nServer: toy\r\nX-Error-Code: GatedRepo\r\n\
         Access-Control-Allow-Origin: *\r\nX-Accel-Redirect: /etc/passwd\r\nKeep-Alive: timeout=5\r\n\
         X-Compute-Type: cpu\r\nX-Total-Time: 7\r\nCache-Control: no-store\r\nRateLimit: x\r\n\r\nhi",
    );
    let world = World::populated_with(&toy.for_all());
    let token = world.token("alice", "r", "read");
    let answer = ask(&world, Some(&token), "m");
    assert_eq!((answer.status, answer.text().as_str()), (200, "hi"));
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-compute-type", "cpu"),
        ("x-total-time", "7"),
        ("cache-control", "no-store"),
        (
            "access-control-allow-origin",
            super::support::world::ENDPOINT,
        ),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for name in [
        "set-cookie",
        "location",
        "x-own",
        "server",
        "x-error-code",
        "x-accel-redirect",
        "keep-alive",
    ] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_ne!(answer.header("ratelimit"), "x");
}

#[test]
fn each_token_is_let_in_as_its_role_says() {
    let toy = Toy::plain();
    let world = World::populated_with(&toy.for_all());
    let permission = "inference.serverless.write";
    let refused = (403, "", NO_RIGHT);
    for (token, expected) in [
        (world.token("alice", "r", "read"), (200, "", "")),
        (world.token("alice", "w", "write"), (200, "", "")),
        (world.fine("alice", &[("alice", permission)]), (200, "", "")),
        (world.fine("alice", &[("acme", permission)]), (200, "", "")),
        (world.fine("alice", &[("alice", "repo.write")]), refused),
        (world.fine("alice", &[("bob", permission)]), refused),
        (
            world.token_from(
                "alice",
                json!({ "name": "g", "role": "fineGrained", "global": [permission] }),
            ),
            (200, "", ""),
        ),
    ] {
        for path in [CHAT, "/v1/completions", "/v1/embeddings", "/models/any/m"] {
            let answer = world.post(path, Some(&token), &json!({ "model": "any/m" }));
            assert_eq!(answer.verdict(), expected, "{path}");
        }
        let list = world.get("/v1/models", Some(&token));
        assert_eq!(list.status, expected.0);
    }
}

#[test]
fn who_shows_no_good_token_is_told_how_to() {
    let toy = Toy::plain();
    let world = World::populated_with(&toy.for_all());
    for (token, message) in [
        (None, "Invalid username or password."),
        (
            Some("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"),
            "Invalid credentials in Authorization header",
        ),
    ] {
        for path in [CHAT, "/models/any/m"] {
            let answer = world.post(path, token, &json!({ "model": "any/m" }));
            assert_eq!(answer.verdict(), (401, "", message));
            assert!(answer.header("www-authenticate").starts_with("Bearer "));
            assert_eq!(answer.json(), json!({ "error": message }));
        }
    }
    assert!(toy.seen().is_empty());
}

#[test]
fn a_model_of_this_hub_is_for_those_who_may_read_it() {
    let toy = Toy::plain();
    let (world, alice) = with_models(&toy.for_all());
    let bob = world.token("bob", "r", "read");
    let permission = "inference.serverless.write";
    let fine = world.fine("alice", &[("alice", permission)]);
    let gated = "Access to model alice/gated is restricted and you are not in the authorized list. Visit \
                 http://127.0.0.1:8080/alice/gated to ask for access.";
    let hidden = (404, "RepoNotFound", "Repository not found");
    let shut = (
        403,
        "",
        "Please enable access to public gated repositories in your fine-grained token settings to view this repository.",
    );
    for (model, token, expected) in [
        ("alice/open", &bob, (200, "", "")),
        ("alice/open", &fine, (200, "", "")),
        ("alice/private", &alice, (200, "", "")),
        ("Alice/PRIVATE", &bob, hidden),
        ("alice/private:fastest", &bob, hidden),
        ("alice/private@main", &bob, hidden),
        ("alice/private", &bob, hidden),
        ("alice/private", &fine, hidden),
        ("alice/gated", &bob, (403, "GatedRepo", gated)),
        ("alice/gated", &fine, shut),
        ("nobody/unknown", &bob, (200, "", "")),
        ("local-name", &bob, (200, "", "")),
    ] {
        assert_eq!(
            ask(&world, Some(token), model).verdict(),
            expected,
            "{model}"
        );
        let path = format!("/models/{model}/v1/chat/completions");
        let answer = world.post(&path, Some(token), &json!({}));
        assert_eq!(answer.verdict(), expected, "{path}");
    }
    let granted = "repositories/model/alice/gated/grants/bob";
    assert!(world.admin("PUT", granted, None).status < 300);
    assert_eq!(ask(&world, Some(&bob), "alice/gated").status, 200);
}

#[test]
fn a_body_cannot_name_another_model_than_the_one_that_was_looked_at() {
    let toy = Toy::plain();
    let (world, _) = with_models(&toy.for_all());
    let bob = world.token("bob", "r", "read");
    let chat = "/models/alice/open/v1/chat/completions";
    for (path, body, status) in [
        (
            CHAT,
            r#"{"model":"alice/open","model":"alice/private"}"#,
            400,
        ),
        (
            CHAT,
            r#"{"model":"alice/open","MODEL":"alice/private"}"#,
            400,
        ),
        (
            CHAT,
            r#"{"model":"alice/open"}{"model":"alice/private"}"#,
            400,
        ),
        (CHAT, r#"{"model":["alice/open"]}"#, 400),
        (CHAT, r#"{"messages":[]}"#, 400),
        (CHAT, r#"{"model":"alice/open""#, 400),
        (CHAT, "", 400),
        (CHAT, "[]", 400),
        (chat, r#"{"model":"alice/private"}"#, 404),
        (chat, r#"{"x":1,"mod\u0065l":"alice/private"}"#, 404),
        (chat, r#"{"model":"tgi","model":"alice/private"}"#, 400),
        (chat, "\u{feff}{\"model\":\"alice/private\"}", 400),
        (chat, "{\0\"\0m\0", 400),
    ] {
        let answer = world.ask("POST", path, Some(&bob), &[], Body::from(body));
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["error"].is_string());
    }
    let compressed = [("content-encoding", "gzip")];
    let answer = world.ask("POST", chat, Some(&bob), &compressed, Body::from("x"));
    assert_eq!(answer.status, 415);
    assert!(toy.seen().is_empty(), "{:?}", toy.seen());
    // Models that are not on this Hub are left to the upstream.
    for body in ["{}", r#"{"model":"tgi"}"#, r#"{"model":"alice/open"}"#] {
        let answer = world.ask("POST", chat, Some(&bob), &[], Body::from(body));
        assert_eq!(answer.status, 200, "{body}");
    }
}

#[test]
fn without_an_upstream_it_says_so_and_nothing_else() {
    let (world, _) = with_models(&of(&[("alice/open", NOBODY)]));
    let bob = world.token("bob", "r", "read");
    for model in ["alice/private", "alice/missing", "nobody/unknown"] {
        let answer = ask(&world, Some(&bob), model);
        assert_eq!(answer.status, 503, "{model}");
        assert!(
            answer.text().contains("--upstream MODEL=URL"),
            "{}",
            answer.text()
        );
        let path = format!("/models/{model}");
        assert_eq!(
            world.post(&path, Some(&bob), &json!({})).text(),
            answer.text()
        );
    }
}

#[test]
fn paths_that_lead_elsewhere_reach_no_upstream() {
    let toy = Toy::plain();
    let world = World::populated_with(&toy.for_all());
    let token = world.token("alice", "r", "read");
    for path in [
        "/models/alice/tiny/metrics",
        "/models/alice/tiny/../../metrics",
        "/models/alice/tiny/%2e%2e/metrics",
        "/models/alice/tiny/v1%2fchat",
        "/models/alice/tiny//other.example/",
        "/models/alice/tiny/http://other.example/",
        "/models//other.example/x",
        "/v1/load_lora_adapter",
        "/v1/chat/completions/..",
        "/v1/%2e%2e/metrics",
        "/v1//other.example",
    ] {
        let answer = world.post(path, Some(&token), &json!({ "model": "m" }));
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    assert_eq!(world.get("/models/alice/tiny", Some(&token)).status, 405);
    assert!(toy.seen().is_empty());
    // Below a model, and below the path of the operator's URL.
    let world = World::populated_with(&for_all(&format!("{}/llm/v1", toy.url)));
    let token = world.token("alice", "r", "read");
    for (path, expected) in [
        ("/models/alice/tiny", "/llm/"),
        (
            "/models/alice/tiny/pipeline/feature-extraction?x=../y",
            "/llm/pipeline/feature-extraction?x=../y",
        ),
        ("/models/alice/tiny/v1/embeddings", "/llm/v1/embeddings"),
    ] {
        assert_eq!(world.post(path, Some(&token), &json!({})).status, 200);
        let line = toy.seen().pop().unwrap().line;
        assert_eq!(line, format!("POST {expected} HTTP/1.1"));
    }
}

#[test]
fn a_token_has_a_limit_of_its_own_and_its_use_is_counted() {
    let toy = Toy::plain();
    let world = World::populated_with(&InferenceOptions {
        limit: Some(RateLimit {
            quota: 2,
            window_seconds: 60,
        }),
        ..toy.for_all()
    });
    let first = world.token("alice", "first", "read");
    let second = world.token("alice", "second", "read");
    let answer = ask(&world, Some(&first), "m");
    assert_eq!(answer.header("ratelimit"), "\"inference\";r=1;t=60");
    assert_eq!(
        answer.header("ratelimit-policy"),
        "\"fixed window\";\"inference\";q=2;w=60"
    );
    // Rejected requests count as well, and report the token's rate-limit status.
    let wrong = world.post(CHAT, Some(&first), &json!({}));
    assert_eq!(
        (wrong.status, wrong.header("ratelimit")),
        (400, "\"inference\";r=0;t=60")
    );
    let beyond = ask(&world, Some(&first), "m");
    assert_eq!((beyond.status, beyond.header("retry-after")), (429, "60"));
    assert!(
        beyond
            .text()
            .contains("you hit the quota of 2 inference requests")
    );
    assert_eq!(ask(&world, Some(&second), "m").status, 200);
    world.pass(60);
    assert_eq!(ask(&world, Some(&first), "m").status, 200);

    let tokens = world.admin("GET", "users/alice/tokens", None).json();
    let mut used: Vec<(&str, &Value)> = tokens
        .as_array()
        .unwrap()
        .iter()
        .map(|token| (token["name"].as_str().unwrap(), &token["inferenceRequests"]))
        .collect();
    used.sort_by_key(|(name, _)| *name);
    assert_eq!(used, [("first", &json!(2)), ("second", &json!(1))]);
    let host = [("host", "127.0.0.1:8080")];
    let metrics = world.ask("GET", "/metrics", None, &host, Body::empty());
    let text = metrics.text();
    assert!(
        text.contains(r#"route="/v1/chat/completions",method="POST",status="429"} 1"#),
        "{text}"
    );
    assert!(!text.contains("first"));
}

#[test]
fn the_list_has_the_models_that_a_token_may_use() {
    let (world, alice) = with_models(&of(&[
        ("*", NOBODY),
        ("alice/private", NOBODY),
        ("alice/open", NOBODY),
        ("local", NOBODY),
    ]));
    let bob = world.token("bob", "r", "read");
    let listed = |token: &str| {
        let answer = world.get("/v1/models", Some(token)).json();
        assert_eq!(answer["object"], "list");
        let models = answer["data"].as_array().unwrap().iter();
        models.map(|model| model["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&alice), ["alice/open", "alice/private", "local"]);
    assert_eq!(listed(&bob), ["alice/open", "local"]);
    assert_eq!(world.get("/v1/models", None).status, 401);
}

#[test]
fn a_server_that_does_not_answer_is_no_fault_of_the_client() {
    let other = Toy::plain();
    let redirect = format!(
        "HTTP/1.1 307 x\r\nLocation: {}/v1/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        other.url
    );
    let status = |status: u16| {
        format!(
            "HTTP/1.1 {status} x\r\nContent-Length: 3\r\nRetry-After: 7\r\nWWW-Authenticate: Bearer\r\n\
             Connection: close\r\n\r\noh!"
        )
    };
    for (answer, expected, text) in [
        (String::new(), 502, None),
        ("HTTP/1.1 2".to_owned(), 502, None),
        ("no HTTP at all\r\n\r\n".to_owned(), 502, None),
        (redirect, 502, None),
        (status(401), 502, None),
        (status(407), 502, None),
        (status(500), 500, Some("oh!")),
        (status(503), 503, Some("oh!")),
        (status(429), 429, Some("oh!")),
        (status(400), 400, Some("oh!")),
    ] {
        let toy = Toy::answering(&answer);
        let world = World::populated_with(&toy.for_all());
        let token = world.token("alice", "r", "read");
        let got = ask(&world, Some(&token), "m");
        assert_eq!(got.status, expected, "{answer}");
        assert_eq!(got.header("www-authenticate"), "");
        if let Some(text) = text {
            let said = (got.text(), got.header("retry-after").to_owned());
            assert_eq!(said, (text.to_owned(), "7".to_owned()));
        } else {
            let error = got.json()["error"].as_str().unwrap().to_owned();
            assert!(!error.contains("127.0.0.1"), "{error}");
        }
    }
    assert!(other.seen().is_empty());
    let world = World::populated_with(&for_all(NOBODY));
    let token = world.token("alice", "r", "read");
    assert_eq!(ask(&world, Some(&token), "m").status, 502);
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let toy = Toy::start(|exchange| {
        exchange.body();
        exchange.wait_for_the_end();
    });
    let world = World::populated_with(&InferenceOptions {
        timeout_seconds: 1,
        ..toy.for_all()
    });
    let token = world.token("alice", "r", "read");
    let answer = ask(&world, Some(&token), "m");
    assert_eq!(answer.status, 504);
    assert_eq!(toy.seen().len(), 1);
}

#[test]
fn what_is_too_large_is_not_forwarded() {
    let toy = Toy::plain();
    let world = World::populated_with(&toy.for_all());
    let token = world.token("alice", "r", "read");
    let early = format!(
        "{{\"model\":\"m\",\"messages\":\"{}\"}}",
        "a".repeat(5 << 20)
    );
    let answer = world.ask("POST", CHAT, Some(&token), &[], Body::from(early.clone()));
    assert_eq!(answer.status, 200);
    assert_eq!(toy.seen().pop().unwrap().body.len(), early.len());
    let huge = vec![b' '; (64 << 20) + 1];
    let answer = world.ask("POST", "/models/a/b", Some(&token), &[], Body::from(huge));
    assert_eq!(answer.status, 413);
    assert_eq!(toy.seen().len(), 1);
}

#[test]
fn a_key_that_is_not_there_is_told_at_the_start() {
    let options = InferenceOptions {
        upstreams: vec![Upstream {
            model: "m".to_owned(),
            url: NOBODY.to_owned(),
            key_file: Some("/nonexistent/key".into()),
        }],
        ..InferenceOptions::default()
    };
    let options = hubtoken_hub::HubOptions {
        inference: options,
        ..hubtoken_hub::HubOptions::default()
    };
    let error = hubtoken_hub::Hub::start(&options).unwrap_err().to_string();
    assert!(
        error.contains("the upstream of `m`") && error.contains("/nonexistent/key"),
        "{error}"
    );
}
