//! Service accounts over HTTP: the contract's bodies, who may use them, and their tokens at work.

use axum::body::Body;
use serde_json::{Value, json};

use super::support::world::{Answer, World};

const WHOAMI: &str = "/api/whoami-v2";
const ACCOUNTS: &str = "/api/organizations/acme/service-accounts";
const NOT_PERMITTED: &str =
    "You don't have the rights to manage the service accounts of the organization \"acme\"";

/// A world in which `root` administers acme, with the private models `acme/m` and `acme/n` and the
/// private `carol/p`. Returns root's write token.
fn world() -> (World, String) {
    let world = World::populated();
    for user in ["root", "carol"] {
        world.admin("POST", "users", Some(json!({ "name": user })));
    }
    let admin = json!({ "role": "admin" });
    world.admin("PUT", "organizations/acme/members/root", Some(admin));
    let root = world.token("root", "setup", "write");
    let carol = world.token("carol", "setup", "write");
    for (token, name) in [(&root, "acme/m"), (&root, "acme/n"), (&carol, "carol/p")] {
        assert_eq!(world.create(token, name, true).status, 200);
        assert_eq!(world.commit(token, name, &[("a.txt", b"a")]).status, 200);
    }
    (world, root)
}

fn send(world: &World, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    world.ask(method, path, Some(token), &[], body)
}

fn account(world: &World, root: &str) -> String {
    let answer = world.post(ACCOUNTS, Some(root), &json!({ "name": "Nightly build" }));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["_id"].as_str().unwrap().to_owned();
    format!("{ACCOUNTS}/{id}")
}

