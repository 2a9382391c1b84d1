//! Repositories: who may see, create, read, change and delete them, and the responses that clients
//! get.

use axum::body::Body;
use serde_json::{Value, json};

use super::support::world::{ENDPOINT, World};

const NOT_FOUND: (u16, &str, &str) = (404, "RepoNotFound", "Repository not found");
const NEEDS_LOGIN: (u16, &str, &str) = (401, "RepoNotFound", "Invalid username or password.");

#[test]
fn created_with_a_first_commit_and_deleted() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    let made = world.post(
        "/api/repos/create",
        Some(&token),
        &json!({ "name": "Tiny", "private": true }),
    );
    assert_eq!(made.status, 200);
    assert_eq!(
        (&made.json()["url"], &made.json()["name"]),
        (
            &json!(format!("{ENDPOINT}/alice/Tiny")),
            &json!("alice/Tiny")
        )
    );
    let info = world.get("/api/models/alice/Tiny", Some(&token)).json();
    assert_eq!(info["sha"].as_str().unwrap().len(), 40);
    assert_eq!(
        (&info["private"], &info["gated"], &info["author"]),
        (&json!(true), &json!(false), &json!("alice"))
    );
    assert_eq!(info["siblings"], json!([{ "rfilename": ".gitattributes" }]));
    assert_eq!(info["lastModified"], "2026-01-02T03:04:05.000Z");

    let again = world.create(&token, "alice/tiny", true);
    assert_eq!(again.status, 409);
    assert_eq!(
        again.json(),
        json!({ "error": "You already created this model repo", "url": format!("{ENDPOINT}/alice/Tiny") })
    );
    let dataset = world.post(
        "/api/repos/create",
        Some(&token),
        &json!({ "name": "Tiny", "type": "dataset" }),
    );
    assert_eq!(
        dataset.json()["url"],
        format!("{ENDPOINT}/datasets/alice/Tiny")
    );

    let delete = |token: &str, body: Value| {
        world.ask(
            "DELETE",
            "/api/repos/delete",
            Some(token),
            &[],
            Body::from(body.to_string()),
        )
    };
    assert_eq!(
        delete(&token, json!({ "name": "Tiny", "organization": "alice" })).text(),
        "OK"
    );
    assert_eq!(
        delete(&token, json!({ "name": "Tiny", "organization": "alice" })).verdict(),
        NOT_FOUND
    );
    assert_eq!(
        world.get("/api/datasets/alice/Tiny", Some(&token)).status,
        200
    );
    let models = world.folder.path().join("repositories/models");
    assert_eq!(std::fs::read_dir(models).unwrap().count(), 0);
}

#[test]
fn what_is_not_for_you_is_not_there() {
    let world = World::populated();
    let alice = world.token("alice", "w", "write");
    let bob = world.token("bob", "w", "write");
    world.create(&alice, "alice/secret", true);
    for rest in [
        "",
        "/auth-check",
        "/auth-check/write",
        "/tree/main",
        "/refs",
        "/revision/main",
        "/commits/main",
    ] {
        for id in ["alice/secret", "alice/missing"] {
            let path = format!("/api/models/{id}{rest}");
            assert_eq!(world.get(&path, Some(&bob)).verdict(), NOT_FOUND, "{path}");
            assert_eq!(world.get(&path, None).verdict(), NEEDS_LOGIN, "{path}");
            assert_eq!(world.get(&path, Some("hf_x")).verdict().1, "", "{path}");
        }
    }
    let file = "/alice/secret/resolve/main/.gitattributes";
    let missing = world.get(file, None);
    assert_eq!(
        (missing.text().as_str(), missing.header("content-type")),
        ("Invalid username or password.", "text/plain; charset=utf-8")
    );
    assert_eq!(world.get(file, Some(&bob)).verdict(), NOT_FOUND);
    assert_eq!(world.get(file, Some(&alice)).status, 200);
    let commit = world.commit(&bob, "alice/secret", &[("a", b"b")]);
    assert_eq!(commit.verdict(), NOT_FOUND);
    assert!(
        world
            .get("/api/models", Some(&bob))
            .json()
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        world.get("/api/models?author=Alice", Some(&alice)).json()[0]["id"],
        "alice/secret"
    );
}

