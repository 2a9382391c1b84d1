//! The pages as a user sees them: the life cycle of a token, the form prefilled by a link, and
//! members.

use serde_json::{Value, json};

use super::support::browser::{Browser, hidden, shown_value, world_with_passwords};
use super::support::world::World;

const TOKENS: &str = "/settings/tokens";
const NEW: &str = "/settings/tokens/new";
const MEMBERS: &str = "/organizations/acme/settings/members";
const WHOAMI: &str = "/api/whoami-v2";

fn tokens(world: &World, user: &str) -> Value {
    world
        .admin("GET", &format!("users/{user}/tokens"), None)
        .json()
}

fn id(world: &World, user: &str) -> String {
    tokens(world, user)[0]["id"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn status(world: &World, value: &str) -> u16 {
    world.get(WHOAMI, Some(value)).status
}

#[test]
fn the_life_of_a_token() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    assert!(
        browser
            .get(TOKENS)
            .text()
            .contains("You have no tokens yet.")
    );

    let made = browser.submit(
        NEW,
        NEW,
        &[
            ("name", "laptop"),
            ("role", "write"),
            ("expires", "2026-03-31"),
        ],
    );
    assert_eq!(
        (made.status, made.header("cache-control")),
        (201, "no-store")
    );
    let first = shown_value(&made);
    assert_eq!(status(&world, &first), 200);
    let id = id(&world, "alice");
    assert_eq!(
        tokens(&world, "alice")[0]["expiresAt"],
        "2026-04-01T00:00:00.000Z"
    );

    let list = browser.get(TOKENS).text();
    for part in [
        "laptop",
        "Write",
        &first[33..],
        "2 Jan 2026",
        "1 Apr 2026, 00:00 UTC",
    ] {
        assert!(list.contains(part), "{part}");
    }
    assert!(!list.contains(&first));

    let page = format!("{TOKENS}/{id}");
    let rename = format!("{page}/rename");
    let renamed = browser.submit(&rename, &rename, &[("name", "old laptop")]);
    assert_eq!(
        (renamed.status, renamed.header("location")),
        (303, page.as_str())
    );
    assert!(
        browser
            .get(&page)
            .text()
            .contains("“laptop” is called “old laptop” now.")
    );
    // The notice is only shown once.
    assert!(!browser.get(&page).text().contains("is called"));
    assert_eq!(status(&world, &first), 200);

    let refresh = format!("{page}/refresh");
    let refreshed = browser.submit(&refresh, &refresh, &[]);
    let second = shown_value(&refreshed);
    assert_eq!(
        (refreshed.status, refreshed.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(
        (status(&world, &first), status(&world, &second)),
        (401, 200)
    );

    let delete = format!("{page}/delete");
    assert!(browser.get(&delete).text().contains("Delete the token?"));
    assert_eq!(status(&world, &second), 200);
    let deleted = browser.submit(&delete, &delete, &[]);
    assert_eq!((deleted.status, deleted.header("location")), (303, TOKENS));
    assert_eq!(status(&world, &second), 401);
    assert_eq!(browser.get(&page).status, 404);
}

#[test]
fn a_reload_neither_makes_nor_shows_a_value_again() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let form = browser.get(NEW);
    let fields = [("name", "once"), ("role", "read")];
    assert_eq!(browser.submit_from(&form, NEW, &fields).status, 201);
    let again = browser.submit_from(&form, NEW, &fields);
    assert_eq!(again.status, 409);
    assert!(
        again.text().contains("This was done already") && !again.text().contains("id=\"value\"")
    );
    assert_eq!(tokens(&world, "alice").as_array().expect("a list").len(), 1);

    let refresh = format!("{TOKENS}/{}/refresh", id(&world, "alice"));
    let form = browser.get(&refresh);
    let value = shown_value(&browser.submit_from(&form, &refresh, &[]));
    assert_eq!(browser.submit_from(&form, &refresh, &[]).status, 409);
    assert_eq!(status(&world, &value), 200);
    // A form that was rejected because of an error can be submitted again.
    let form = browser.get(NEW);
    assert_eq!(
        browser
            .submit_from(&form, NEW, &[("name", ""), ("role", "read")])
            .status,
        422
    );
    assert_eq!(browser.submit_from(&form, NEW, &fields).status, 201);
}

#[test]
fn a_fine_grained_token_gets_what_was_ticked() {
    let world = world_with_passwords();
    let write = world.token("alice", "w", "write");
    assert_eq!(world.create(&write, "alice/tiny", true).status, 200);
    let browser = Browser::signed_in(&world, "alice");
    let made = browser.submit(
        NEW,
        NEW,
        &[
            ("name", "fine"),
            ("role", "fineGrained"),
            ("own", "repo.content.read"),
            ("own", "inference.serverless.write"),
            ("in.acme", "repo.write"),
            ("repository.0", "alice/tiny"),
            ("repository.0.may", "repo.write"),
            ("repository.1", ""),
            ("global", "discussion.write"),
            ("gated", "on"),
        ],
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let answer = world.get(WHOAMI, Some(&shown_value(&made))).json();
    let fine = &answer["auth"]["accessToken"]["fineGrained"];
    assert_eq!(fine["canReadGatedRepos"], true);
    assert_eq!(fine["global"], json!(["discussion.write"]));
    let scoped: Vec<(String, Value)> = fine["scoped"]
        .as_array()
        .expect("scopes")
        .iter()
        .map(|scope| {
            (
                format!("{} {}", scope["entity"]["type"], scope["entity"]["name"]),
                scope["permissions"].clone(),
            )
        })
        .collect();
    assert_eq!(
        scoped,
        [
            (
                "\"user\" \"alice\"".to_owned(),
                json!(["inference.serverless.write", "repo.content.read"])
            ),
            ("\"org\" \"acme\"".to_owned(), json!(["repo.write"])),
            ("\"model\" \"alice/tiny\"".to_owned(), json!(["repo.write"])),
        ]
    );
}

#[test]
fn mistakes_are_said_where_they_are() {
    let world = world_with_passwords();
    let bobs = world.token("bob", "w", "write");
    assert_eq!(world.create(&bobs, "bob/secret", true).status, 200);
    let browser = Browser::signed_in(&world, "alice");
    let long = "x".repeat(101);
    for (fields, message) in [
        (vec![("role", "read")], "Give the token a name."),
        (
            vec![("name", long.as_str()), ("role", "read")],
            "it has more than 100 characters",
        ),
        (
            vec![("name", "a\u{7}b"), ("role", "read")],
            "control characters are not allowed",
        ),
        (vec![("name", "x")], "Choose what the token may do."),
        (
            vec![("name", "x"), ("role", "god")],
            "Choose what the token may do.",
        ),
        (
            vec![("name", "x"), ("role", "read"), ("expires", "2026-01-01")],
            "This day is over.",
        ),
        (
            vec![("name", "x"), ("role", "read"), ("expires", "soon")],
            "Write the day as year-month-day",
        ),
        (
            vec![("name", "x"), ("role", "fineGrained")],
            "needs at least one permission",
        ),
        (
            vec![("name", "x"), ("role", "fineGrained"), ("own", "a b")],
            "One of the permissions is not valid",
        ),
        (
            vec![
                ("name", "x"),
                ("role", "fineGrained"),
                ("in.bob", "repo.write"),
            ],
            "You are not a member of “bob”.",
        ),
        (
            vec![
                ("name", "x"),
                ("role", "fineGrained"),
                ("repository.0", "alice/nothing"),
                ("repository.0.may", "repo.write"),
            ],
            "There is no such repository, or you cannot see it.",
        ),
        (
            vec![
                ("name", "x"),
                ("role", "fineGrained"),
                ("repository.3", "bob/secret"),
                ("repository.3.may", "repo.write"),
            ],
            "There is no such repository, or you cannot see it.",
        ),
        (
            vec![
                ("name", "x"),
                ("role", "fineGrained"),
                ("own", "repo.write"),
                ("repository.0", "alice"),
            ],
            "Choose what the token may do with this repository.",
        ),
        (
            vec![
                ("name", "x"),
                ("role", "fineGrained"),
                ("repository.0.may", "repo.write"),
            ],
            "Name the repository, or remove its permissions.",
        ),
    ] {
        let answer = browser.submit(NEW, NEW, &fields);
        assert_eq!(answer.status, 422, "{fields:?}");
        let text = answer.text();
        assert!(text.contains(message), "{message}: {text}");
        assert!(text.contains("role=\"alert\"") && text.contains("<title>Error: "));
    }
    assert_eq!(tokens(&world, "alice"), json!([]));
}

#[test]
fn what_was_typed_stays_beside_the_mistakes() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let kept = browser.submit(
        NEW,
        NEW,
        &[
            ("role", "fineGrained"),
            ("own", "repo.write"),
            ("expires", "2027-01-01"),
            ("repository.0", "alice/nothing"),
            ("repository.0.may", "repo.write"),
        ],
    );
    let text = kept.text();
    for part in [
        "value=\"fineGrained\" required checked",
        "name=\"own\" value=\"repo.write\" checked",
        "value=\"2027-01-01\"",
        "value=\"alice/nothing\"",
        "href=\"#repository-0\"",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn another_row_for_a_repository_needs_no_script() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let more = browser.submit(
        NEW,
        NEW,
        &[
            ("name", ""),
            ("role", "fineGrained"),
            ("repository.0", "alice/x"),
            ("repository.0.may", "repo.write"),
            ("step", "more"),
        ],
    );
    assert_eq!(more.status, 200);
    let text = more.text();
    assert!(
        text.contains("name=\"repository.0\" value=\"alice/x\"")
            && text.contains("name=\"repository.1\" value=\"\"")
    );
    assert!(!text.contains("role=\"alert\""));
    // Also if none is filled in yet.
    let more = browser.submit(
        NEW,
        NEW,
        &[
            ("role", "fineGrained"),
            ("repository.0", ""),
            ("step", "more"),
        ],
    );
    assert!(more.text().contains("name=\"repository.1\" value=\"\""));
}

#[test]
fn a_link_fills_the_form_in() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let text = browser
        .get(&format!(
            "{NEW}?tokenType=fineGrained&ownUserPermissions=repo.write&ownUserPermissions=some.new.permission\
             &globalPermissions=discussion.write&canReadGatedRepos=true&orgs=acme&orgs=elsewhere&orgPermissions=job.write"
        ))
        .text();
    for part in [
        "value=\"fineGrained\" required checked",
        "name=\"own\" value=\"repo.write\" checked",
        "name=\"own\" value=\"some.new.permission\" checked",
        "name=\"global\" value=\"discussion.write\" checked",
        "name=\"gated\" checked",
        "name=\"in.acme\" value=\"job.write\" checked",
        "<details open>",
        "The link asks for “elsewhere”, of which you are not a member.",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(text.matches(" checked").count(), 6);
    // A link prefills the form and creates nothing.
    assert_eq!(tokens(&world, "alice"), json!([]));
    for role in ["read", "write"] {
        let text = browser.get(&format!("{NEW}?tokenType={role}")).text();
        assert!(text.contains(&format!("value=\"{role}\" checked")));
    }
}

#[test]
fn permissions_are_changed_after_a_look_at_both() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let made = browser.submit(
        NEW,
        NEW,
        &[
            ("name", "t"),
            ("role", "fineGrained"),
            ("own", "repo.content.read"),
            ("own", "strange.permission"),
        ],
    );
    let value = shown_value(&made);
    let page = format!("{TOKENS}/{}", id(&world, "alice"));
    let change = format!("{page}/permissions");
    let form = browser.get(&change).text();
    assert!(form.contains("value=\"strange.permission\" checked"));

    let fields = [
        ("role", "fineGrained"),
        ("own", "repo.write"),
        ("in.acme", "repo.content.read"),
        ("step", "review"),
    ];
    let review = browser.submit(&change, &change, &fields);
    assert_eq!(review.status, 200);
    let text = review.text();
    assert!(
        text.contains("alice: repo.content.read, strange.permission")
            && text.contains("acme: repo.content.read")
    );
    let permissions = || world.get(WHOAMI, Some(&value)).json()["auth"]["accessToken"].clone();
    assert_eq!(
        permissions()["fineGrained"]["scoped"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    // The confirmation page carries the form along.
    for part in [
        "name=\"own\" value=\"repo.write\"",
        "name=\"in.acme\" value=\"repo.content.read\"",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let confirmed = [
        ("role", "fineGrained"),
        ("own", "repo.write"),
        ("in.acme", "repo.content.read"),
        ("step", "confirm"),
    ];
    let done = browser.submit_from(&review, &change, &confirmed);
    assert_eq!((done.status, done.header("location")), (303, page.as_str()));
    assert_eq!(
        permissions()["fineGrained"]["scoped"][0]["permissions"],
        json!(["repo.write"])
    );

    let done = browser.submit(&change, &change, &[("role", "read"), ("step", "confirm")]);
    assert_eq!(done.status, 303);
    assert_eq!(
        (&permissions()["role"], permissions().get("fineGrained")),
        (&json!("read"), None)
    );
    assert!(
        browser
            .get(&page)
            .text()
            .contains("Read everything that you can read")
    );
    assert_eq!(
        browser
            .submit(
                &change,
                &change,
                &[("role", "fineGrained"), ("step", "confirm")]
            )
            .status,
        422
    );
}

#[test]
fn what_a_token_has_may_stay_when_its_owner_could_not_choose_it_anew() {
    let world = world_with_passwords();
    let bobs = world.token("bob", "w", "write");
    assert_eq!(world.create(&bobs, "bob/secret", true).status, 200);
    world.fine(
        "carol",
        &[("acme", "repo.write"), ("bob/secret", "repo.content.read")],
    );
    let browser = Browser::signed_in(&world, "carol");
    let change = format!("{TOKENS}/{}/permissions", id(&world, "carol"));
    let text = browser.get(&change).text();
    assert!(
        text.contains("name=\"in.acme\" value=\"repo.write\" checked")
            && text.contains("value=\"bob/secret\"")
    );
    let kept = [
        ("role", "fineGrained"),
        ("in.acme", "repo.write"),
        ("repository.0", "bob/secret"),
        ("repository.0.may", "repo.content.read"),
        ("step", "confirm"),
    ];
    assert_eq!(browser.submit(&change, &change, &kept).status, 303);
}

#[test]
fn a_long_list_is_told_in_pages() {
    let world = world_with_passwords();
    for number in 0..101 {
        world.token("alice", &format!("token number {number:03}"), "read");
        world.pass(1);
    }
    let browser = Browser::signed_in(&world, "alice");
    let first = browser.get(TOKENS).text();
    assert!(first.contains("token number 100") && !first.contains("token number 000"));
    assert!(first.contains("Page 1 of 2, 101 tokens"));
    for page in ["2", "99"] {
        let last = browser.get(&format!("{TOKENS}?page={page}")).text();
        assert!(last.contains("token number 000") && !last.contains("token number 001"));
    }
    for page in ["0", "-1", "x", "%3Cscript%3E"] {
        assert!(
            browser
                .get(&format!("{TOKENS}?page={page}"))
                .text()
                .contains("Page 1 of 2")
        );
    }
}

#[test]
fn an_expired_token_says_so() {
    let world = world_with_passwords();
    world.token_from(
        "alice",
        json!({ "name": "short", "role": "read", "expiresAt": "2026-01-03T00:00:00Z" }),
    );
    world.pass(24 * 3600);
    let browser = Browser::signed_in(&world, "alice");
    assert!(browser.get(TOKENS).text().contains("Expired"));
    assert!(
        browser
            .get(&format!("{TOKENS}/{}", id(&world, "alice")))
            .text()
            .contains("This token has expired")
    );
}

#[test]
fn members_are_changed_by_admins_and_seen_by_members() {
    let world = world_with_passwords();
    let alice = Browser::signed_in(&world, "alice");
    let bob = Browser::signed_in(&world, "bob");
    let set = |browser: &Browser<'_>, user: &str, role: &str, step: &str| {
        browser.submit(
            MEMBERS,
            MEMBERS,
            &[("user", user), ("role", role), ("step", step)],
        )
    };
    assert_eq!(
        alice.get("/organizations/acme/settings").header("location"),
        MEMBERS
    );
    let seen = bob.get(MEMBERS);
    assert_eq!(seen.status, 200);
    assert!(!seen.text().contains("<select"));
    assert_eq!(set(&bob, "bob", "admin", "change").status, 403);
    assert_eq!(bob.get(&format!("{MEMBERS}/alice/remove")).status, 403);
    let csrf = [("csrf", hidden(&seen, "csrf").expect("a form"))];
    assert_eq!(
        bob.post(&format!("{MEMBERS}/alice/remove"), &csrf).status,
        403
    );

    assert_eq!(set(&alice, "carol", "write", "add").status, 303);
    assert!(
        alice
            .get(MEMBERS)
            .text()
            .contains("“carol” has the role write now.")
    );
    for (user, role, message) in [
        ("carol", "read", "is already a member"),
        ("nobody", "read", "There is no user of this name."),
        ("acme", "read", "There is no user of this name."),
        ("robot", "boss", "Choose a role."),
    ] {
        let answer = set(&alice, user, role, "add");
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(message), "{}", answer.text());
    }
    // A stale page cannot add a removed member again.
    assert_eq!(set(&alice, "robot", "read", "change").status, 409);
    assert_eq!(set(&alice, "carol", "contributor", "change").status, 303);

    let remove = format!("{MEMBERS}/carol/remove");
    assert!(alice.get(&remove).text().contains("Remove carol?"));
    assert_eq!(alice.submit(&remove, &remove, &[]).status, 303);
    assert_eq!(alice.get(&remove).status, 404);
    assert_eq!(
        world
            .admin("GET", "organizations/acme/members", None)
            .json(),
        json!([{ "user": "alice", "role": "admin" }, { "user": "bob", "role": "read" }])
    );
}

#[test]
fn an_organization_keeps_an_admin() {
    let world = world_with_passwords();
    let alice = Browser::signed_in(&world, "alice");
    let demote = [("user", "alice"), ("role", "read"), ("step", "change")];
    let refused = alice.submit(MEMBERS, MEMBERS, &demote);
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("left without an admin"));
    let remove = format!("{MEMBERS}/alice/remove");
    assert_eq!(alice.submit(&remove, &remove, &[]).status, 409);

    let promote = [("user", "bob"), ("role", "admin"), ("step", "change")];
    assert_eq!(alice.submit(MEMBERS, MEMBERS, &promote).status, 303);
    let left = alice.submit(&remove, &remove, &[]);
    assert_eq!((left.status, left.header("location")), (303, TOKENS));
    assert_eq!(alice.get(MEMBERS).status, 404);
}
