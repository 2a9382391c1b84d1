//! The pages on which a user logs in a program by its code, and ends its logins.

use axum::body::Body;
use serde_json::{Value, json};

use super::support::browser::{Browser, PASSWORD, encoded, hidden, world_with_passwords};
use super::support::world::{Answer, World};

const DEVICE: &str = "/login/device";
const DONE: &str = "/login/device/done";
const LOGINS: &str = "/settings/logins";
const CLIENT: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const UNKNOWN: &str = "No login waits for this code";

/// Sends a form to the issuer.
fn issuer(world: &World, path: &str, fields: &[(&str, &str)]) -> Value {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = Body::from(encoded(fields));
    world.ask("POST", path, None, &headers, body).json()
}

/// A program that waits for a decision.
struct Program {
    device_code: String,
    user_code: String,
}

impl Program {
    fn new(world: &World, scope: &str) -> Self {
        let fields = [("client_id", CLIENT), ("scope", scope)];
        let answer = issuer(world, "/oauth/device", &fields);
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            device_code: text("device_code"),
            user_code: text("user_code"),
        }
    }

    /// The access token, or the error.
    fn poll(&self, world: &World) -> Result<String, String> {
        let fields = [
            ("grant_type", DEVICE_GRANT),
            ("device_code", &self.device_code),
            ("client_id", CLIENT),
        ];
        let answer = issuer(world, "/oauth/token", &fields);
        match answer["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(answer["error"].as_str().unwrap().to_owned()),
        }
    }
}

fn look(browser: &Browser<'_>, code: &str) -> Answer {
    browser.submit(DEVICE, DEVICE, &[("user_code", code)])
}

fn decide(browser: &Browser<'_>, page: &Answer, decision: &str) -> Answer {
    let code = hidden(page, "user_code").expect("a request to decide about");
    let fields = [("user_code", code.as_str()), ("decision", decision)];
    browser.submit_from(page, DEVICE, &fields)
}

fn log_in(world: &World, browser: &Browser<'_>, scope: &str) -> String {
    let program = Program::new(world, scope);
    let page = look(browser, &program.user_code);
    assert_eq!(decide(browser, &page, "approve").status, 303);
    program.poll(world).unwrap()
}

fn name(world: &World, token: &str) -> Option<String> {
    let answer = world.get("/api/whoami-v2", Some(token));
    (answer.status == 200).then(|| answer.json()["name"].as_str().unwrap().to_owned())
}

fn audited(world: &World) -> Vec<(String, String)> {
    let answer = world.admin("GET", "audit?act=oauth", None);
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let entries = answer.json()["entries"].as_array().unwrap().clone();
    let pair = |entry: &Value| (text(entry, "act"), text(entry, "actorName"));
    entries.iter().rev().map(pair).collect()
}

#[test]
fn a_program_is_logged_in_after_a_look_at_what_it_asks() {
    let world = world_with_passwords();
    let program = Program::new(&world, "");
    world.pass(125);
    // The program's address leads here, with the code filled in, by way of the sign-in page.
    let browser = Browser::new(&world);
    let there = format!("/oauth/device?user_code={}", program.user_code);
    let page = browser.get(&there).header("location").to_owned();
    let sign_in = browser.get(&page).header("location").to_owned();
    assert!(sign_in.starts_with("/login?next=%2Flogin%2Fdevice%3F"));
    let next = hidden(&browser.get(&sign_in), "next").unwrap();
    assert_eq!(next, page);
    let fields = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("next", &next),
    ];
    let answer = browser.submit(&sign_in, "/login", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, &*page));
    let form = browser.get(&page);
    assert!(
        form.text()
            .contains(&format!("value=\"{}\"", program.user_code))
    );
    assert!(!form.text().contains("Hugging Face CLI"));

    let seen = look(&browser, &program.user_code.to_ascii_lowercase());
    assert_eq!(seen.status, 200);
    for part in [
        "<strong>Hugging Face CLI and libraries</strong>",
        "<strong>alice</strong>",
        CLIENT,
        &program.user_code,
        "2 minutes ago",
        "Everything that you may do",
        "90 days",
    ] {
        assert!(seen.text().contains(part), "{part}: {}", seen.text());
    }
    assert!(!seen.text().contains(&program.device_code));
    // Nothing has happened yet, and nothing is remembered of what was looked at.
    assert_eq!(
        program.poll(&world),
        Err("authorization_pending".to_owned())
    );
    assert_eq!(audited(&world), []);

    let answer = decide(&browser, &seen, "approve");
    assert_eq!((answer.status, answer.header("location")), (303, DONE));
    let done = browser.get(DONE).text();
    assert!(done.contains("Hugging Face CLI and libraries is logged in as alice."));
    let token = program.poll(&world).unwrap();
    assert_eq!(name(&world, &token).as_deref(), Some("alice"));
    let by = |act: &str, actor: &str| (act.to_owned(), actor.to_owned());
    assert_eq!(audited(&world)[0], by("oauth.approve", "alice"));
    // The code has been decided about.
    let again = look(&browser, &program.user_code);
    assert_eq!(again.status, 422);
    assert!(again.text().contains(UNKNOWN));
}

