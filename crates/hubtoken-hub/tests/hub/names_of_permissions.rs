//! Misspelled permissions are rejected by the administration API and by the pages, unless the token
//! already has them.

use serde_json::json;

use super::support::browser::{Browser, world_with_passwords};
use super::support::world::World;

const NEW: &str = "/settings/tokens/new";
const SLIP: &str = "inference.serverles.write";
const MEANT: &str = "inference.serverless.write";

#[test]
fn the_administration_api_refuses_a_slip_and_takes_what_it_does_not_know() {
    let world = World::new();
    world.admin("POST", "users", Some(json!({ "name": "alice" })));
    let make = |name: &str, permission: &str| {
        let body = json!({
            "name": name,
            "role": "fineGrained",
            "scopes": [{ "entity": "alice", "permissions": ["repo.write", permission] }],
        });
        world.admin("POST", "users/alice/tokens", Some(body))
    };
    let refused = make("slip", SLIP);
    let (status, code, message) = refused.verdict();
    assert_eq!((status, code), (400, "MisspelledPermission"));
    assert!(message.contains(SLIP) && message.contains(&format!("did you mean `{MEANT}`?")));
    let malformed = make("malformed", "write");
    assert_eq!((malformed.status, malformed.verdict().1), (400, ""));
    for (name, permission) in [("new", "quantum.entangle"), ("other", "repo.read")] {
        let outcome = make(name, permission);
        assert_eq!(outcome.status, 201, "{}", outcome.text());
    }
    let change = |permission: &str| {
        let body = json!({ "role": "fineGrained", "global": [permission] });
        world.admin("PUT", "users/alice/tokens/new/permissions", Some(body))
    };
    assert_eq!(change(SLIP).status, 400);
    assert_eq!(change(MEANT).status, 200);
}

#[test]
fn a_link_with_a_slip_says_what_was_meant_and_its_form_is_refused() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let link = format!("{NEW}?tokenType=fineGrained&ownUserPermissions={SLIP}");
    let page = browser.get(&link);
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains(&format!("Did you mean {MEANT}?")),
        "{}",
        page.text()
    );
    let send = |permission: &str| {
        let fields = [("name", "ci"), ("role", "fineGrained"), ("own", permission)];
        browser.submit(NEW, NEW, &fields)
    };
    let refused = send(SLIP);
    assert_eq!(refused.status, 422);
    let text = refused.text();
    assert!(text.contains(&format!("Did you mean “{MEANT}”?")), "{text}");
    assert_eq!(send("write").status, 422);
    let tokens = world.admin("GET", "users/alice/tokens", None).json();
    assert_eq!(tokens, json!([]));
    assert_eq!(send("quantum.entangle").status, 201);
}
