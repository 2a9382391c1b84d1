//! Token policies over HTTP: what they block, with which messages, and who may decide.

use serde_json::{Value, json};

use super::support::world::{Answer, World};

const WHOAMI: &str = "/api/whoami-v2";
const PENDING: &str = "Due to the organization token policy, your token needs to be approved by the organization before \
                       you can access this resource.";
const REVOKED: &str = "Your token has been revoked by the organization administrator, you can no longer access \
                       organization resources. Please contact them for more information.";
const FINE_GRAINED_ONLY: &str = "Due to the organization token policy, only fine-grained tokens can access the resources of \
                                 this organization.";

/// A world in which `root` administers acme, alice has the role write and bob the role read, with
/// the private model `acme/m`, the public `acme/open` and the gated `acme/gated`.
fn world() -> World {
    let world = World::populated();
    world.admin("POST", "users", Some(json!({ "name": "root" })));
    let admin = json!({ "role": "admin" });
    world.admin("PUT", "organizations/acme/members/root", Some(admin));
    let root = world.token("root", "setup", "write");
    assert_eq!(world.create(&root, "acme/m", true).status, 200);
    for name in ["acme/open", "acme/gated"] {
        assert_eq!(world.create(&root, name, false).status, 200);
    }
    for name in ["acme/m", "acme/open", "acme/gated"] {
        assert_eq!(world.commit(&root, name, &[("a.txt", b"a")]).status, 200);
    }
    let gate = json!({ "gated": "manual" });
    world.admin("PATCH", "repositories/model/acme/gated", Some(gate));
    world
}

fn set(world: &World, policy: &str) {
    let answer = world.admin(
        "PUT",
        "organizations/acme/policy",
        Some(json!({ "policy": policy })),
    );
    assert_eq!(
        (answer.status, answer.json()["policy"].as_str()),
        (200, Some(policy))
    );
}

fn decide(world: &World, token: &str, decision: &str) -> Answer {
    let path = format!("organizations/acme/approvals/{token}/{decision}");
    world.admin("POST", &path, None)
}

fn restrictions(world: &World, token: &str) -> Value {
    let answer = world.get(WHOAMI, Some(token)).json();
    answer["orgs"][0]["securityRestrictions"].clone()
}

/// Requests for everything that belongs to the organization, with their responses.
fn everything(world: &World, token: &str) -> Vec<(&'static str, Answer)> {
    let paths = [
        "/api/models/acme/m",
        "/api/models/acme/m/auth-check",
        "/api/models/acme/m/auth-check/write",
        "/api/models/acme/m/tree/main",
        "/acme/m/resolve/main/a.txt",
        "/api/models/acme/gated/auth-check",
        "/acme/gated/resolve/main/a.txt",
        "/api/models/acme/open/auth-check/write",
    ];
    let mut answers: Vec<_> = paths
        .into_iter()
        .map(|path| (path, world.get(path, Some(token))))
        .collect();
    answers.push(("commit", world.commit(token, "acme/m", &[("b.txt", b"b")])));
    let open = world.commit(token, "acme/open", &[("b.txt", b"b")]);
    answers.push(("commit to what is public", open));
    let new = format!("acme/{}", answers.len());
    let created = world.create(token, &new, true);
    if created.status == 200 {
        let body = json!({ "name": answers.len().to_string(), "organization": "acme" });
        let deleted = world.ask(
            "DELETE",
            "/api/repos/delete",
            Some(token),
            &[],
            axum::body::Body::from(body.to_string()),
        );
        answers.push(("delete", deleted));
    }
    answers.push(("create", created));
    answers
}

fn all_work(world: &World, token: &str) {
    for (what, answer) in everything(world, token) {
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
    }
    assert_eq!(restrictions(world, token), json!([]));
}

fn all_are_refused(world: &World, token: &str, message: &str, restriction: &str) {
    let with_code = |answer: &Answer| answer.header("x-error-code").to_owned();
    for (what, answer) in everything(world, token) {
        assert_eq!(answer.verdict(), (403, "", message), "{what}");
        assert_eq!(with_code(&answer), "");
    }
    // Public repositories and the user's own are not affected.
    for path in [
        "/api/models/acme/open",
        "/api/models/acme/open/auth-check",
        "/acme/open/resolve/main/a.txt",
        "/api/models/acme/gated",
    ] {
        assert_eq!(world.get(path, Some(token)).status, 200, "{path}");
    }
    assert_eq!(restrictions(world, token), json!([restriction]));
    let listed = world.get("/api/models?author=acme", Some(token)).text();
    assert!(!listed.contains("acme/m\""), "{listed}");
    let own = world.create(token, "alice/own", true).status;
    assert!(own == 200 || own == 409, "{own}");
}