#[test]
fn a_program_is_denied() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "bob");
    let program = Program::new(&world, "openid read-repos jobs");
    let page = look(&browser, &program.user_code);
    for part in [
        "Know who you are (openid)",
        "Read your own repositories (read-repos)",
        "Without effect on this Hub: jobs",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    assert!(!page.text().contains("Everything"));
    assert_eq!(decide(&browser, &page, "deny").status, 303);
    assert!(browser.get(DONE).text().contains("was denied"));
    assert_eq!(program.poll(&world), Err("access_denied".to_owned()));
    // The page was open in another tab.
    let late = decide(&browser, &page, "approve");
    assert_eq!(late.status, 422);
    assert!(late.text().contains(UNKNOWN));
    assert_eq!(program.poll(&world), Err("access_denied".to_owned()));
    let by_bob = |act: &str| (act.to_owned(), "bob".to_owned());
    assert_eq!(
        audited(&world),
        [by_bob("oauth.deny"), by_bob("oauth.refuse")]
    );
}

#[test]
fn a_wrong_code_is_in_the_audit_log_and_not_quoted_there() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let expired = Program::new(&world, "");
    world.pass(900);
    for code in ["BCDF-GHJK", &expired.user_code] {
        assert_eq!(look(&browser, code).status, 422);
    }
    // What is no code at all is no guess.
    assert_eq!(look(&browser, "BCDF").status, 422);
    let log = world.admin("GET", "audit?act=oauth.refuse", None);
    let entries = log.json()["entries"].as_array().unwrap().clone();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert_eq!(entry["actorName"], "alice");
        assert_eq!(entry["user"], "alice");
        assert_eq!(entry["detail"], "a code that no login waits for");
    }
    for code in ["BCDF-GHJK", &expired.user_code] {
        assert!(!log.text().contains(code) && !log.text().contains(&code.replace('-', "")));
    }
    // Beyond the limit nothing is looked up, so the log cannot be flooded.
    for _ in 0..20 {
        look(&browser, "BCDF-GHJK");
    }
    assert_eq!(audited(&world).len(), 10);
    assert!(
        browser
            .get("/settings/audit-log")
            .text()
            .contains("Refused a code or token of a login")
    );
}

#[test]
fn what_is_no_waiting_code_gets_one_sentence() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let expired = Program::new(&world, "");
    world.pass(900);
    for code in ["BCDF-GHJK", &expired.user_code] {
        let answer = look(&browser, code);
        assert_eq!(answer.status, 422, "{code}");
        let text = answer.text();
        assert!(text.contains(UNKNOWN) && text.contains("<title>Error: "));
        assert!(text.contains(&format!("value=\"{code}\"")));
    }
    for wrong in ["", "BCDF", "BCDF-GHJA", "<script>alert(1)</script>"] {
        let answer = look(&browser, wrong);
        assert_eq!(answer.status, 422, "{wrong}");
        let text = answer.text();
        assert!(text.contains("A code has eight letters") && !text.contains("<script>"));
    }
    // A code in an address is filled in if it is one, and never looked up.
    for (query, filled) in [
        ("user_code=bcdf+ghjk", "value=\"BCDF-GHJK\""),
        ("user_code=%3Cscript%3E", "value=\"\""),
        ("user_code=%ff", "value=\"\""),
        ("user_code=BCDFGHJK&user_code=x", "value=\"BCDF-GHJK\""),
        ("", "value=\"\""),
    ] {
        let answer = browser.get(&format!("{DEVICE}?{query}"));
        assert_eq!(answer.status, 200, "{query}");
        let text = answer.text();
        assert!(
            text.contains(filled) && !text.contains("mistake"),
            "{query}"
        );
    }
}

