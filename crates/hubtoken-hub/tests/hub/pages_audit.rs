//! The audit log on the pages: who sees which entries, filters, and paging.

use hubtoken_hub::{Hub, HubOptions, NewToken, OrganizationRole, Secret, TokenRole};
use serde_json::json;

use super::support::browser::{Browser, PASSWORD, world_with_passwords};
use super::support::world::{Answer, World};

const OWN: &str = "/settings/audit-log";
const WHOLE: &str = "/settings/audit-log/hub";
const OF_ACME: &str = "/organizations/acme/settings/audit-log";

/// The action names of the entries on a page, in order.
fn words(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    text.split("<code class=\"under\">")
        .skip(1)
        .map(|rest| rest.split_once('<').expect("a word").0.to_owned())
        .collect()
}

/// The target of a link on a page.
fn link(page: &Answer, name: &str) -> Option<String> {
    let text = page.text();
    let before = text.split_once(&format!("\">{name}</a>"))?.0;
    let address = before.rsplit_once("href=\"").expect("a link").1;
    Some(address.replace("&#38;", "&").replace("&amp;", "&"))
}

fn with_some_history() -> World {
    let world = world_with_passwords();
    world.pass(86_400);
    world.token("bob", "early bird", "read");
    world.pass(86_400);
    let role = json!({ "role": "write" });
    world.admin("PUT", "organizations/acme/members/bob", Some(role));
    world.token("alice", "of alice alone", "read");
    world
}

#[test]
fn a_person_sees_what_they_did_and_what_was_done_to_them() {
    let world = with_some_history();
    let bob = Browser::signed_in(&world, "bob");
    let page = bob.get(OWN);
    assert_eq!(
        words(&page),
        [
            "login.ok",
            "member.set",
            "token.create",
            "member.set",
            "user.create"
        ]
    );
    let text = page.text();
    assert!(
        text.contains(
            "<time datetime=\"2026-01-04T03:04:05.000Z\">4 Jan 2026, 03:04:05 UTC</time>"
        )
    );
    assert!(
        text.contains("The admin key")
            && !text.contains("of alice alone")
            && !text.contains("carol")
    );
    // Not for visitors who are signed out, and no other user's entries.
    assert_eq!(Browser::new(&world).get(OWN).status, 303);
    assert_eq!(
        words(&Browser::signed_in(&world, "carol").get(OWN)),
        ["login.ok", "user.create"]
    );
}

#[test]
fn from_where_somebody_else_did_it_is_not_told() {
    let hub = Hub::start(&HubOptions::default()).unwrap();
    for name in ["alice", "bob"] {
        let password = Secret::new(PASSWORD.to_owned());
        hub.create_user(name, name, None, Some(password)).unwrap();
    }
    hub.create_organization("acme", "Acme").unwrap();
    hub.set_member("acme", "alice", OrganizationRole::Admin)
        .unwrap();
    let alice = Browser::over(&hub);
    alice.sign_in("alice", PASSWORD);
    let members = "/organizations/acme/settings/members";
    let fields = [("user", "bob"), ("role", "read"), ("step", "add")];
    assert_eq!(alice.submit(members, members, &fields).status, 303);
    let bob = Browser::over(&hub);
    assert_eq!(bob.sign_in("bob", "wrong").status, 401);
    bob.sign_in("bob", PASSWORD);
    let own = bob.get(OWN).text();
    // A sign-in and a failed one, and alice's actions.
    assert_eq!(own.matches("127.0.0.1").count() - 1, 1, "{own}");
    assert_eq!(own.matches("not shown").count(), 1);
    let log = alice.get(OF_ACME).text();
    assert!(log.contains("127.0.0.1") && !log.contains("not shown"));
}

#[test]
fn an_organizations_log_is_for_its_admins() {
    let world = with_some_history();
    let alice = Browser::signed_in(&world, "alice");
    let page = alice.get(OF_ACME);
    assert_eq!(
        words(&page),
        [
            "member.set",
            "member.set",
            "member.set",
            "organization.create"
        ]
    );
    // It does not include what members do elsewhere.
    assert!(!page.text().contains("early bird") && !page.text().contains("login.ok</code>"));
    assert_eq!(Browser::signed_in(&world, "bob").get(OF_ACME).status, 403);
    assert_eq!(Browser::signed_in(&world, "carol").get(OF_ACME).status, 404);
}

