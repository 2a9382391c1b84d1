//! Logins of programs: device codes, refresh tokens, and what their access tokens may do.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::support::world::{Answer, ENDPOINT, START, World};

const CLIENT: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const MONTH: i64 = 30 * 24 * 60 * 60;

/// Sends a form to the issuer.
fn form(world: &World, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    world.ask("POST", path, None, &headers, Body::from(form.finish()))
}

fn device(world: &World, scope: Option<&str>) -> (String, String) {
    let mut fields = vec![("client_id", CLIENT)];
    fields.extend(scope.map(|scope| ("scope", scope)));
    let answer = form(world, "/oauth/device", &fields);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

fn poll(world: &World, code: &str) -> Answer {
    let fields = [
        ("grant_type", DEVICE_GRANT),
        ("device_code", code),
        ("client_id", CLIENT),
    ];
    form(world, "/oauth/token", &fields)
}

fn refresh(world: &World, token: &str) -> Answer {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", CLIENT),
    ];
    form(world, "/oauth/token", &fields)
}

fn approve(world: &World, user_code: &str, user: &str) -> Answer {
    let body = json!({ "userCode": user_code, "user": user });
    world.admin("POST", "logins/approve", Some(body))
}

/// The access and the refresh token of an answer.
fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn login(world: &World, user: &str, scope: Option<&str>) -> (String, String) {
    let (code, user_code) = device(world, scope);
    assert_eq!(approve(world, &user_code, user).status, 200);
    tokens(&poll(world, &code))
}

/// The error code of an answer with status 400.
fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-error-message"), "");
    let body = answer.json();
    assert!(!body["error_description"].as_str().unwrap().is_empty());
    body["error"].as_str().unwrap().to_owned()
}

fn whoami(world: &World, token: &str) -> Answer {
    world.get("/api/whoami-v2", Some(token))
}

/// The actions of the audit log that concern logins, oldest first.
fn audited(world: &World) -> Vec<String> {
    let answer = world.admin("GET", "audit?act=oauth", None);
    let entries = answer.json()["entries"].as_array().unwrap().clone();
    let act = |entry: &Value| entry["act"].as_str().unwrap().to_owned();
    entries.iter().rev().map(act).collect()
}

#[test]
fn a_login_by_device_code_from_the_question_to_whoami() {
    let world = World::populated();
    let answer = form(&world, "/oauth/device", &[("client_id", CLIENT)]);
    let body = answer.json();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["device_code", "expires_in", "user_code", "verification_uri"]
    );
    assert_eq!(body["verification_uri"], format!("{ENDPOINT}/oauth/device"));
    assert_eq!(
        (answer.header("cache-control"), &body["expires_in"]),
        ("no-store", &json!(900))
    );
    let code = body["device_code"].as_str().unwrap();
    assert_eq!(refused(&poll(&world, code)), "authorization_pending");
    assert_eq!(refused(&poll(&world, code)), "slow_down");
    world.pass(5);
    assert_eq!(refused(&poll(&world, code)), "authorization_pending");
    let user_code = body["user_code"].as_str().unwrap().to_ascii_lowercase();
    let approved = approve(&world, &user_code, "alice");
    assert_eq!(approved.json()["clientId"], CLIENT);
    let answer = poll(&world, code);
    let (access, refresh) = tokens(&answer);
    let body = answer.json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("bearer"), &json!(MONTH))
    );
    assert!(
        body["scope"]
            .as_str()
            .unwrap()
            .starts_with("openid profile email")
    );
    assert!(refresh.starts_with("hf_oauth__refresh_") && refresh.len() == 18 + 34);
    let mut parts = access.strip_prefix("hf_oauth_").unwrap().split('.');
    let mut part = || -> Value {
        let part = URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap();
        serde_json::from_slice(&part).unwrap()
    };
    let (header, claims) = (part(), part());
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(
        header["kid"],
        world.get("/oauth/jwks", None).json()["keys"][0]["kid"]
    );
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(ENDPOINT), &json!(ENDPOINT))
    );
    assert_eq!(
        (&claims["iat"], &claims["exp"]),
        (&json!(START + 5), &json!(START + 5 + MONTH))
    );
    assert_eq!(claims["oauthApp"], CLIENT);
    let known = whoami(&world, &access).json();
    assert_eq!(
        (&known["name"], &known["id"]),
        (&json!("alice"), &claims["sub"])
    );
    assert_eq!(known["auth"]["type"], "oauth");
    assert_eq!(known["auth"]["expiresAt"], "2026-02-01T03:04:10.000Z");
    assert_eq!(known["auth"]["accessToken"], Value::Null);
    assert_eq!(known["email"], "alice@example.invalid");
    for method in ["GET", "POST"] {
        let info = world.ask(method, "/oauth/userinfo", Some(&access), &[], Body::empty());
        assert_eq!(info.json()["preferred_username"], "alice");
    }
    assert_eq!(whoami(&world, &refresh).status, 401);
    assert_eq!(audited(&world), ["oauth.approve", "oauth.issue"]);
}

