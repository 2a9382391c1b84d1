//! Signing in and out: sessions, their expiry, and the limits on password attempts.

use hubtoken_hub::SignInPolicy;

use super::support::browser::{Browser, PASSWORD, hidden, populate, world_with_passwords};
use super::support::world::World;

const TOKENS: &str = "/settings/tokens";

#[test]
fn signing_in_leads_to_the_tokens_and_out_again() {
    let world = world_with_passwords();
    let browser = Browser::new(&world);
    let first = browser.get(TOKENS);
    assert_eq!(
        (first.status, first.header("location")),
        (303, "/login?next=%2Fsettings%2Ftokens")
    );
    let answer = browser.sign_in("Alice", PASSWORD);
    assert_eq!((answer.status, answer.header("location")), (303, TOKENS));
    let cookie = answer.header("set-cookie");
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        browser
            .get(TOKENS)
            .text()
            .contains("<strong>alice</strong>")
    );
    // The sign-in page redirects users who are already signed in.
    assert_eq!(browser.get("/login").header("location"), TOKENS);

    let out = browser.submit(TOKENS, "/logout", &[]);
    assert_eq!((out.status, out.header("location")), (303, "/login"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(browser.get(TOKENS).status, 303);
}

#[test]
fn signing_out_ends_the_session_itself() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let stolen = browser.cookie.borrow().clone();
    browser.submit(TOKENS, "/logout", &[]);
    let thief = Browser::new(&world);
    *thief.cookie.borrow_mut() = stolen;
    assert_eq!(thief.get(TOKENS).status, 303);
}

#[test]
fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let world = world_with_passwords();
    let browser = Browser::new(&world);
    let mut pages = Vec::new();
    for (user, password) in [
        ("alice", "not this one"),
        ("nobody", PASSWORD),
        ("robot", PASSWORD),
        ("acme", PASSWORD),
    ] {
        let answer = browser.sign_in(user, password);
        assert_eq!(answer.status, 401, "{user}");
        assert!(answer.header("set-cookie").is_empty());
        let text = answer.text();
        assert!(text.contains("User name or password is wrong."));
        assert!(!text.contains(password));
        pages.push(text.replace(&format!("value=\"{user}\""), "value=\"x\""));
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    assert_eq!(browser.sign_in("alice", "").status, 422);
}

#[test]
fn a_session_that_was_planted_is_worth_nothing() {
    let world = world_with_passwords();
    let victim = Browser::new(&world);
    let planted = "0123456789abcdef".repeat(4);
    *victim.cookie.borrow_mut() = Some(planted.clone());
    assert_eq!(victim.sign_in("alice", PASSWORD).status, 303);
    assert_ne!(victim.cookie.borrow().as_deref(), Some(planted.as_str()));

    let attacker = Browser::new(&world);
    *attacker.cookie.borrow_mut() = Some(planted);
    assert_eq!(attacker.get(TOKENS).status, 303);
}

#[test]
fn signing_in_again_ends_the_session_before() {
    let world = world_with_passwords();
    let browser = Browser::new(&world);
    let form = browser.get("/login");
    let fields = [("username", "alice"), ("password", PASSWORD)];
    assert_eq!(browser.submit_from(&form, "/login", &fields).status, 303);
    let old = browser.cookie.borrow().clone();
    // Bob signs in with the same browser, from a page of the signed-in user.
    let page = browser.get(TOKENS);
    let fields = [("username", "bob"), ("password", PASSWORD)];
    assert_eq!(browser.submit_from(&page, "/login", &fields).status, 303);
    assert!(browser.get(TOKENS).text().contains("<strong>bob</strong>"));
    let other = Browser::new(&world);
    *other.cookie.borrow_mut() = old;
    assert_eq!(other.get(TOKENS).status, 303);
}

#[test]
fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let policy = SignInPolicy {
        idle_seconds: 600,
        absolute_seconds: 2000,
        ..SignInPolicy::default()
    };
    let world = populate(World::with_policy(None, policy));
    let idle = Browser::signed_in(&world, "alice");
    let busy = Browser::signed_in(&world, "alice");
    world.pass(599);
    assert_eq!(busy.get(TOKENS).status, 200);
    world.pass(1);
    assert_eq!(idle.get(TOKENS).status, 303);
    assert_eq!(busy.get(TOKENS).status, 200);
    for _ in 0..2 {
        world.pass(590);
        assert_eq!(busy.get(TOKENS).status, 200);
    }
    // 1780 seconds so far.
    world.pass(219);
    assert_eq!(busy.get(TOKENS).status, 200);
    world.pass(1);
    assert_eq!(busy.get(TOKENS).status, 303);
}

#[test]
fn a_form_of_somebody_signed_out_is_not_taken_silently() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let page = browser.get("/settings/tokens/new");
    world.pass(24 * 3600);
    let fields = [("name", "late"), ("role", "read")];
    let answer = browser.submit_from(&page, "/settings/tokens/new", &fields);
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("You are signed out"));
    assert!(
        answer
            .text()
            .contains("/login?next=%2Fsettings%2Ftokens%2Fnew")
    );
}

