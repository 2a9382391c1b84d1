//! An organization's token policy and approvals, on its pages.

use serde_json::{Value, json};

use super::support::browser::{Browser, hidden, world_with_passwords};
use super::support::world::{Answer, World};

const SETTINGS: &str = "/organizations/acme/settings";
const TOKENS: &str = "/organizations/acme/settings/tokens";
const MODEL: &str = "/api/models/acme/m/auth-check";

/// A world in which alice administers acme, bob has the role write there, and acme has a private
/// model.
fn world() -> World {
    let world = world_with_passwords();
    let role = json!({ "role": "write" });
    world.admin("PUT", "organizations/acme/members/bob", Some(role));
    let setup = world.token("alice", "setup", "write");
    assert_eq!(world.create(&setup, "acme/m", true).status, 200);
    world
}

fn fine(world: &World, user: &str, name: &str) -> String {
    let scopes = json!([{ "entity": "acme", "permissions": ["repo.write"] }]);
    let body = json!({ "name": name, "role": "fineGrained", "scopes": scopes });
    world.token_from(user, body)
}

fn id(world: &World, user: &str, name: &str) -> String {
    let tokens = world.admin("GET", &format!("users/{user}/tokens"), None);
    let tokens: Vec<Value> = tokens.json().as_array().unwrap().clone();
    let found = tokens.iter().find(|token| token["name"] == name);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

fn policy(world: &World) -> String {
    let answer = world.admin("GET", "organizations/acme/policy", None);
    answer.json()["policy"].as_str().unwrap().to_owned()
}

fn set(world: &World, policy: &str) {
    let body = json!({ "policy": policy });
    let answer = world.admin("PUT", "organizations/acme/policy", Some(body));
    assert_eq!(answer.status, 200);
}

fn decide(browser: &Browser<'_>, id: &str, decision: &str) -> Answer {
    let path = format!("{TOKENS}/{id}/{decision}");
    let page = browser.get(&path);
    assert_eq!(page.status, 200, "{}", page.text());
    browser.submit_from(&page, &path, &[])
}

fn status(world: &World, value: &str) -> u16 {
    world.get(MODEL, Some(value)).status
}

#[test]
fn a_policy_is_changed_after_a_look_at_what_it_does() {
    let world = world();
    let plain = world.token("bob", "secret project", "write");
    let ci = fine(&world, "bob", "ci");
    let alice = Browser::signed_in(&world, "alice");

    let shown = alice.get(TOKENS).text();
    for name in [
        "Allow access via User Access Tokens",
        "Only access via fine-grained tokens",
        "Require administrator approval",
    ] {
        assert!(shown.contains(name), "{name}");
    }
    let review = alice.submit(TOKENS, TOKENS, &[("policy", "require-approval")]);
    assert_eq!((review.status, policy(&world).as_str()), (200, "allow-all"));
    let text = review.text();
    assert!(text.contains("“ci”, hf_…") && text.contains("1 token of bob"));
    // The names of tokens that are not for the organization are their owner's private business.
    assert!(!text.contains("secret project"));
    assert_eq!((status(&world, &plain), status(&world, &ci)), (200, 200));

    let fields = [
        ("policy", hidden(&review, "policy").expect("a form")),
        ("before", hidden(&review, "before").expect("a form")),
        ("step", "confirm".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let done = alice.submit_from(&review, TOKENS, &fields);
    assert_eq!((done.status, done.header("location")), (303, TOKENS));
    assert_eq!(policy(&world), "require-approval");
    assert_eq!((status(&world, &plain), status(&world, &ci)), (403, 403));
    let text = alice.get(TOKENS).text();
    assert!(text.contains("is “Require administrator approval” now."));
    assert!(text.contains("1 waiting") && !text.contains("secret project"));

    // The form was for a policy that is no longer set.
    let again = alice.submit_from(&review, TOKENS, &fields);
    assert_eq!(again.status, 303);
    set(&world, "fine-grained-only");
    let stale = alice.submit_from(&review, TOKENS, &fields);
    assert_eq!(
        (stale.status, policy(&world).as_str()),
        (409, "fine-grained-only")
    );
    let none = alice.submit(TOKENS, TOKENS, &[("policy", "<script>")]);
    assert_eq!(none.status, 422);
    assert!(none.text().contains("Choose which tokens are allowed."));
}

#[test]
fn a_token_is_approved_revoked_and_denied() {
    let world = world();
    set(&world, "require-approval");
    let value = fine(&world, "bob", "ci");
    let token = id(&world, "bob", "ci");
    let alice = Browser::signed_in(&world, "alice");
    assert_eq!(status(&world, &value), 403);

    // The confirmation page changes nothing.
    let approve = format!("{TOKENS}/{token}/approve");
    let page = alice.get(&approve).text();
    assert!(page.contains("Approve the token?") && page.contains("acme: repo.write"));
    assert_eq!(status(&world, &value), 403);
    let done = decide(&alice, &token, "approve");
    assert_eq!((done.status, done.header("location")), (303, TOKENS));
    assert_eq!(status(&world, &value), 200);
    let list = alice.get(TOKENS).text();
    assert!(list.contains("“ci” of bob is now approved.") && list.contains("by alice"));
    assert!(list.contains(&value[33..]) && !list.contains(&value));

    assert_eq!(decide(&alice, &token, "deny").status, 409);
    assert_eq!(decide(&alice, &token, "revoke").status, 303);
    let refused = world.get(MODEL, Some(&value));
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("has been revoked"));
    assert!(alice.get(&approve).text().contains("undoes its revocation"));
    assert_eq!(decide(&alice, &token, "approve").status, 303);
    assert_eq!(status(&world, &value), 200);

    let other = fine(&world, "bob", "other");
    assert_eq!(
        decide(&alice, &id(&world, "bob", "other"), "deny").status,
        303
    );
    assert_eq!(status(&world, &other), 403);
    assert!(alice.get(TOKENS).text().contains("Denied"));
}

#[test]
fn a_decision_is_about_what_was_seen() {
    let world = world();
    set(&world, "require-approval");
    let value = fine(&world, "bob", "ci");
    let token = id(&world, "bob", "ci");
    let alice = Browser::signed_in(&world, "alice");
    let path = format!("{TOKENS}/{token}/approve");
    let page = alice.get(&path);
    // In the meantime, the owner adds permissions.
    let more = json!([{ "entity": "acme", "permissions": ["repo.write", "org.write"] }]);
    let change = json!({ "role": "fineGrained", "scopes": more });
    let changed = world.admin("PUT", "users/bob/tokens/ci/permissions", Some(change));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let stale = alice.submit_from(&page, &path, &[]);
    assert_eq!(stale.status, 409);
    assert!(stale.text().contains("has changed"));
    assert_eq!(status(&world, &value), 403);
    // Or another admin decides.
    let page = alice.get(&path);
    let other = world.admin(
        "POST",
        &format!("organizations/acme/approvals/{token}/revoke"),
        None,
    );
    assert_eq!(other.status, 200);
    assert_eq!(alice.submit_from(&page, &path, &[]).status, 409);
    // The decision is also rejected without the digest of what was shown.
    let csrf = [("csrf", hidden(&page, "csrf").expect("a form"))];
    assert_eq!(alice.post(&path, &csrf).status, 409);
    assert_eq!(status(&world, &value), 403);
}

#[test]
fn members_see_and_do_not_decide() {
    let world = world();
    set(&world, "require-approval");
    fine(&world, "bob", "ci");
    let plain = world.token("bob", "plain", "read");
    fine(&world, "alice", "of an admin");
    let token = id(&world, "bob", "ci");
    let bob = Browser::signed_in(&world, "bob");
    let page = bob.get(TOKENS);
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(text.contains("Require administrator approval") && !text.contains("type=\"radio\""));
    assert!(text.contains("Waits for an admin") && text.contains("Blocked: only fine-grained"));
    assert!(!text.contains("of an admin") && !text.contains("Audit log of acme"));
    assert!(!text.contains("/settings/audit-log\">Audit log</a></li>\n</ul>\n</nav>\n<h1>"));
    assert!(text.contains(&plain[33..]));

    let csrf = hidden(&page, "csrf").expect("a form");
    for (path, fields) in [
        (TOKENS.to_owned(), vec![("policy", "allow-all")]),
        (
            TOKENS.to_owned(),
            vec![
                ("policy", "allow-all"),
                ("before", "require-approval"),
                ("step", "confirm"),
            ],
        ),
        (format!("{TOKENS}/{token}/approve"), vec![]),
        (format!("{TOKENS}/{token}/deny"), vec![]),
    ] {
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        let answer = bob.post(&path, &all);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("Only an admin may do that"));
    }
    assert_eq!(bob.get(&format!("{TOKENS}/{token}/approve")).status, 403);
    assert_eq!(bob.get(&format!("{SETTINGS}/audit-log")).status, 403);
    assert_eq!(policy(&world), "require-approval");
    let approvals = world.admin("GET", "organizations/acme/approvals", None);
    assert_eq!(approvals.json()[0]["status"], "pending");
}

#[test]
fn to_others_there_is_nothing() {
    let world = world();
    set(&world, "require-approval");
    fine(&world, "bob", "ci");
    let token = id(&world, "bob", "ci");
    let carol = Browser::signed_in(&world, "carol");
    // Carol administers her own organization, which does not give her access to another one.
    world.admin("POST", "organizations", Some(json!({ "name": "beta" })));
    let admin = json!({ "role": "admin" });
    world.admin("PUT", "organizations/beta/members/carol", Some(admin));
    let csrf = hidden(&carol.get("/settings/tokens"), "csrf").expect("a form");
    let own = "/organizations/beta/settings/tokens";
    assert_eq!(carol.get(own).status, 200);
    for path in [
        TOKENS.to_owned(),
        format!("{TOKENS}/{token}/approve"),
        format!("{SETTINGS}/audit-log"),
        format!("{own}/{token}/approve"),
        format!("{own}/{token}/banish"),
        "/organizations/nothing/settings/tokens".to_owned(),
    ] {
        assert_eq!(carol.get(&path).status, 404, "{path}");
    }
    for path in [
        TOKENS.to_owned(),
        format!("{TOKENS}/{token}/approve"),
        format!("{own}/{token}/approve"),
    ] {
        let fields = [("csrf", csrf.as_str()), ("policy", "allow-all")];
        assert_eq!(carol.post(&path, &fields).status, 404, "{path}");
    }
    assert_eq!(policy(&world), "require-approval");
    // Tokens are found by id, not by name.
    let alice = Browser::signed_in(&world, "alice");
    assert_eq!(alice.get(&format!("{TOKENS}/ci/approve")).status, 404);
}

#[test]
fn nobody_revokes_a_token_of_their_own_and_a_dismissed_admin_decides_no_more() {
    let world = world();
    set(&world, "require-approval");
    fine(&world, "bob", "ci");
    let token = id(&world, "bob", "ci");
    let admin = json!({ "role": "admin" });
    world.admin("PUT", "organizations/acme/members/bob", Some(admin));
    let bob = Browser::signed_in(&world, "bob");
    assert!(!bob.get(TOKENS).text().contains(&format!("{token}/revoke")));
    let own = decide(&bob, &token, "revoke");
    assert_eq!(own.status, 409);
    assert!(own.text().contains("cannot revoke their own tokens"));

    let path = format!("{TOKENS}/{token}/approve");
    let page = bob.get(&path);
    let read = json!({ "role": "read" });
    world.admin("PUT", "organizations/acme/members/bob", Some(read));
    let late = bob.submit_from(&page, &path, &[]);
    assert_eq!(late.status, 403);
}

#[test]
fn a_name_of_somebody_elses_token_is_text() {
    let world = world();
    set(&world, "require-approval");
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    fine(&world, "bob", name);
    let token = id(&world, "bob", name);
    let alice = Browser::signed_in(&world, "alice");
    let mut pages = vec![
        alice.get(TOKENS),
        alice.submit(TOKENS, TOKENS, &[("policy", "allow-all")]),
        alice.get(&format!("{SETTINGS}/audit-log")),
        alice.get(&format!(
            "{SETTINGS}/audit-log?who=%3Cscript%3E&what=%3Cscript%3E&from=%3Cscript%3E"
        )),
    ];
    for decision in ["approve", "deny", "revoke"] {
        pages.push(alice.get(&format!("{TOKENS}/{token}/{decision}")));
    }
    decide(&alice, &token, "approve");
    pages.push(alice.get(TOKENS));
    for page in &pages {
        let text = page.text();
        assert!(text.contains("&#60;script&#62;"), "{text}");
        for markup in ["<script>alert", "<script>\"", "<img src=x"] {
            assert!(!text.contains(markup), "{markup}: {text}");
        }
    }
}

#[test]
fn a_long_list_has_pages() {
    let world = world();
    set(&world, "require-approval");
    for number in 0..51 {
        fine(&world, "bob", &format!("token {number}."));
    }
    let alice = Browser::signed_in(&world, "alice");
    let rows = |page: &Answer| page.text().matches("/approve\">").count();
    let first = alice.get(TOKENS);
    assert_eq!(rows(&first), 50);
    assert!(first.text().contains("51 waiting") && first.text().contains("Page 1 of 2"));
    assert_eq!(rows(&alice.get(&format!("{TOKENS}?page=2"))), 1);
    for page in ["0", "3", "x", "-1", "99999999999999999999999"] {
        assert_eq!(
            alice.get(&format!("{TOKENS}?page={page}")).status,
            200,
            "{page}"
        );
    }
    // The preview of a policy that affects all of them stays short.
    let review = alice.submit(TOKENS, TOKENS, &[("policy", "allow-all")]);
    assert!(review.text().contains("and 32 more"));
}
