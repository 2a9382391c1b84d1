//! Trusted publishers: who adds them, which id tokens they accept, and what the tokens may do.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::support::browser::{Browser, PASSWORD};
use super::support::world::{Answer, ENDPOINT, START, World};

const ISSUER: &str = "https://ci.example";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// A world with `alice/m`, and an issuer whose key is in each publisher's entry.
struct Site {
    world: World,
    key: Ed25519KeyPair,
    alice: String,
}

impl Site {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let world = World::populated();
        let alice = world.token("alice", "laptop", "write");
        assert_eq!(world.create(&alice, "alice/m", true).status, 200);
        Self {
            key: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap(),
            world,
            alice,
        }
    }

    fn keys(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x }] })
    }

    fn try_add(&self, resource: &str, user: Option<&str>, claims: &Value) -> Answer {
        let body = json!({
            "resource": resource, "issuer": ISSUER, "claims": claims, "user": user, "keys": self.keys(),
        });
        self.world.admin("POST", "publishers", Some(body))
    }

    /// Adds a publisher for the repository `acme/train`; returns its id.
    fn add(&self, resource: &str, user: Option<&str>) -> String {
        let answer = self.try_add(resource, user, &json!({ "repository": "acme/train" }));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    /// A good id token, with changes to its claims; `null` removes one.
    fn id_token(&self, jti: &str, changes: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": ENDPOINT, "sub": "repo:acme/train:ref:refs/heads/main", "jti": jti,
            "iat": START, "exp": START + 600, "repository": "acme/train",
        });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        self.sign(&json!({ "alg": "EdDSA", "kid": "k1" }), &claims)
    }

    fn exchange(&self, token: &str, resource: &str) -> Answer {
        let body = json!({
            "grant_type": GRANT, "subject_token_type": ID_TOKEN, "subject_token": token, "resource": resource,
        });
        self.send(&body)
    }

    fn send(&self, body: &Value) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            ("host", "127.0.0.1:8080"),
        ];
        let body = Body::from(body.to_string());
        self.world.ask("POST", "/oauth/token", None, &headers, body)
    }

    /// The token for an id token of its own.
    fn publish(&self, jti: &str, resource: &str) -> String {
        let answer = self.exchange(&self.id_token(jti, &json!({})), resource);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The error of a refused exchange, which repeats nothing of the id token.
    fn refusal(&self, token: &str, resource: &str) -> (String, String) {
        let answer = self.exchange(token, resource);
        assert_eq!(answer.status, 400, "{}", answer.text());
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(!answer.text().contains(part));
        }
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        (text("error"), text("error_description"))
    }

    fn status(&self, token: &str) -> u16 {
        self.world.get("/api/whoami-v2", Some(token)).status
    }
}

#[test]
fn a_token_writes_to_its_repository_and_does_nothing_else() {
    let site = Site::new();
    let world = &site.world;
    assert_eq!(world.create(&site.alice, "alice/other", true).status, 200);
    site.add("alice/m", None);
    let answer = site.exchange(&site.id_token("j1", &json!({})), "alice/m");
    let body = answer.json();
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        (
            &body["token_type"],
            &body["expires_in"],
            &body["issued_token_type"]
        ),
        (
            &json!("bearer"),
            &json!(3600),
            &json!("urn:ietf:params:oauth:token-type:access_token")
        )
    );
    let token = body["access_token"].as_str().unwrap();
    assert!(token.starts_with("hf_jwt_"));

    let whoami = world.get("/api/whoami-v2", Some(token)).json();
    assert_eq!(whoami["name"], "alice");
    assert_eq!(whoami["auth"]["resource"]["sub"], "alice/m");
    assert_eq!(whoami["auth"]["expiresAt"], "2026-01-02T04:04:05.000Z");
    assert_eq!(whoami["auth"]["accessToken"], Value::Null);

    assert_eq!(
        world
            .commit(token, "alice/m", &[("a.txt", b"hello")])
            .status,
        200
    );
    let check = |id: &str, write: &str| {
        world
            .get(&format!("/api/models/{id}/auth-check{write}"), Some(token))
            .status
    };
    assert_eq!(
        (check("alice/m", ""), check("alice/m", "/write")),
        (200, 200)
    );
    assert_eq!(
        (check("alice/other", ""), check("alice/other", "/write")),
        (404, 404)
    );
    assert_eq!(
        world
            .commit(token, "alice/other", &[("a.txt", b"x")])
            .status,
        404
    );
    assert_eq!(world.create(token, "alice/new", true).status, 403);
    assert_eq!(world.create(token, "acme/new", true).status, 403);
    let delete = json!({ "name": "m", "organization": "alice" });
    let deleted = world.ask(
        "DELETE",
        "/api/repos/delete",
        Some(token),
        &[],
        Body::from(delete.to_string()),
    );
    assert_eq!(deleted.status, 403, "{}", deleted.text());
    let settings = json!({ "private": false });
    let changed = world.ask(
        "PUT",
        "/api/models/alice/m/settings",
        Some(token),
        &[],
        Body::from(settings.to_string()),
    );
    assert_eq!(changed.status, 403, "{}", changed.text());
    // Neither is it a token that could be managed.
    let listed = world.admin("GET", "users/alice/tokens", None).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);

    world.pass(3600);
    assert_eq!(site.status(token), 401);
}