#[test]
fn guessing_ends_by_user_and_by_address() {
    let policy = SignInPolicy {
        attempts_per_user: 3,
        attempts_per_address: 6,
        window_seconds: 900,
        ..SignInPolicy::default()
    };
    let world = populate(World::with_policy(None, policy));
    let browser = Browser::new(&world);
    for _ in 0..3 {
        assert_eq!(browser.sign_in("alice", "wrong").status, 401);
    }
    let refused = browser.sign_in("alice", PASSWORD);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, "900")
    );
    assert!(refused.text().contains("Wait 15 minutes"));
    // Another user from the same address, until the limit of the address is reached.
    assert_eq!(browser.sign_in("bob", "wrong").status, 401);
    assert_eq!(browser.sign_in("bob", PASSWORD).status, 303);
    assert_eq!(Browser::new(&world).sign_in("carol", PASSWORD).status, 429);
    world.pass(900);
    assert_eq!(Browser::new(&world).sign_in("alice", PASSWORD).status, 303);
}

#[test]
fn signing_in_forgets_the_attempts_for_the_user() {
    let policy = SignInPolicy {
        attempts_per_user: 2,
        ..SignInPolicy::default()
    };
    let world = populate(World::with_policy(None, policy));
    for _ in 0..3 {
        let browser = Browser::new(&world);
        assert_eq!(browser.sign_in("alice", "wrong").status, 401);
        assert_eq!(browser.sign_in("alice", PASSWORD).status, 303);
    }
}

#[test]
fn a_new_password_signs_everybody_else_out() {
    let world = world_with_passwords();
    let here = Browser::signed_in(&world, "alice");
    let elsewhere = Browser::signed_in(&world, "alice");
    let bob = Browser::signed_in(&world, "bob");
    let before = here.cookie.borrow().clone();
    let change = |current: &str, new: &str, again: &str| {
        let fields = [("current", current), ("new", new), ("again", again)];
        here.submit("/settings/password", "/settings/password", &fields)
    };
    let new = "a new and better one";
    for (current, new, again) in [
        ("wrong", new, new),
        (PASSWORD, "short", "short"),
        (PASSWORD, new, "another one"),
    ] {
        let answer = change(current, new, again);
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains("role=\"alert\""));
    }
    assert_eq!(elsewhere.get(TOKENS).status, 200);

    assert_eq!(change(PASSWORD, new, new).status, 303);
    assert_ne!(*here.cookie.borrow(), before);
    assert!(
        here.get("/settings/password")
            .text()
            .contains("Your password was changed.")
    );
    assert_eq!(elsewhere.get(TOKENS).status, 303);
    assert_eq!(bob.get(TOKENS).status, 200);
    assert_eq!(elsewhere.sign_in("alice", PASSWORD).status, 401);
    assert_eq!(elsewhere.sign_in("alice", new).status, 303);
}

#[test]
fn whoever_runs_the_hub_gives_a_new_password() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let new = serde_json::json!({ "password": "given on the telephone" });
    let set = |user: &str| {
        world
            .admin("PUT", &format!("users/{user}/password"), Some(new.clone()))
            .status
    };
    assert_eq!(
        (set("alice"), set("robot"), set("nobody"), set("acme")),
        (204, 204, 404, 404)
    );
    assert_eq!(browser.get(TOKENS).status, 303);
    for user in ["alice", "robot"] {
        assert_eq!(Browser::new(&world).sign_in(user, PASSWORD).status, 401);
        assert_eq!(
            Browser::new(&world)
                .sign_in(user, "given on the telephone")
                .status,
            303
        );
    }
}

#[test]
fn the_page_that_was_wanted_is_found_after_signing_in_and_no_other_site() {
    let world = world_with_passwords();
    let wanted = "/settings/tokens/new?tokenType=write&ownUserPermissions=repo.write";
    let browser = Browser::new(&world);
    let sent = browser.get(wanted);
    let login = browser.get(sent.header("location"));
    let next = hidden(&login, "next")
        .expect("a way back")
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    assert_eq!(next, wanted);
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("next", wanted),
    ];
    let answer = browser.submit_from(&login, "/login", &fields);
    assert_eq!(answer.header("location"), wanted);

    for elsewhere in [
        "https://evil.example/",
        "//evil.example/settings",
        "/\\evil.example",
        "/settings/../../evil",
        "javascript:alert(1)",
        "/settings\r\nset-cookie: x=y",
    ] {
        let browser = Browser::new(&world);
        let page = browser.get("/login");
        let fields = [
            ("username", "alice"),
            ("password", PASSWORD),
            ("next", elsewhere),
        ];
        let answer = browser.submit_from(&page, "/login", &fields);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, TOKENS),
            "{elsewhere}"
        );
        let query: String = url::form_urlencoded::byte_serialize(elsewhere.as_bytes()).collect();
        assert_eq!(hidden(&browser.get("/login"), "next"), None);
        let fresh = Browser::new(&world);
        assert_eq!(
            hidden(&fresh.get(&format!("/login?next={query}")), "next").as_deref(),
            Some("")
        );
    }
}

#[test]
fn the_database_holds_neither_session_nor_password() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let page = browser.get("/settings/tokens/new");
    let made = browser.submit_from(
        &page,
        "/settings/tokens/new",
        &[("name", "x"), ("role", "read")],
    );
    assert_eq!(made.status, 201);
    let secrets = [
        browser.cookie.borrow().clone().expect("a session"),
        PASSWORD.to_owned(),
        hidden(&page, "csrf").expect("a form"),
        super::support::browser::shown_value(&made),
    ];
    let mut files = 0;
    for entry in std::fs::read_dir(world.folder.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            files += 1;
            let content = std::fs::read(&path).expect("a file");
            for secret in &secrets {
                let found = content
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!found, "{} holds a secret", path.display());
            }
        }
    }
    assert!(files > 0);
}
