//! `GET /api/users/{name}/overview` and `/api/organizations/{name}/overview`: the public
//! information about a namespace.

use serde_json::json;

use super::support::world::World;

fn world() -> World {
    let world = World::new();
    let alice =
        json!({ "name": "alice", "fullname": "Alice Doe", "email": "alice@example.invalid" });
    world.admin("POST", "users", Some(alice));
    let acme = json!({ "name": "acme", "fullname": "Acme Inc" });
    world.admin("POST", "organizations", Some(acme));
    world
}

#[test]
fn everybody_sees_who_there_is_and_no_more() {
    let world = world();
    let answer = world.get("/api/users/Alice/overview", None);
    assert_eq!(answer.status, 200);
    let user = answer.json();
    assert_eq!(
        (&user["user"], &user["fullname"]),
        (&json!("alice"), &json!("Alice Doe"))
    );
    assert_eq!((&user["type"], &user["orgs"]), (&json!("user"), &json!([])));
    assert!(!answer.text().contains("example.invalid"));
    let answer = world.get("/api/organizations/acme/overview", None);
    assert_eq!(answer.status, 200);
    let organization = answer.json();
    assert_eq!(organization["name"], "acme");
    assert_eq!(organization["fullname"], "Acme Inc");
}

#[test]
fn what_does_not_exist_or_is_the_other_is_not_found() {
    let world = world();
    for path in [
        "/api/users/nobody/overview",
        "/api/users/acme/overview",
        "/api/organizations/nobody/overview",
        "/api/organizations/alice/overview",
        "/api/users/%3Cscript%3E/overview",
    ] {
        let answer = world.get(path, None);
        let (status, code, message) = answer.verdict();
        assert_eq!((status, code), (404, ""), "{path}");
        // A missing page is a different error, and clients distinguish them by the message.
        assert!(message.ends_with("does not exist"), "{path}: {message}");
        assert!(!answer.text().contains("script"));
    }
    let invalid = world.get(
        "/api/users/alice/overview",
        Some("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX"),
    );
    assert_eq!(invalid.status, 401);
}