#[test]
fn a_name_without_a_namespace_is_a_repository_that_is_not_there() {
    let world = World::populated();
    let token = world.token("alice", "r", "read");
    for path in [
        "/api/models/gpt2",
        "/api/models/gpt2/revision/main",
        "/gpt2/resolve/main/config.json",
    ] {
        let answer = world.get(path, Some(&token));
        let (status, code, _) = answer.verdict();
        assert_eq!((status, code), (404, "RepoNotFound"), "{path}");
        let answer = world.get(path, None);
        let (status, code, _) = answer.verdict();
        assert_eq!((status, code), (401, "RepoNotFound"), "{path}");
    }
    assert_eq!(world.get("/nowhere", Some(&token)).verdict().1, "");
}

#[test]
fn the_right_to_create() {
    let world = World::populated();
    let denied = "You don't have the rights to create a model under the namespace \"acme\"";
    let (reads, writes) = (
        world.token("alice", "r", "read"),
        world.token("alice", "w", "write"),
    );
    let bob = world.token("bob", "w", "write");
    assert_eq!(
        world.create(&reads, "acme/m", true).verdict(),
        (403, "", denied)
    );
    assert_eq!(
        world.create(&bob, "acme/m", true).verdict(),
        (403, "", denied)
    );
    assert_eq!(world.create(&bob, "nobody/m", true).status, 403);
    assert_eq!(world.create(&bob, "alice/m", true).status, 403);
    let anonymous = world.post("/api/repos/create", None, &json!({ "name": "x" }));
    assert_eq!(
        anonymous.verdict(),
        (401, "", "Invalid username or password.")
    );
    assert_eq!(world.create(&writes, "acme/m", true).status, 200);
    let scoped = world.fine("alice", &[("acme", "repo.write")]);
    assert_eq!(world.create(&scoped, "acme/m2", true).status, 200);
    assert_eq!(world.create(&scoped, "alice/m", true).status, 403);
    for name in ["..", "a..b", "x.git", "-x", "a/b/c"] {
        let answer = world.post(
            "/api/repos/create",
            Some(&writes),
            &json!({ "name": name, "organization": "alice" }),
        );
        assert_eq!(answer.status, 400, "{name}");
    }
}

#[test]
fn a_contributor_writes_what_they_created() {
    let world = World::populated();
    let alice = world.token("alice", "w", "write");
    let bob = world.token("bob", "w", "write");
    world.admin(
        "PUT",
        "organizations/acme/members/bob",
        Some(json!({ "role": "contributor" })),
    );
    assert_eq!(world.create(&alice, "acme/hers", true).status, 200);
    assert_eq!(world.create(&bob, "acme/his", true).status, 200);
    assert_eq!(
        world
            .get("/api/models/acme/hers/auth-check", Some(&bob))
            .status,
        200
    );
    assert_eq!(world.commit(&bob, "acme/hers", &[("a", b"b")]).status, 403);
    assert_eq!(world.commit(&bob, "acme/his", &[("a", b"b")]).status, 200);
}

#[test]
fn reading_is_not_writing() {
    let world = World::populated();
    let writes = world.token("alice", "w", "write");
    world.create(&writes, "acme/m", true);
    let forbidden = (
        403,
        "",
        "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request",
    );
    let preupload = json!({ "files": [{ "path": "a", "sample": "", "size": 1 }] });
    for token in [
        world.token("alice", "r", "read"),
        world.token("bob", "w", "write"),
        world.fine("alice", &[("acme", "repo.content.read")]),
    ] {
        assert_eq!(
            world.commit(&token, "acme/m", &[("a", b"b")]).verdict(),
            forbidden
        );
        assert_eq!(
            world
                .post(
                    "/api/models/acme/m/preupload/main",
                    Some(&token),
                    &preupload
                )
                .verdict(),
            forbidden
        );
        assert_eq!(
            world
                .get("/api/models/acme/m/auth-check", Some(&token))
                .status,
            200
        );
        assert_eq!(
            world
                .get("/api/models/acme/m/auth-check/write", Some(&token))
                .status,
            403
        );
        let body = json!({ "name": "m", "organization": "acme" }).to_string();
        assert_eq!(
            world
                .ask(
                    "DELETE",
                    "/api/repos/delete",
                    Some(&token),
                    &[],
                    Body::from(body)
                )
                .status,
            403
        );
        let pull = world.post(
            "/api/models/acme/m/preupload/main?create_pr=1",
            Some(&token),
            &preupload,
        );
        assert_eq!(pull.status, 400);
    }
    let scoped = world.fine("alice", &[("acme/m", "repo.write")]);
    assert_eq!(world.commit(&scoped, "acme/m", &[("a", b"b")]).status, 200);
    assert_eq!(
        world
            .get("/api/models/acme/m/auth-check/write", Some(&scoped))
            .text(),
        "OK"
    );
}