#[test]
fn a_user_publisher_reads_what_is_gated_and_nothing_private() {
    let site = Site::new();
    let world = &site.world;
    let bob = world.token("bob", "laptop", "write");
    assert_eq!(world.create(&bob, "bob/gated", false).status, 200);
    assert_eq!(
        world.commit(&bob, "bob/gated", &[("a.txt", b"x")]).status,
        200
    );
    world.admin(
        "PATCH",
        "repositories/model/bob/gated",
        Some(json!({ "gated": "manual" })),
    );
    site.add("alice", None);
    let token = site.publish("j1", "alice");
    assert!(token.starts_with("hf_oauth_"));
    let file = "/bob/gated/resolve/main/a.txt";
    assert_eq!(world.get(file, Some(&token)).status, 403);
    world.admin("PUT", "repositories/model/bob/gated/grants/alice", None);
    assert_eq!(world.get(file, Some(&token)).status, 200);
    assert_eq!(world.get("/api/models/alice/m", Some(&token)).status, 404);
    assert_eq!(
        world.commit(&token, "bob/gated", &[("b.txt", b"x")]).status,
        403
    );
    assert_eq!(world.create(&token, "alice/new", false).status, 403);
    let whoami = world.get("/api/whoami-v2", Some(&token)).json();
    assert_eq!(
        (&whoami["name"], &whoami["auth"]["type"], &whoami["orgs"]),
        (&json!("alice"), &json!("oauth"), &json!([]))
    );
}

#[test]
fn an_id_token_is_refused_with_the_reason() {
    let site = Site::new();
    site.add("alice/m", None);
    let with = |changes: Value| site.refusal(&site.id_token("j1", &changes), "alice/m").1;
    for (changes, expected) in [
        (
            json!({ "aud": "https://huggingface.co" }),
            "another audience",
        ),
        (json!({ "exp": START - 61 }), "expired 61 seconds ago"),
        (
            json!({ "iat": START + 61 }),
            "not valid for another 61 seconds",
        ),
        (json!({ "sub": null }), "no usable `sub`"),
        (
            json!({ "iss": "https://ci.example/" }),
            "no trusted publisher",
        ),
        (
            json!({ "repository": "acme/fork" }),
            "its `repository` is `acme/fork`",
        ),
        (json!({ "repository": null }), "it has no `repository`"),
    ] {
        let description = with(changes);
        assert!(description.contains(expected), "{description}");
    }
    let header = |header: &Value| {
        site.refusal(&site.sign(header, &json!({ "iss": ISSUER })), "alice/m")
            .1
    };
    assert!(header(&json!({ "alg": "none" })).contains("algorithm"));
    assert!(header(&json!({ "alg": "HS256", "kid": "k1" })).contains("algorithm"));
    assert!(header(&json!({ "alg": "EdDSA", "kid": "k2" })).contains("does not publish"));
    assert!(site.refusal("junk", "alice/m").1.contains("cannot be read"));
    let forged = format!("{}x", &site.id_token("j1", &json!({}))[..]);
    assert_eq!(site.refusal(&forged, "alice/m").0, "invalid_grant");
    // A refused one is not used up.
    site.publish("j1", "alice/m");
}