#[test]
fn what_the_issuer_is_asked_wrongly() {
    let world = World::populated();
    let ask = |path: &str, fields: &[(&str, &str)]| refused(&form(&world, path, fields));
    let known = ("client_id", CLIENT);
    assert_eq!(ask("/oauth/device", &[]), "invalid_request");
    assert_eq!(
        ask("/oauth/device", &[("client_id", "someone")]),
        "invalid_client"
    );
    assert_eq!(
        ask("/oauth/device", &[known, ("scope", "everything")]),
        "invalid_scope"
    );
    assert_eq!(ask("/oauth/device", &[known, known]), "invalid_request");
    let grant = |name| ("grant_type", name);
    assert_eq!(ask("/oauth/token", &[known]), "invalid_request");
    for other in ["password", "authorization_code", "\u{e9}"] {
        assert_eq!(
            ask("/oauth/token", &[grant(other), known]),
            "unsupported_grant_type"
        );
    }
    assert_eq!(
        ask("/oauth/token", &[grant(DEVICE_GRANT), known]),
        "invalid_request"
    );
    assert_eq!(
        ask("/oauth/token", &[grant("refresh_token"), known]),
        "invalid_request"
    );
    let code = ("device_code", "c0ffee");
    assert_eq!(
        ask("/oauth/token", &[grant(DEVICE_GRANT), code]),
        "invalid_request"
    );
    let other = ("client_id", "someone");
    assert_eq!(
        ask("/oauth/token", &[grant(DEVICE_GRANT), code, other]),
        "invalid_client"
    );
    for text in ["c0ffee", "\0", "\u{1f600}", &"a".repeat(10_000)] {
        assert_eq!(refused(&poll(&world, text)), "invalid_grant");
        assert_eq!(refused(&refresh(&world, text)), "invalid_grant");
    }
    for (content_type, body) in [
        ("application/json", "[]"),
        ("application/json", "{\"client_id\":1}"),
        ("text/plain", "client_id=a"),
        ("application/json", &"x".repeat(70_000)),
    ] {
        let headers = [("content-type", content_type)];
        for path in ["/oauth/device", "/oauth/token"] {
            let answer = world.ask("POST", path, None, &headers, Body::from(body.to_owned()));
            assert_eq!(refused(&answer), "invalid_request");
        }
    }
    let basic = [("authorization", "Basic YTpi")];
    let answer = world.ask("POST", "/oauth/token", None, &basic, Body::empty());
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &json!("invalid_client"))
    );
    assert_eq!(world.get("/oauth/token", None).status, 405);
}