/// Creates a token; returns its path and its value.
fn token(world: &World, root: &str, account: &str, body: &Value) -> (String, String) {
    let answer = world.post(&format!("{account}/tokens"), Some(root), body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = answer.json();
    let id = answer["tokenInfo"]["_id"].as_str().unwrap();
    let value = answer["token"].as_str().unwrap().to_owned();
    (format!("{account}/tokens/{id}"), value)
}

fn repository_id(world: &World, root: &str, name: &str) -> Value {
    world.get(&format!("/api/models/{name}"), Some(root)).json()["_id"].clone()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn bodies_are_those_of_the_contract() {
    let (world, root) = world();
    let new = json!({ "name": "Nightly build", "description": "what runs at night" });
    let made = world.post(ACCOUNTS, Some(&root), &new);
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(
        keys(&made),
        ["_id", "createdAt", "description", "fullname", "user"]
    );
    let id = made["_id"].as_str().unwrap();
    let path = format!("{ACCOUNTS}/{id}");
    let listed = world.get(ACCOUNTS, Some(&root)).json();
    let expected = json!([{
        "_id": id,
        "user": made["user"],
        "name": "Nightly build",
        "email": format!("{}@users.noreply.localhost", made["user"].as_str().unwrap()),
        "description": "what runs at night",
        "createdAt": "2026-01-02T03:04:05.000Z",
    }]);
    assert_eq!(listed, expected);

    let created = world.post(&format!("{path}/tokens"), Some(&root), &json!({}));
    assert_eq!(
        (created.status, created.header("cache-control")),
        (201, "no-store")
    );
    assert_eq!(created.header("etag"), "");
    let created = created.json();
    let value = created["token"].as_str().unwrap();
    assert_eq!(value.strip_prefix("hf_app_").map(str::len), Some(32));
    let info = &created["tokenInfo"];
    assert_eq!(
        keys(info),
        [
            "_id",
            "createdAt",
            "displayName",
            "endpointPatterns",
            "permissions",
            "repoIds",
            "repoPermissions",
            "skipNetworkSecurity",
        ]
    );
    assert_eq!(info["displayName"], "API Token");
    assert_eq!(info["permissions"], json!([]));
    let token = format!("{path}/tokens/{}", info["_id"].as_str().unwrap());

    let repository = repository_id(&world, &root, "acme/m");
    let change = json!({
        "displayName": "deploy",
        "permissions": ["repo.content.read"],
        "repoIds": [repository],
        "repoPermissions": ["repo.write"],
        "endpointPatterns": ["gpt2-*"],
        "skipNetworkSecurity": true,
    });
    let changed = send(&world, "PATCH", &token, &root, Some(&change));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let mut expected = change.clone();
    expected["_id"] = info["_id"].clone();
    assert_eq!(changed.json(), expected);

    let rotated = send(&world, "POST", &format!("{token}/rotate"), &root, None);
    assert_eq!(
        (rotated.status, rotated.header("cache-control")),
        (200, "no-store")
    );
    let rotated = rotated.json();
    let next = rotated["token"].as_str().unwrap();
    assert_ne!(next, value);
    let last4 = &next[next.len() - 4..];
    let expected = json!({
        "_id": info["_id"],
        "displayName": "deploy",
        "createdAt": "2026-01-02T03:04:05.000Z",
        "last4": last4,
    });
    assert_eq!(rotated["tokenInfo"], expected);

    let shown = world.get(&path, Some(&root));
    assert!(!shown.text().contains("hf_app_"));
    let shown = shown.json();
    let tokens = shown["accessTokens"].as_array().unwrap();
    let mut expected = change;
    expected["_id"] = info["_id"].clone();
    expected["createdAt"] = json!("2026-01-02T03:04:05.000Z");
    expected["role"] = json!("fineGrained");
    expected["last4"] = json!(last4);
    assert_eq!(*tokens, [expected]);

    for path in [&token, &path] {
        let deleted = send(&world, "DELETE", path, &root, None);
        assert_eq!((deleted.status, deleted.text().as_str()), (204, ""));
        assert_eq!(send(&world, "DELETE", path, &root, None).status, 404);
    }
    assert_eq!(world.get(ACCOUNTS, Some(&root)).json(), json!([]));
}

#[test]
fn administrators_alone_manage_accounts() {
    let (world, root) = world();
    let account = account(&world, &root);
    let (token, _) = token(&world, &root, &account, &json!({}));
    let fine = |user: &str, permission: &str| world.fine(user, &[("acme", permission)]);
    let unknown = format!("{ACCOUNTS}/{}", "0".repeat(24));
    let missing = (404, "", "This organization does not exist");
    let refused = (403, "", NOT_PERMITTED);
    let nobody = world.token("carol", "w", "write");
    for (token_of_caller, reads, writes) in [
        (fine("root", "org.serviceAccounts.write"), None, None),
        (world.token("root", "r", "read"), None, Some(refused)),
        (
            fine("root", "org.serviceAccounts.read"),
            None,
            Some(refused),
        ),
        (fine("root", "org.write"), Some(refused), Some(refused)),
        (
            world.token("alice", "w", "write"),
            Some(refused),
            Some(refused),
        ),
        (
            fine("alice", "org.serviceAccounts.write"),
            Some(refused),
            Some(refused),
        ),
        (
            world.token("bob", "w", "write"),
            Some(refused),
            Some(refused),
        ),
        (nobody.clone(), Some(missing), Some(missing)),
    ] {
        let caller = token_of_caller.as_str();
        let change = json!({ "displayName": "x" });
        for (method, path, body, expected) in [
            ("GET", ACCOUNTS, None, reads),
            ("GET", &account, None, reads),
            ("PATCH", &token, Some(&change), writes),
        ] {
            let answer = send(&world, method, path, caller, body);
            match expected {
                None => assert_eq!(answer.status, 200, "{method} {path}: {answer:?}"),
                Some(expected) => assert_eq!(answer.verdict(), expected, "{method} {path}"),
            }
        }
        // An account that does not exist is known to nobody who may not read it.
        let answer = send(&world, "GET", &unknown, caller, None);
        match reads {
            None => assert_eq!(answer.status, 404),
            Some(expected) => assert_eq!(answer.verdict(), expected),
        }
        if let Some(expected) = writes {
            let new = json!({ "name": "x" });
            for (method, path, body) in [
                ("POST", ACCOUNTS.to_owned(), Some(&new)),
                ("POST", format!("{account}/tokens"), None),
                ("POST", format!("{token}/rotate"), None),
                ("DELETE", token.clone(), None),
                ("DELETE", account.clone(), None),
            ] {
                let answer = send(&world, method, &path, caller, body);
                assert_eq!(answer.verdict(), expected, "{method} {path}");
            }
        }
    }
    // An organization that does not exist is answered alike.
    let other = ACCOUNTS.replace("acme", "nothing");
    assert_eq!(world.get(&other, Some(&nobody)).verdict(), missing);
    assert_eq!(world.get(ACCOUNTS, None).status, 401);
}

#[test]
fn the_token_policy_counts_for_those_who_manage() {
    let (world, root) = world();
    let admin = json!({ "role": "admin" });
    world.admin("PUT", "organizations/acme/members/alice", Some(admin));
    let account = account(&world, &root);
    let (_, value) = token(
        &world,
        &root,
        &account,
        &json!({ "permissions": ["repo.write"] }),
    );
    let alice = world.token("alice", "w", "write");
    assert_eq!(world.get(ACCOUNTS, Some(&alice)).status, 200);
    let revoked = format!(
        "/api/organizations/acme/settings/tokens/{}/revoke",
        world.admin("GET", "users/alice/tokens", None).json()[0]["id"]
            .as_str()
            .unwrap()
    );
    assert_eq!(send(&world, "POST", &revoked, &root, None).status, 200);
    let answer = world.get(ACCOUNTS, Some(&alice));
    assert_eq!(answer.status, 403);
    assert!(
        answer.text().contains("revoked by the organization"),
        "{answer:?}"
    );
    // A policy is about the members' tokens.
    let policy = json!({ "policy": "require-approval" });
    world.admin("PUT", "organizations/acme/policy", Some(policy));
    assert_eq!(
        world.commit(&value, "acme/m", &[("b.txt", b"b")]).status,
        200
    );
}

#[test]
fn whoami_says_what_the_token_may_do() {
    let (world, root) = world();
    let account = account(&world, &root);
    let repository = repository_id(&world, &root, "acme/m");
    let grants = json!({
        "permissions": ["repo.content.read", "inference.serverless.write"],
        "repoIds": [repository],
        "repoPermissions": ["repo.write"],
    });
    let (path, value) = token(&world, &root, &account, &grants);
    let answer = world.get(WHOAMI, Some(&value)).json();
    let user = answer["name"].as_str().unwrap();
    assert!(user.starts_with("acme--nightly-build-"), "{user}");
    assert_eq!(
        (&answer["type"], &answer["fullname"], &answer["auth"]),
        (
            &json!("app"),
            &json!("Nightly build"),
            &json!({ "type": "app_token" })
        )
    );
    let acme = json!({ "type": "org", "name": "acme" });
    let model = json!({ "type": "model", "name": "acme/m" });
    assert_eq!(
        answer["scope"],
        json!({ "role": "write", "entities": [acme, model] })
    );
    assert_eq!(answer["orgs"][0]["name"], "acme");
    assert_eq!(answer["orgs"][0].get("roleInOrg"), None);
    assert_eq!(answer.get("email"), None);
    assert_eq!(world.get("/oauth/userinfo", Some(&value)).status, 403);

    // It is used, and then known to be: the use is written beside the request.
    let last_used_at = || {
        let shown = world.get(&account, Some(&root)).json();
        shown["accessTokens"][0]["lastUsedAt"].clone()
    };
    while last_used_at().is_null() {
        std::thread::yield_now();
    }
    assert_eq!(last_used_at(), "2026-01-02T03:04:05.000Z");
    let change = json!({ "repoIds": [] });
    assert_eq!(
        send(&world, "PATCH", &path, &root, Some(&change)).status,
        200
    );
    let answer = world.get(WHOAMI, Some(&value)).json();
    assert_eq!(
        answer["scope"],
        json!({ "role": "read", "entities": [acme] })
    );
}

#[test]
fn a_token_works_in_its_organization_and_nowhere_else() {
    let (world, root) = world();
    let account = account(&world, &root);
    let repository = repository_id(&world, &root, "acme/m");
    let grants = json!({
        "permissions": ["repo.content.read"],
        "repoIds": [repository],
        "repoPermissions": ["repo.write"],
    });
    let (path, value) = token(&world, &root, &account, &grants);
    let file = |name: &str| {
        let path = format!("/{name}/resolve/main/a.txt");
        world.get(&path, Some(&value)).status
    };
    assert_eq!(
        [file("acme/m"), file("acme/n"), file("carol/p")],
        [200, 200, 404]
    );
    let written = |name: &str| world.commit(&value, name, &[("b.txt", b"b")]).status;
    assert_eq!([written("acme/m"), written("acme/n")], [200, 403]);
    assert_eq!(written("carol/p"), 404);
    let check = |name: &str, end: &str| {
        let path = format!("/api/models/{name}/auth-check{end}");
        world.get(&path, Some(&value)).status
    };
    assert_eq!(
        [check("acme/m", "/write"), check("acme/n", "/write")],
        [200, 403]
    );
    assert_eq!([check("acme/n", ""), check("carol/p", "")], [200, 404]);
    assert_eq!(world.create(&value, "acme/new", true).status, 403);

    // The commit's author is the account.
    let log = world
        .get("/api/models/acme/m/commits/main", Some(&root))
        .text();
    assert!(log.contains("acme--nightly-build-"), "{log}");

    let writes = json!({ "permissions": ["repo.write", "org.write"] });
    assert_eq!(
        send(&world, "PATCH", &path, &root, Some(&writes)).status,
        200
    );
    // A name without a namespace is the organization's.
    let body = json!({ "name": "bare" });
    let made = world.post("/api/repos/create", Some(&value), &body);
    assert_eq!(made.json()["name"], "acme/bare", "{made:?}");
    let body = json!({ "name": "bare", "organization": "acme" });
    let deleted = send(&world, "DELETE", "/api/repos/delete", &value, Some(&body));
    assert_eq!(deleted.status, 200);
    for owner in ["carol", "root", "nothing"] {
        assert_eq!(
            world.create(&value, &format!("{owner}/x"), true).status,
            403
        );
    }
    // It administers nothing, whatever its permissions are.
    let revoke = "/api/organizations/acme/settings/tokens/revoke";
    let answer = world.post(revoke, Some(&value), &json!({ "token": root }));
    assert_eq!(answer.status, 403, "{answer:?}");
    let all = json!({ "permissions": ["org.serviceAccounts.write"] });
    assert_eq!(send(&world, "PATCH", &path, &root, Some(&all)).status, 200);
    assert_eq!(world.get(&account, Some(&value)).status, 200);
    let more = json!({ "permissions": ["repo.write"] });
    let answer = world.post(&format!("{account}/tokens"), Some(&value), &more);
    assert_eq!(answer.verdict(), (403, "", NOT_PERMITTED));
    let rotate = format!("{path}/rotate");
    assert_eq!(send(&world, "POST", &rotate, &value, None).status, 403);
    // Neither the pages nor the administration know it.
    let page = world.get("/settings/tokens", Some(&value));
    assert_ne!(page.status, 200);
    let headers = [("host", "127.0.0.1:8080")];
    let users = "/-/hubtoken/v1/users";
    let answer = world.ask("GET", users, Some(&value), &headers, Body::empty());
    assert_eq!(answer.status, 401);
}

#[test]
fn a_dead_token_is_dead_at_once() {
    let (world, root) = world();
    let account = account(&world, &root);
    let grants = json!({ "permissions": ["repo.write"] });
    let status = |value: &str| world.get(WHOAMI, Some(value)).status;
    let (path, first) = token(&world, &root, &account, &grants);
    assert_eq!(status(&first), 200);
    let rotate = format!("{path}/rotate");
    let second = send(&world, "POST", &rotate, &root, None).json();
    let second = second["token"].as_str().unwrap();
    assert_eq!((status(&first), status(second)), (401, 200));
    assert_eq!(
        world.commit(second, "acme/m", &[("c.txt", b"c")]).status,
        200
    );
    let body = json!({ "credentials": [second] });
    assert_eq!(
        world.post("/api/credentials/revoke", None, &body).status,
        202
    );
    assert_eq!(status(second), 401);
    assert_eq!(
        world.commit(second, "acme/m", &[("d.txt", b"d")]).status,
        401
    );
    let (path, third) = token(&world, &root, &account, &grants);
    assert_eq!(status(&third), 200);
    assert_eq!(send(&world, "DELETE", &path, &root, None).status, 204);
    assert_eq!(status(&third), 401);
    let (_, fourth) = token(&world, &root, &account, &grants);
    assert_eq!(status(&fourth), 200);
    assert_eq!(send(&world, "DELETE", &account, &root, None).status, 204);
    assert_eq!(status(&fourth), 401);
}

#[test]
fn the_audit_log_names_the_account() {
    let (world, root) = world();
    let account = account(&world, &root);
    let grants = json!({ "permissions": ["repo.write"] });
    let (_, value) = token(&world, &root, &account, &grants);
    assert_eq!(world.create(&value, "acme/new", true).status, 200);
    let log = world.admin("GET", "audit?limit=3", None);
    assert!(!log.text().contains("hf_app_"));
    let log = log.json();
    let entry = |index: usize| log["entries"][index].clone();
    let name = entry(0)["actorName"].as_str().unwrap().to_owned();
    assert!(name.starts_with("acme--nightly-build-"), "{log}");
    assert_eq!(
        (
            &entry(0)["act"],
            &entry(0)["actor"],
            &entry(0)["repository"]
        ),
        (
            &json!("repository.create"),
            &json!("service-account"),
            &json!("acme/new")
        )
    );
    assert_eq!(entry(0)["actorToken"], entry(1)["tokenId"]);
    assert_eq!(
        (
            &entry(1)["act"],
            &entry(1)["user"],
            &entry(1)["organization"],
            &entry(1)["detail"]
        ),
        (
            &json!("token.create"),
            &json!(name),
            &json!("acme"),
            &json!("repo.write")
        )
    );
    assert_eq!(
        (&entry(2)["act"], &entry(2)["actorName"], &entry(2)["user"]),
        (
            &json!("service-account.create"),
            &json!("root"),
            &json!(name)
        )
    );
}

#[test]
fn odd_requests_are_refused() {
    let (world, root) = world();
    let account = account(&world, &root);
    for body in [
        json!({}),
        json!({ "name": null }),
        json!({ "name": 1 }),
        json!({ "name": " " }),
        json!({ "name": "x".repeat(51) }),
        json!({ "name": "a\u{1b}[31m" }),
        json!({ "name": "ci", "description": "x".repeat(501) }),
    ] {
        assert_eq!(
            world.post(ACCOUNTS, Some(&root), &body).status,
            400,
            "{body}"
        );
    }
    let tokens = format!("{account}/tokens");
    let private = repository_id(&world, &world.token("carol", "w", "write"), "carol/p");
    for body in [
        json!({ "displayName": "" }),
        json!({ "displayName": "x".repeat(101) }),
        json!({ "permissions": "repo.write" }),
        json!({ "permissions": ["repo.wirte"] }),
        json!({ "permissions": ["user.billing.read"] }),
        json!({ "repoPermissions": ["org.write"] }),
        json!({ "repoIds": ["acme/m"] }),
        json!({ "repoIds": [private] }),
        json!({ "repoIds": ["0".repeat(24)] }),
        json!({ "endpointPatterns": ["a.b"] }),
        json!({ "skipNetworkSecurity": "yes" }),
    ] {
        let answer = world.post(&tokens, Some(&root), &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    let fine = world.fine("root", &[("acme", "org.serviceAccounts.write")]);
    let body = json!({ "skipNetworkSecurity": true });
    assert_eq!(world.post(&tokens, Some(&fine), &body).status, 403);
    // A token's value in place of an id is not repeated.
    let (_, value) = token(&world, &root, &account, &json!({}));
    let path = format!("{tokens}/{value}");
    let answer = send(&world, "DELETE", &path, &root, None);
    assert_eq!(answer.status, 404);
    assert!(!answer.text().contains(&value), "{}", answer.text());
    assert_eq!(world.get(WHOAMI, Some(&value)).status, 200);
}