#[test]
fn nothing_is_decided_without_having_been_shown() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let (program, other) = (Program::new(&world, ""), Program::new(&world, "openid"));
    let form = browser.get(DEVICE);
    let of_other = look(&browser, &other.user_code);
    let csrf = hidden(&form, "csrf").unwrap();
    for seen in [None, Some(String::new()), hidden(&of_other, "seen")] {
        let mut fields = vec![
            ("csrf", csrf.clone()),
            ("user_code", program.user_code.clone()),
            ("decision", "approve".to_owned()),
        ];
        fields.extend(seen.map(|seen| ("seen", seen)));
        // The request is shown, as if for the first time.
        let answer = browser.post(DEVICE, &fields);
        assert_eq!(answer.status, 200);
        assert_eq!(
            hidden(&answer, "user_code").as_ref(),
            Some(&program.user_code)
        );
    }
    let page = look(&browser, &program.user_code);
    assert_eq!(decide(&browser, &page, "perhaps").status, 200);
    // Not from another site, not with the form of another visitor, and not by an address.
    let code = program.user_code.as_str();
    let fields = [
        ("csrf", csrf.as_str()),
        ("user_code", code),
        ("decision", "approve"),
        ("seen", &hidden(&page, "seen").unwrap()),
    ];
    let foreign = [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = browser.send("POST", DEVICE, &foreign, &encoded(&fields));
    assert_eq!(answer.status, 403);
    let bob = Browser::signed_in(&world, "bob");
    assert_eq!(bob.post(DEVICE, &fields).status, 403);
    let anybody = Browser::new(&world);
    assert_eq!(anybody.post(DEVICE, &fields).status, 401);
    let by_address = browser.get(&format!("{DEVICE}?{}", encoded(&fields)));
    assert_eq!(by_address.status, 200);
    assert_eq!(by_address.header("x-frame-options"), "DENY");
    for waiting in [&program, &other] {
        let pending = Err("authorization_pending".to_owned());
        assert_eq!(waiting.poll(&world), pending);
    }
    assert_eq!(audited(&world), []);
    // An access token opens no page.
    let write = world.token("alice", "x", "write");
    let bearer = format!("Bearer {write}");
    let answer = anybody.send("GET", LOGINS, &[("authorization", &bearer)], "");
    assert_eq!(answer.status, 303);
}

#[test]
fn guesses_are_limited_and_right_codes_are_not() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    for _ in 0..11 {
        log_in(&world, &browser, "openid");
    }
    for _ in 0..10 {
        assert_eq!(look(&browser, "BCDF-GHJK").status, 422);
    }
    let program = Program::new(&world, "");
    let limited = look(&browser, &program.user_code);
    assert_eq!(
        (limited.status, limited.header("retry-after")),
        (429, "900")
    );
    assert!(limited.text().contains("Wait 15 minutes, then try again."));
    assert_eq!(hidden(&limited, "user_code"), None);
    // Nor can guesses be made with a decision, or at sign-in instead.
    let fields = [
        ("user_code", program.user_code.as_str()),
        ("decision", "approve"),
    ];
    assert_eq!(browser.submit(DEVICE, DEVICE, &fields).status, 429);
    assert_eq!(Browser::new(&world).sign_in("alice", PASSWORD).status, 303);
    // Another user is not affected, until the address is used up.
    let bob = Browser::signed_in(&world, "bob");
    assert_eq!(look(&bob, &program.user_code).status, 200);
    let carol = Browser::signed_in(&world, "carol");
    for _ in 0..40 {
        look(&carol, "BCDF-GHJK");
    }
    assert_eq!(look(&bob, &program.user_code).status, 429);
    world.pass(900);
    let program = Program::new(&world, "");
    for each in [&browser, &bob, &carol] {
        assert_eq!(look(each, &program.user_code).status, 200);
    }
}