#[test]
fn a_scope_does_not_pass_on_to_a_namesake() {
    let world = World::populated();
    let writes = world.token("alice", "w", "write");
    world.create(&writes, "alice/m", true);
    let scoped = world.fine("alice", &[("alice/m", "repo.write")]);
    assert_eq!(world.get("/api/models/alice/m", Some(&scoped)).status, 200);
    world.admin("DELETE", "repositories/model/alice/m", None);
    world.create(&writes, "alice/m", true);
    assert_eq!(
        world.get("/api/models/alice/m", Some(&scoped)).verdict(),
        NOT_FOUND
    );
}

#[test]
fn the_gate() {
    let world = World::populated();
    let writes = world.token("alice", "w", "write");
    let bob = world.token("bob", "w", "read");
    let fine = world.fine("bob", &[]);
    world.create(&writes, "alice/g", false);
    let body = json!({ "gated": "auto" }).to_string();
    let set = world.ask(
        "PUT",
        "/api/models/alice/g/settings",
        Some(&writes),
        &[],
        Body::from(body.clone()),
    );
    assert_eq!((set.status, &set.json()["gated"]), (200, &json!("auto")));
    assert_eq!(
        world
            .ask(
                "PUT",
                "/api/models/alice/g/settings",
                Some(&bob),
                &[],
                Body::from(body)
            )
            .status,
        403
    );
    let anonymous = "Access to model alice/g is restricted. You must have access to it and be authenticated to access it. Please log in.";
    let outsider = "Access to model alice/g is restricted and you are not in the authorized list. Visit http://127.0.0.1:8080/alice/g to ask for access.";
    let token = "Please enable access to public gated repositories in your fine-grained token settings to view this repository.";
    for path in [
        "/api/models/alice/g/auth-check",
        "/alice/g/resolve/main/.gitattributes",
    ] {
        assert_eq!(
            world.get(path, None).verdict(),
            (401, "GatedRepo", anonymous)
        );
        assert_eq!(
            world.get(path, Some(&bob)).verdict(),
            (403, "GatedRepo", outsider)
        );
        assert_eq!(world.get(path, Some(&fine)).verdict(), (403, "", token));
        assert_eq!(world.get(path, Some(&writes)).status, 200);
    }
    for path in ["/api/models/alice/g", "/api/models/alice/g/tree/main"] {
        assert_eq!(world.get(path, None).status, 200);
    }
    assert_eq!(
        world.get("/api/models/alice/g", None).json()["gated"],
        "auto"
    );
}

#[test]
fn unknown_paths() {
    let world = World::populated();
    assert_eq!(world.get("/api/nothing", None).status, 404);
    assert_eq!(world.get("/api/kernels/alice/x", None).status, 404);
    assert_eq!(
        world
            .ask("DELETE", "/api/whoami-v2", None, &[], Body::empty())
            .status,
        405
    );
    assert_eq!(world.get("/api/models/alice/%ff", None).status, 400);
    assert_eq!(
        world
            .post("/api/validate-yaml", None, &json!({ "content": "" }))
            .json(),
        json!({ "errors": [], "warnings": [] })
    );
    assert_eq!(
        world.get("/api/agent-harnesses", None).json(),
        json!({ "standardEnvVars": [], "harnesses": {} })
    );
}