#[test]
fn json_is_as_good_as_a_form() {
    let world = World::populated();
    let body = json!({ "client_id": CLIENT, "scope": "openid read-repos" });
    let answer = world.post("/oauth/device", None, &body).json();
    let (code, user_code) = (
        &answer["device_code"],
        answer["user_code"].as_str().unwrap(),
    );
    approve(&world, user_code, "alice");
    let body = json!({ "grant_type": DEVICE_GRANT, "device_code": code, "client_id": CLIENT });
    let answer = world.post("/oauth/token", None, &body);
    assert_eq!(answer.json()["scope"], "openid read-repos");
    let (_, token) = tokens(&answer);
    let body =
        json!({ "grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT });
    tokens(&world.post("/oauth/token", None, &body));
}

#[test]
fn a_code_is_denied_expires_and_is_used_once() {
    let world = World::populated();
    let (code, user_code) = device(&world, None);
    let body = json!({ "userCode": user_code });
    assert_eq!(
        world
            .admin("POST", "logins/deny", Some(body.clone()))
            .status,
        200
    );
    assert_eq!(refused(&poll(&world, &code)), "access_denied");
    assert_eq!(world.admin("POST", "logins/deny", Some(body)).status, 404);
    assert_eq!(approve(&world, &user_code, "alice").status, 404);

    let (code, user_code) = device(&world, None);
    world.pass(900);
    assert_eq!(approve(&world, &user_code, "alice").status, 404);
    assert_eq!(refused(&poll(&world, &code)), "expired_token");
    // What was approved in time must be fetched in time as well.
    let (code, user_code) = device(&world, None);
    assert_eq!(approve(&world, &user_code, "alice").status, 200);
    world.pass(900);
    assert_eq!(refused(&poll(&world, &code)), "expired_token");
    world.pass(-900);
    tokens(&poll(&world, &code));

    let before = audited(&world).len();
    for wrong in ["", "BCDFGHJK", "BCDF-GHJK-LMNP", "\0"] {
        assert_eq!(approve(&world, wrong, "alice").status, 404, "{wrong:?}");
    }
    assert_eq!(audited(&world)[before..], ["oauth.refuse"; 4]);
    let (_, user_code) = device(&world, None);
    assert_eq!(approve(&world, &user_code, "nobody").status, 404);
}

#[test]
fn an_answer_that_was_lost_is_repeated_for_a_while() {
    let world = World::populated();
    let (code, user_code) = device(&world, None);
    approve(&world, &user_code, "alice");
    let first = tokens(&poll(&world, &code));
    world.pass(59);
    assert_eq!(tokens(&poll(&world, &code)), first);
    world.pass(1);
    assert_eq!(audited(&world).last().unwrap(), "oauth.issue");
    assert_eq!(refused(&poll(&world, &code)), "invalid_grant");
    assert_eq!(audited(&world).last().unwrap(), "oauth.refuse");
    assert_eq!(whoami(&world, &first.0).status, 200);

    let (code, user_code) = device(&world, None);
    approve(&world, &user_code, "alice");
    let first = tokens(&poll(&world, &code));
    tokens(&refresh(&world, &first.1));
    assert_eq!(refused(&poll(&world, &code)), "invalid_grant");
}

#[test]
fn a_refresh_token_is_replaced_and_the_answer_repeated() {
    let world = World::populated();
    let (access, first) = login(&world, "alice", None);
    world.pass(60);
    let second = tokens(&refresh(&world, &first));
    assert!(second.0 != access && second.1 != first);
    // Lost answers give the same again, until the successor is used.
    world.pass(59);
    assert_eq!(tokens(&refresh(&world, &first)), second);
    // Earlier access tokens last until their own end.
    assert_eq!(whoami(&world, &access).status, 200);
    let third = tokens(&refresh(&world, &second.1));
    assert_eq!(audited(&world)[2..], ["oauth.refresh", "oauth.refresh"]);
    // The first one is used again although its successor was: somebody has a copy.
    assert_eq!(refused(&refresh(&world, &first)), "invalid_grant");
    for dead in [&access, &second.0, &third.0] {
        assert_eq!(whoami(&world, dead).status, 401);
    }
    assert_eq!(refused(&refresh(&world, &third.1)), "invalid_grant");
    assert_eq!(audited(&world).last().unwrap(), "oauth.replay");
    let logins = world.admin("GET", "users/alice/logins", None);
    assert_eq!(logins.json(), json!([]));
}

#[test]
fn two_renewals_within_a_second_give_two_tokens() {
    let world = World::populated();
    let (access, first) = login(&world, "alice", None);
    let second = tokens(&refresh(&world, &first));
    let third = tokens(&refresh(&world, &second.1));
    assert!(access != second.0 && second.0 != third.0);
}

#[test]
fn a_replay_after_a_minute_ends_the_login_and_a_clock_set_back_does_not() {
    let world = World::populated();
    let (_, first) = login(&world, "alice", None);
    let second = tokens(&refresh(&world, &first));
    world.pass(-3600);
    assert_eq!(tokens(&refresh(&world, &first)).1, second.1);
    world.pass(3600 + 59);
    assert_eq!(tokens(&refresh(&world, &first)), second);
    world.pass(1);
    assert_eq!(refused(&refresh(&world, &first)), "invalid_grant");
    assert_eq!(whoami(&world, &second.0).status, 401);
}

#[test]
fn tokens_end_with_time_and_a_wrong_clock_ends_nothing_for_good() {
    let world = World::populated();
    let (access, token) = login(&world, "alice", None);
    world.pass(MONTH - 1);
    assert_eq!(whoami(&world, &access).status, 200);
    world.pass(1);
    assert_eq!(whoami(&world, &access).status, 401);
    world.pass(2 * MONTH);
    assert_eq!(refused(&refresh(&world, &token)), "invalid_grant");
    // Another login sweeps what ended long ago, which this one did not.
    login(&world, "bob", None);
    world.pass(-3 * MONTH);
    assert_eq!(whoami(&world, &access).status, 200);
    let (fresh, _) = tokens(&refresh(&world, &token));
    assert_eq!(whoami(&world, &fresh).status, 200);
}

#[test]
fn logins_survive_a_restart_at_any_moment() {
    let mut world = World::populated();
    let restart = |world: World| World::found(world.into_folder(), START);
    let (code, user_code) = device(&world, None);
    world = restart(world);
    assert_eq!(approve(&world, &user_code, "alice").status, 200);
    world = restart(world);
    let first = tokens(&poll(&world, &code));
    world = restart(world);
    assert_eq!(tokens(&poll(&world, &code)), first);
    let second = tokens(&refresh(&world, &first.1));
    world = restart(world);
    assert_eq!(tokens(&refresh(&world, &first.1)), second);
    tokens(&refresh(&world, &second.1));
}

#[test]
fn fifty_at_once_get_the_same_successor() {
    let world = World::populated();
    let (_, first) = login(&world, "alice", None);
    let mut answers: Vec<(String, String)> = std::thread::scope(|scope| {
        let ask = || tokens(&refresh(&world, &first));
        let asking: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        asking
            .into_iter()
            .map(|each| each.join().unwrap())
            .collect()
    });
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(whoami(&world, &answers[0].0).status, 200);
    let refreshed = audited(&world)
        .into_iter()
        .filter(|act| act == "oauth.refresh");
    assert_eq!(refreshed.count(), 1);
}

#[test]
fn a_login_is_dead_at_once_when_it_is_ended_or_revoked() {
    let world = World::populated();
    let (access, token) = login(&world, "alice", None);
    assert_eq!(whoami(&world, &access).status, 200);
    let logins = world.admin("GET", "users/alice/logins", None).json();
    let id = logins[0]["id"].as_str().unwrap();
    assert_eq!(logins[0]["clientId"], CLIENT);
    // Another user's login cannot be named.
    let path = format!("users/bob/logins/{id}");
    assert_eq!(world.admin("DELETE", &path, None).status, 404);
    let path = format!("users/alice/logins/{id}");
    assert_eq!(world.admin("DELETE", &path, None).status, 204);
    assert_eq!(whoami(&world, &access).status, 401);
    assert_eq!(refused(&refresh(&world, &token)), "invalid_grant");
    assert_eq!(audited(&world).last().unwrap(), "oauth.end");

    let (access, token) = login(&world, "alice", None);
    let revoke = |value: &str| {
        let body = json!({ "credentials": [value] });
        world.post("/api/credentials/revoke", None, &body).status
    };
    assert_eq!(revoke(&access), 400);
    assert_eq!(whoami(&world, &access).status, 200);
    assert_eq!(revoke(&token), 202);
    assert_eq!(whoami(&world, &access).status, 401);
    // A login is not one of the tokens that a user manages.
    login(&world, "alice", None);
    assert_eq!(
        world.admin("GET", "users/alice/tokens", None).json(),
        json!([])
    );
}

#[test]
fn scopes_limit_what_a_login_may_do() {
    let world = World::populated();
    let (all, _) = login(&world, "alice", None);
    for id in ["alice/own", "acme/theirs"] {
        assert_eq!(world.create(&all, id, true).status, 200);
        assert_eq!(world.commit(&all, id, &[("a", b"1")]).status, 200);
    }
    let check = |token: &str, id: &str, write: &str| {
        let path = format!("/api/models/{id}/auth-check{write}");
        world.get(&path, Some(token)).status
    };
    let settings = |token: &str| {
        let body = json!({ "private": true });
        let path = "/api/models/alice/own/settings";
        world
            .ask("PUT", path, Some(token), &[], Body::from(body.to_string()))
            .status
    };
    for (scope, read, write, manage) in [
        ("openid profile", 404, 404, 404),
        ("read-repos", 200, 403, 403),
        ("write-repos", 200, 200, 403),
        ("manage-repos", 200, 200, 200),
        ("inference-api jobs", 404, 404, 404),
    ] {
        let (token, _) = login(&world, "alice", Some(scope));
        assert_eq!(check(&token, "alice/own", ""), read, "{scope}");
        assert_eq!(check(&token, "alice/own", "/write"), write, "{scope}");
        assert_eq!(settings(&token), manage, "{scope}");
        // Scopes are about the user's own repositories.
        assert_eq!(check(&token, "acme/theirs", ""), 404, "{scope}");
        let created = world.create(&token, "alice/new", true).status;
        assert_eq!(created == 200, scope == "manage-repos", "{scope}");
        assert_eq!(
            world.create(&token, "acme/new", true).status,
            403,
            "{scope}"
        );
    }
    let (token, _) = login(&world, "alice", Some("openid"));
    let body = whoami(&world, &token).json();
    assert_eq!((&body["email"], &body["orgs"]), (&Value::Null, &json!([])));
    let (token, _) = login(&world, "alice", Some("email read-memberships"));
    let body = whoami(&world, &token).json();
    assert_eq!(body["email"], "alice@example.invalid");
    assert_eq!(body["orgs"][0]["name"], "acme");
}

#[test]
fn gated_repositories_need_their_scope() {
    let world = World::populated();
    let owner = world.token("alice", "w", "write");
    world.create(&owner, "alice/gated", false);
    world.commit(&owner, "alice/gated", &[("a", b"1")]);
    let change = json!({ "gated": "manual" });
    world.admin("PATCH", "repositories/model/alice/gated", Some(change));
    world.admin("PUT", "repositories/model/alice/gated/grants/bob", None);
    for (scope, status) in [
        (None, 200),
        (Some("gated-repos"), 200),
        (Some("read-repos"), 403),
    ] {
        let (token, _) = login(&world, "bob", scope);
        let answer = world.get("/api/models/alice/gated/auth-check", Some(&token));
        assert_eq!(answer.status, status, "{scope:?}");
    }
}

#[test]
fn an_organizations_policy_applies_to_logins() {
    let world = World::populated();
    let owner = world.token("alice", "w", "write");
    world.create(&owner, "acme/m", true);
    let policy = |policy: &str| {
        let body = json!({ "policy": policy });
        world.admin("PUT", "organizations/acme/policy", Some(body))
    };
    let (access, token) = login(&world, "alice", None);
    let read = |token: &str| world.get("/api/models/acme/m", Some(token)).status;
    assert_eq!(read(&access), 200);
    policy("fine-grained-only");
    assert_eq!(read(&access), 403);
    policy("require-approval");
    assert_eq!(read(&access), 403);
    // It can do as much as a `write` token, so there is nothing to approve.
    let approvals = world.admin("GET", "organizations/acme/approvals", None);
    assert_eq!(approvals.json(), json!([]));
    policy("allow-all");
    assert_eq!(read(&access), 200);

    let administrator = json!({ "role": "admin" });
    let path = "organizations/acme/members/bob";
    assert_eq!(world.admin("PUT", path, Some(administrator)).status, 204);
    let revoke = "/api/organizations/acme/settings/tokens/revoke";
    let bob = world.token("bob", "w", "write");
    let revoked = world.post(revoke, Some(&bob), &json!({ "token": access }));
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(read(&access), 403);
    // The decision is about the login, whatever its current token is.
    let (fresh, _) = tokens(&refresh(&world, &token));
    assert_eq!(read(&fresh), 403);
    assert_eq!(whoami(&world, &fresh).status, 200);
}

#[test]
fn the_issuer_publishes_its_addresses_and_keys() {
    let world = World::populated();
    let configuration = world.get("/.well-known/openid-configuration", None).json();
    assert_eq!(configuration["issuer"], ENDPOINT);
    for name in [
        "token_endpoint",
        "device_authorization_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
    ] {
        let address = configuration[name].as_str().unwrap();
        let path = address.strip_prefix(ENDPOINT).unwrap();
        assert_ne!(world.get(path, None).status, 404, "{name}");
    }
    let keys = world.get("/oauth/jwks", None).json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert_eq!(keys["keys"][0]["d"], Value::Null);
}

#[test]
fn the_address_for_the_code_leads_to_the_page() {
    let world = World::populated();
    for (query, page) in [
        ("", "/login/device"),
        ("?user_code=bcdf-ghjk", "/login/device?user_code=BCDFGHJK"),
        ("?user_code=%0d%0aX-Evil:%201", "/login/device"),
        ("?user_code=//evil.example", "/login/device"),
    ] {
        let answer = world.get(&format!("/oauth/device{query}"), None);
        assert_eq!((answer.status, answer.header("location")), (303, page));
    }
}

#[test]
fn no_value_is_in_the_data_folder() {
    let world = World::populated();
    let (code, user_code) = device(&world, None);
    approve(&world, &user_code, "alice");
    let (access, token) = tokens(&poll(&world, &code));
    let (fresh, next) = tokens(&refresh(&world, &token));
    let letters = user_code.replace('-', "");
    let folder = world.into_folder();
    let mut content = Vec::new();
    for name in ["hub.sqlite3", "hub.sqlite3-wal", "oauth-keys"] {
        content.extend(std::fs::read(folder.path().join(name)).unwrap_or_default());
    }
    for secret in [&code, &user_code, &letters, &access, &token, &fresh, &next] {
        let secret = secret.as_bytes();
        assert!(!content.windows(secret.len()).any(|part| part == secret));
    }
}