#[test]
fn an_id_token_is_exchanged_once() {
    let site = Site::new();
    site.add("alice/m", None);
    site.add("alice", None);
    let token = site.id_token("j1", &json!({}));
    assert_eq!(site.exchange(&token, "alice/m").status, 200);
    for resource in ["alice/m", "alice"] {
        let (error, description) = site.refusal(&token, resource);
        assert_eq!(error, "invalid_grant");
        assert!(description.contains("only once"), "{description}");
    }
    // Without an identifier, the id token itself is what is used once.
    let unnamed = site.id_token("", &json!({ "jti": null }));
    assert_eq!(site.exchange(&unnamed, "alice/m").status, 200);
    assert!(site.refusal(&unnamed, "alice/m").1.contains("only once"));
    let entries = site
        .world
        .admin("GET", "audit?act=publisher.refuse", None)
        .json();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[2]["repository"], "alice/m");
}

#[test]
fn nobody_learns_what_is_not_theirs() {
    let site = Site::new();
    let token = site.id_token("j1", &json!({}));
    let told = |resource: &str| site.refusal(&token, resource).1.replace(resource, "…");
    let missing = told("alice/none");
    assert_eq!(missing, told("alice/m"));
    assert_eq!(missing, told("datasets/alice/m"));
    assert_eq!(missing, told("nobody"));
    site.add("alice/m", None);
    let foreign = site.id_token("j2", &json!({ "iss": "https://other.example" }));
    assert_eq!(
        missing,
        site.refusal(&foreign, "alice/m").1.replace("alice/m", "…")
    );
}