#[test]
fn logins_are_listed_and_ended() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    assert!(
        browser
            .get(LOGINS)
            .text()
            .contains("No program is logged in")
    );
    let first = log_in(&world, &browser, "");
    world.pass(1800);
    let second = log_in(&world, &browser, "openid gated-repos");
    name(&world, &second);
    // The use is written beside the request.
    let text = loop {
        let text = browser.get(LOGINS).text();
        if text.contains("2 Jan 2026, 03:34 UTC") {
            break text;
        }
    };
    let order: Vec<usize> = [
        "Know who you are (openid)",
        "public gated repositories",
        "2 Jan 2026, 03:34 UTC",
        "2 Apr 2026, 03:34 UTC",
        "unless it is renewed",
        "Everything that you may do",
        "Never",
    ]
    .iter()
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")))
    .collect();
    assert!(order.is_sorted(), "{order:?}");
    for value in [&first, &second] {
        assert!(!text.contains(&value[value.len() - 4..]));
    }
    let logins = world.admin("GET", "users/alice/logins", None).json();
    let id = logins[1]["id"].as_str().unwrap();
    let path = format!("{LOGINS}/{id}/end");
    let page = browser.get(&path);
    assert!(page.text().contains("End the login?"));
    assert_eq!(name(&world, &first).as_deref(), Some("alice"));
    // Not by others.
    let bob = Browser::signed_in(&world, "bob");
    assert_eq!(bob.get(&path).status, 404);
    assert_eq!(bob.submit(LOGINS, &path, &[]).status, 404);
    assert_eq!(browser.post::<&str>(&path, &[]).status, 403);
    assert_eq!(name(&world, &first).as_deref(), Some("alice"));

    let answer = browser.submit_from(&page, &path, &[]);
    assert_eq!((answer.status, answer.header("location")), (303, LOGINS));
    let text = browser.get(LOGINS).text();
    assert!(text.contains("Hugging Face CLI and libraries is no longer logged in."));
    assert!(!text.contains("Everything that you may do"));
    assert_eq!(name(&world, &first), None);
    assert_eq!(name(&world, &second).as_deref(), Some("alice"));
    assert_eq!(browser.submit_from(&page, &path, &[]).status, 404);
    let ended = ("oauth.end".to_owned(), "alice".to_owned());
    assert_eq!(audited(&world).last(), Some(&ended));
    // What was not renewed in time is told apart from what can still be used.
    let again = Browser::new(&world);
    world.pass(90 * 24 * 3600);
    assert_eq!(again.sign_in("alice", PASSWORD).status, 303);
    let text = again.get(LOGINS).text();
    assert!(text.contains(">Ended<") && !text.contains("unless it is renewed"));
}

#[test]
fn an_organization_sees_what_kind_of_token_a_login_is() {
    let world = world_with_passwords();
    let alice = Browser::signed_in(&world, "alice");
    let bob = Browser::signed_in(&world, "bob");
    let (whole, scoped) = (
        log_in(&world, &bob, ""),
        log_in(&world, &bob, "write-repos"),
    );
    let page = "/organizations/acme/settings/tokens";
    let text = bob.get(page).text();
    assert_eq!(text.matches("<span class=\"role\">Login</span>").count(), 1);
    assert!(text.contains("href=\"/settings/logins\">Manage<span"));
    let policy = json!({ "policy": "fine-grained-only" });
    world.admin("PUT", "organizations/acme/policy", Some(policy));
    let text = bob.get(page).text();
    assert!(text.contains("Blocked: only fine-grained tokens are allowed"));
    // An admin has found the value somewhere.
    let admin = world.token("alice", "admin", "write");
    let policy = json!({ "policy": "allow-all" });
    world.admin("PUT", "organizations/acme/policy", Some(policy));
    for value in [&whole, &scoped] {
        let path = "/api/organizations/acme/settings/tokens/revoke";
        let answer = world.post(path, Some(&admin), &json!({ "token": value }));
        assert!(answer.status < 300, "{}", answer.text());
    }
    let list = alice.get(page).text();
    assert_eq!(list.matches("<span class=\"role\">Login</span>").count(), 2);
    let logins = world.admin("GET", "users/bob/logins", None).json();
    for login in logins.as_array().unwrap() {
        let id = login["id"].as_str().unwrap();
        let text = alice.get(&format!("{page}/{id}/approve")).text();
        assert!(text.contains("It has no permission of its own in acme"));
        assert_eq!(
            text.contains("may do whatever bob may do"),
            login["scopes"].as_array().unwrap().len() > 1
        );
    }
    // A login that has ended is nobody's concern.
    world.pass(91 * 24 * 3600);
    let bob = Browser::signed_in(&world, "bob");
    assert!(!bob.get(page).text().contains(">Login<"));
}