#[test]
fn unscoped_tokens_are_kept_out_where_only_fine_grained_ones_are_wanted() {
    let world = world();
    let plain = world.token("alice", "w", "write");
    let fine = world.fine("alice", &[("acme", "repo.write"), ("alice", "repo.write")]);
    all_work(&world, &plain);
    set(&world, "fine-grained-only");
    all_are_refused(&world, &plain, FINE_GRAINED_ONLY, "token-policy");
    all_work(&world, &fine);
    // The same applies to administrators.
    let root = world.token("root", "w", "write");
    let verdict = world.get("/api/models/acme/m", Some(&root));
    assert_eq!(verdict.verdict(), (403, "", FINE_GRAINED_ONLY));
    set(&world, "allow-all");
    all_work(&world, &plain);
}

#[test]
fn a_token_waits_is_let_in_and_shut_out() {
    let world = world();
    set(&world, "require-approval");
    let plain = world.token("alice", "plain", "write");
    all_are_refused(&world, &plain, FINE_GRAINED_ONLY, "token-policy");
    let fine = world.fine("alice", &[("acme", "repo.write"), ("alice", "repo.write")]);
    all_are_refused(&world, &fine, PENDING, "token-policy");
    let listed = world.admin("GET", "organizations/acme/approvals", None);
    assert_eq!(
        listed.json().as_array().map(Vec::len),
        Some(1),
        "{}",
        listed.text()
    );
    let entry = &listed.json()[0];
    let last4 = &fine[fine.len() - 4..];
    assert_eq!(
        (
            &entry["user"],
            &entry["name"],
            &entry["role"],
            &entry["last4"],
            &entry["status"]
        ),
        (
            &json!("alice"),
            &json!("fine"),
            &json!("fineGrained"),
            &json!(last4),
            &json!("pending")
        )
    );
    assert_eq!(entry["scoped"].as_array().map(Vec::len), Some(1));
    assert!(!listed.text().contains(&fine));

    assert_eq!(decide(&world, "fine", "deny").json()["status"], "denied");
    all_are_refused(&world, &fine, PENDING, "token-policy");
    assert_eq!(
        decide(&world, "fine", "approve").json()["status"],
        "approved"
    );
    all_work(&world, &fine);
    assert_eq!(decide(&world, "fine", "deny").status, 409);
    assert_eq!(decide(&world, "fine", "revoke").json()["status"], "revoked");
    all_are_refused(&world, &fine, REVOKED, "token-revoked");
    set(&world, "allow-all");
    all_are_refused(&world, &fine, REVOKED, "token-revoked");
    all_work(&world, &plain);
    assert_eq!(decide(&world, "fine", "approve").status, 200);
    all_work(&world, &fine);
    for (token, decision, status) in [
        ("fine", "forget", 404),
        ("nothing", "approve", 404),
        ("plain", "approve", 404),
    ] {
        assert_eq!(
            decide(&world, token, decision).status,
            status,
            "{token} {decision}"
        );
    }
}

#[test]
fn refreshing_keeps_an_approval_and_other_permissions_lose_it() {
    let world = world();
    set(&world, "require-approval");
    let old = world.fine("alice", &[("acme", "repo.write"), ("alice", "repo.write")]);
    decide(&world, "fine", "approve");
    let fresh = world.admin("POST", "users/alice/tokens/fine/refresh", None);
    let fresh = fresh.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(WHOAMI, Some(&old)).status, 401);
    all_work(&world, &fresh);
    let scopes = json!([
        { "entity": "acme", "permissions": ["repo.write", "org.write"] },
        { "entity": "alice", "permissions": ["repo.write"] },
    ]);
    let change = json!({ "role": "fineGrained", "scopes": scopes });
    let path = "users/alice/tokens/fine/permissions";
    assert_eq!(world.admin("PUT", path, Some(change)).status, 200);
    all_are_refused(&world, &fresh, PENDING, "token-policy");
    for wrong in [
        json!({ "role": "admin" }),
        json!({ "role": "read", "global": ["post.write"] }),
        json!({ "role": "fineGrained", "scopes": [{ "entity": "no/thing", "permissions": [] }] }),
        json!({}),
    ] {
        let status = world.admin("PUT", path, Some(wrong.clone())).status;
        assert!(status == 400 || status == 404, "{status} {wrong}");
    }
}

#[test]
fn the_first_use_asks() {
    let world = world();
    set(&world, "require-approval");
    // Without a scope on acme, it only reaches the gate, and requests approval there.
    let body = json!({ "name": "gate", "role": "fineGrained", "canReadGatedRepos": true });
    let token = world.token_from("bob", body);
    let listed = || {
        world
            .admin("GET", "organizations/acme/approvals", None)
            .json()
    };
    assert_eq!(world.get("/api/models/acme/open", Some(&token)).status, 200);
    let hidden = world.get("/api/models/acme/m", Some(&token));
    assert_eq!(
        hidden.verdict(),
        (404, "RepoNotFound", "Repository not found")
    );
    assert_eq!(restrictions(&world, &token), json!(["token-policy"]));
    assert_eq!(listed(), json!([]));
    for _ in 0..2 {
        let refused = world.get("/acme/gated/resolve/main/a.txt", Some(&token));
        assert_eq!(refused.verdict(), (403, "", PENDING));
        assert_eq!(listed()[0]["name"], "gate");
    }
    let asked = world.admin("GET", "audit?act=approval", None).json();
    assert_eq!(asked["entries"].as_array().map(Vec::len), Some(1));
    let entry = &asked["entries"][0];
    assert_eq!(
        (
            &entry["act"],
            &entry["actorName"],
            &entry["organization"],
            &entry["tokenName"]
        ),
        (
            &json!("approval.request"),
            &json!("bob"),
            &json!("acme"),
            &json!("gate")
        )
    );
    assert_eq!(decide(&world, "gate", "approve").status, 200);
    let resolved = world.get("/acme/gated/resolve/main/a.txt", Some(&token));
    assert_eq!(resolved.status, 200);
}