#[test]
fn requests_are_checked() {
    let site = Site::new();
    site.add("alice/m", None);
    let good = json!({
        "grant_type": GRANT, "subject_token_type": ID_TOKEN, "resource": "alice/m",
        "subject_token": site.id_token("j1", &json!({})),
    });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        let answer = site.send(&body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    for (name, value) in [
        ("subject_token", Value::Null),
        ("subject_token", json!(["a"])),
        ("resource", Value::Null),
        ("resource", json!("kernels/alice/m")),
        ("resource", json!("alice/m/x")),
        ("resource", json!("alice/\u{1b}[31m")),
        (
            "subject_token_type",
            json!("urn:ietf:params:oauth:token-type:jwt"),
        ),
    ] {
        assert_eq!(with(name, value), "invalid_request", "{name}");
    }
    assert_eq!(
        with("grant_type", json!("password")),
        "unsupported_grant_type"
    );
    assert_eq!(
        with("subject_token", json!("a".repeat(17 << 10))),
        "invalid_grant"
    );
    // The same as a form.
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in good.as_object().unwrap() {
        form.append_pair(name, value.as_str().unwrap());
    }
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "127.0.0.1:8080"),
    ];
    let answer = site.world.ask(
        "POST",
        "/oauth/token",
        None,
        &headers,
        Body::from(form.finish()),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn tokens_end_with_the_publisher_the_repository_and_the_right_of_the_user() {
    let site = Site::new();
    let world = &site.world;
    let id = site.add("alice/m", None);
    let first = site.publish("j1", "alice/m");
    assert_eq!(site.status(&first), 200);
    assert_eq!(
        world
            .admin("DELETE", &format!("publishers/{id}"), None)
            .status,
        204
    );
    assert_eq!(site.status(&first), 401);
    assert_eq!(
        world
            .admin("DELETE", &format!("publishers/{id}"), None)
            .status,
        404
    );

    site.add("alice/m", None);
    let second = site.publish("j2", "alice/m");
    assert_eq!(
        world
            .admin("DELETE", "repositories/model/alice/m", None)
            .status,
        204
    );
    assert_eq!(site.status(&second), 401);
    assert_eq!(world.create(&site.alice, "alice/m", true).status, 200);
    site.refusal(&site.id_token("j3", &json!({})), "alice/m");

    assert_eq!(world.create(&site.alice, "acme/m", true).status, 200);
    site.add("acme/m", Some("alice"));
    let third = site.publish("j4", "acme/m");
    assert_eq!(
        world.commit(&third, "acme/m", &[("a.txt", b"x")]).status,
        200
    );
    world.admin(
        "PUT",
        "organizations/acme/members/alice",
        Some(json!({ "role": "read" })),
    );
    assert_eq!(
        world.commit(&third, "acme/m", &[("b.txt", b"x")]).status,
        403
    );
    let (_, description) = site.refusal(&site.id_token("j5", &json!({})), "acme/m");
    assert!(
        description.contains("`alice` may not write"),
        "{description}"
    );
    world.admin("DELETE", "organizations/acme/members/alice", None);
    assert_eq!(world.get("/api/models/acme/m", Some(&third)).status, 404);
}

#[test]
fn a_publisher_acts_in_the_name_of_one_who_may_write() {
    let site = Site::new();
    let claims = json!({ "repository": "acme/train" });
    assert_eq!(site.world.create(&site.alice, "acme/m", true).status, 200);
    for (resource, user, status) in [
        ("acme/m", None, 400),
        ("acme/m", Some("bob"), 400),
        ("acme/m", Some("nobody"), 404),
        ("acme/none", Some("alice"), 404),
        ("alice", Some("bob"), 400),
        ("alice/m", Some("bob"), 400),
        ("acme/m/x", Some("alice"), 400),
        ("acme/m", Some("alice"), 201),
    ] {
        let answer = site.try_add(resource, user, &claims);
        assert_eq!(answer.status, status, "{resource}: {}", answer.text());
    }
    assert_eq!(site.try_add("alice/m", None, &json!({})).status, 400);
    let policy = json!({ "policy": "require-approval" });
    site.world
        .admin("PUT", "organizations/acme/policy", Some(policy));
    let refused = site.try_add("acme/m", Some("alice"), &claims);
    assert!(
        refused.text().contains("administrator"),
        "{}",
        refused.text()
    );
    let (_, description) = site.refusal(&site.id_token("j1", &json!({})), "acme/m");
    assert!(description.contains("administrator"), "{description}");
    let listed = |query: &str| {
        let answer = site.world.admin("GET", &format!("publishers{query}"), None);
        answer.json().as_array().map(Vec::len)
    };
    assert_eq!(
        (
            listed(""),
            listed("?resource=acme/m"),
            listed("?resource=bob")
        ),
        (Some(1), Some(1), Some(0))
    );
    assert_eq!(
        site.world
            .admin("GET", "publishers?resource=acme/none", None)
            .status,
        404
    );
}

#[test]
fn publishers_are_managed_on_a_page() {
    let site = Site::new();
    let world = &site.world;
    assert_eq!(world.create(&site.alice, "acme/m", true).status, 200);
    for user in ["alice", "bob"] {
        let body = json!({ "password": PASSWORD });
        world.admin("PUT", &format!("users/{user}/password"), Some(body));
    }
    let alice = Browser::signed_in(world, "alice");
    let new = "/settings/publishers/new";
    let page = alice.get("/settings/publishers/new?provider=github");
    assert!(
        page.text()
            .contains("https://token.actions.githubusercontent.com")
    );
    assert!(page.text().contains("Write to alice/m") && page.text().contains("Write to acme/m"));
    let fields = [
        ("provider", "github"),
        ("resource", "acme/m"),
        ("issuer", "https://token.actions.githubusercontent.com"),
        ("claim.repository", "acme/train"),
        ("more", "runner_environment=github-hosted\n"),
    ];
    let added = alice.submit(new, new, &fields);
    assert_eq!(
        (added.status, added.header("location")),
        (303, "/settings/publishers")
    );
    let list = alice.get("/settings/publishers").text();
    assert!(list.contains("GitHub Actions") && list.contains("runner_environment=github-hosted"));
    for (name, value, expected) in [
        ("claim.repository", "", "whose job it is"),
        ("issuer", "http://ci.example", "https://"),
        ("more", "nonsense", "one claim a line"),
        ("more", "repository=again", "given twice"),
        ("keys", "{}", "JWK set"),
        ("resource", "bob", "Choose one of these"),
    ] {
        let mut changed: Vec<(&str, &str)> = fields.to_vec();
        changed.retain(|(field, _)| *field != name);
        changed.push((name, value));
        let refused = alice.submit(new, new, &changed);
        assert_eq!(refused.status, 422, "{name}");
        assert!(
            refused.text().contains(expected),
            "{name}: {}",
            refused.text()
        );
    }
    let listed = world.admin("GET", "publishers", None).json();
    let delete = format!(
        "/settings/publishers/{}/delete",
        listed[0]["id"].as_str().unwrap()
    );
    assert!(alice.get(&delete).text().contains("acme/m"));
    // Another member who may only read sees and removes nothing.
    let bob = Browser::signed_in(world, "bob");
    assert!(!bob.get("/settings/publishers").text().contains("acme/m"));
    assert_eq!(bob.get(&delete).status, 404);
    let list = "/settings/publishers";
    assert_eq!(bob.submit(list, &delete, &[]).status, 404);
    assert_eq!(alice.submit(list, &delete, &[]).status, 303);
    assert_eq!(world.admin("GET", "publishers", None).json(), json!([]));
}