#[test]
fn the_whole_log_is_for_who_administers_the_hub() {
    let hub = Hub::start(&HubOptions::default()).unwrap();
    let password = || Secret::new(PASSWORD.to_owned());
    hub.create_first_administrator("root", "Root", None, password())
        .unwrap();
    hub.create_user("alice", "Alice", None, Some(password()))
        .unwrap();
    let new = NewToken {
        name: "laptop".to_owned(),
        role: TokenRole::Read,
        expires_at: None,
    };
    let value = hub.create_token("alice", new).unwrap().value;
    let root = Browser::over(&hub);
    root.sign_in("root", PASSWORD);
    assert!(root.get(OWN).text().contains(WHOLE));
    let page = root.get(WHOLE);
    assert_eq!(
        words(&page),
        [
            "login.ok",
            "token.create",
            "user.create",
            "user.password",
            "user.create"
        ]
    );
    assert!(page.text().contains("laptop") && page.text().contains(&value.reveal()[33..]));
    assert!(!page.text().contains(value.reveal()));

    let alice = Browser::over(&hub);
    alice.sign_in("alice", PASSWORD);
    assert!(!alice.get(OWN).text().contains(WHOLE));
    assert_eq!(alice.get(WHOLE).status, 404);
    // An organization's admin is not an administrator of the Hub, and vice versa.
    hub.create_organization("acme", "Acme").unwrap();
    hub.set_member("acme", "alice", OrganizationRole::Admin)
        .unwrap();
    assert_eq!(alice.get(WHOLE).status, 404);
    assert_eq!(root.get(OF_ACME).status, 404);
    assert_eq!(root.get("/organizations/acme/settings/tokens").status, 404);
}

#[test]
fn entries_are_found_without_a_script() {
    let world = with_some_history();
    let alice = Browser::signed_in(&world, "alice");
    world.token("alice", "other", "read");
    let rename = "users/alice/tokens/other";
    world.admin("PATCH", rename, Some(json!({ "name": "new" })));
    let found = |query: &str| words(&alice.get(&format!("{OWN}?{query}")));
    assert_eq!(found("what=token.rename"), ["token.rename"]);
    assert_eq!(found("what=token").len(), 3);
    assert_eq!(found("who=ALICE"), ["login.ok"]);
    assert_eq!(found("who=bob"), [""; 0]);
    assert_eq!(found("to=2026-01-03"), ["member.set", "user.create"]);
    assert_eq!(found("from=2026-01-02&to=2026-01-02").len(), 2);
    assert_eq!(found("from=2026-01-04&what=login"), ["login.ok"]);
    assert_eq!(found("who=&what=&from=&to=").len(), 6);
    let none = alice.get(&format!("{OWN}?who=bob")).text();
    assert!(none.contains("No entries match the filter."));
    // The form keeps the submitted values.
    let kept = alice
        .get(&format!(
            "{OWN}?who=alice&what=token.rename&from=2026-01-02"
        ))
        .text();
    for part in [
        "name=\"who\" value=\"alice\"",
        "value=\"token.rename\" selected",
        "value=\"2026-01-02\"",
    ] {
        assert!(kept.contains(part), "{part}");
    }
    for (query, message) in [
        ("what=everything", "Choose an action from the list."),
        ("from=yesterday", "as year-month-day"),
        ("from=2026-01-03&to=2026-01-02", "before the first one"),
    ] {
        let page = alice.get(&format!("{OWN}?{query}"));
        assert_eq!(page.status, 422, "{query}");
        // Listing entries with the filter ignored would be misleading.
        assert!(page.text().contains(message) && !page.text().contains("<tbody"));
    }
    for odd in [
        "before=x",
        "before=-1",
        "before=99999999999999999999",
        "x=y",
        "%00=%ff",
        "who=%00",
    ] {
        assert_eq!(alice.get(&format!("{OWN}?{odd}")).status, 200, "{odd}");
    }
}

#[test]
fn pages_are_turned_to_the_end_and_back() {
    let world = world_with_passwords();
    for number in 0..120 {
        world.token("alice", &format!("token {number}."), "read");
    }
    let alice = Browser::signed_in(&world, "alice");
    let query = format!("{OWN}?what=token.create");
    let first = alice.get(&query);
    assert!(link(&first, "Newest").is_none());
    assert!(first.text().contains("token 119.") && !first.text().contains("token 69."));
    let mut counts = vec![words(&first).len()];
    let mut page = first;
    while let Some(older) = link(&page, "Older") {
        // Links keep the filter, and entries added in the meantime do not shift the page.
        assert!(older.contains("what=token.create&before="), "{older}");
        world.token("alice", "meanwhile", "read");
        page = alice.get(&older);
        counts.push(words(&page).len());
    }
    assert_eq!(counts, [50, 50, 20]);
    assert!(page.text().contains("token 0.") && !page.text().contains("meanwhile"));
    assert_eq!(link(&page, "Newest"), Some(query));
}

#[test]
fn who_comes_without_a_page_in_mind_is_sent_on() {
    let world = world_with_passwords();
    let nobody = Browser::new(&world).get("/");
    assert_eq!((nobody.status, nobody.header("location")), (303, "/login"));
    let alice = Browser::signed_in(&world, "alice").get("/");
    assert_eq!(
        (alice.status, alice.header("location")),
        (303, "/settings/tokens")
    );
    let host = [("host", "evil.example")];
    let body = axum::body::Body::empty();
    assert_eq!(world.ask("GET", "/", None, &host, body).status, 421);
}