#[test]
fn an_administrator_revokes_by_id_and_by_value() {
    let world = world();
    let root = world.token("root", "w", "write");
    let path = |token: &str| format!("/api/organizations/acme/settings/tokens/{token}/revoke");
    let by_value = "/api/organizations/acme/settings/tokens/revoke";
    let victim = world.token("alice", "leaked", "write");
    let listed = world.admin("GET", "users/alice/tokens", None).json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    // Not every user, not with every token, and not everything.
    let alice = world.token("alice", "mine", "write");
    let read = world.token("root", "r", "read");
    let scoped = world.fine("root", &[("acme", "repo.write")]);
    for token in [&alice, &read, &scoped] {
        let refused = world.post(&path(&id), Some(token), &json!({}));
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.text().contains("don't have the rights"));
    }
    assert_eq!(world.post(&path(&id), None, &json!({})).status, 401);
    for unknown in [
        "leaked",
        "0123456789abcdef01234567",
        "..%2f",
        &"g".repeat(24),
    ] {
        let answer = world.post(&path(unknown), Some(&root), &json!({}));
        assert_eq!(answer.status, 404, "{unknown}");
    }
    let carol = world.admin("POST", "users", Some(json!({ "name": "carol" })));
    assert_eq!(carol.status, 201);
    let outsider = world.token("carol", "x", "write");
    let answer = world.post(by_value, Some(&root), &json!({ "token": outsider }));
    assert_eq!(answer.status, 404);
    for wrong in [json!({}), json!({ "token": "abc" }), json!({ "token": 1 })] {
        assert_eq!(
            world.post(by_value, Some(&root), &wrong).status,
            400,
            "{wrong}"
        );
    }
    let nowhere = "/api/organizations/nowhere/settings/tokens/revoke";
    assert_eq!(
        world
            .post(nowhere, Some(&root), &json!({ "token": victim }))
            .status,
        404
    );
    let own = world.post(by_value, Some(&root), &json!({ "token": root }));
    assert_eq!(own.status, 403);
    assert!(own.text().contains("their own tokens"), "{}", own.text());
    all_work(&world, &victim);

    assert_eq!(world.post(&path(&id), Some(&root), &json!({})).status, 200);
    all_are_refused(&world, &victim, REVOKED, "token-revoked");
    let second = world.token("alice", "second", "write");
    let body = json!({ "token": second });
    for _ in 0..2 {
        assert_eq!(world.post(by_value, Some(&root), &body).status, 200);
    }
    all_are_refused(&world, &second, REVOKED, "token-revoked");
    let scoped = world.fine("root", &[("acme", "org.write")]);
    let third = world.token("bob", "third", "read");
    assert_eq!(
        world
            .post(by_value, Some(&scoped), &json!({ "token": third }))
            .status,
        200
    );
    let audit = world
        .admin("GET", "audit?act=approval.revoke&limit=10", None)
        .json();
    let names: Vec<&str> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["tokenName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["third", "second", "leaked"]);
    assert!(!audit.to_string().contains(&victim));
}

#[test]
fn a_policy_holds_for_those_who_administer() {
    let world = world();
    let root = world.token("root", "w", "write");
    let victim = world.token("alice", "leaked", "write");
    set(&world, "fine-grained-only");
    let by_value = "/api/organizations/acme/settings/tokens/revoke";
    let body = json!({ "token": victim });
    let refused = world.post(by_value, Some(&root), &body);
    assert_eq!(refused.verdict(), (403, "", FINE_GRAINED_ONLY));
    let scoped = world.fine("root", &[("acme", "org.write")]);
    assert_eq!(world.post(by_value, Some(&scoped), &body).status, 200);
}

#[test]
fn a_policy_is_one_of_three_words() {
    let world = world();
    let get = || world.admin("GET", "organizations/acme/policy", None).json();
    assert_eq!(get(), json!({ "policy": "allow-all" }));
    for wrong in [
        json!({}),
        json!({ "policy": "none" }),
        json!({ "policy": null }),
    ] {
        let answer = world.admin("PUT", "organizations/acme/policy", Some(wrong));
        assert_eq!(answer.status, 400);
    }
    assert_eq!(get(), json!({ "policy": "allow-all" }));
    assert_eq!(
        world
            .admin("GET", "organizations/nowhere/policy", None)
            .status,
        404
    );
}
