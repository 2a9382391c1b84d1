//! Attacks through a browser, and the pages' defenses.

use axum::body::Body;
use serde_json::json;

use super::support::browser::{
    Browser, COOKIE, HOST, PASSWORD, encoded, hidden, world_with_passwords,
};
use super::support::world::{ENDPOINT, World};

const TOKENS: &str = "/settings/tokens";
const NEW: &str = "/settings/tokens/new";
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

fn count(world: &World, user: &str) -> usize {
    let path = format!("users/{user}/tokens");
    world
        .admin("GET", &path, None)
        .json()
        .as_array()
        .expect("a list")
        .len()
}

#[test]
fn every_page_carries_the_headers_that_protect_it() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    world.token("alice", "x", "read");
    let id = token_id(&world, "alice");
    let anybody = Browser::new(&world);
    let pages = [
        anybody.get("/login"),
        anybody.get(TOKENS),
        anybody.get("/settings/nothing"),
        anybody.send("POST", "/login", &[], ""),
        anybody.send("DELETE", "/login", &[("origin", ENDPOINT)], ""),
        browser.get(TOKENS),
        browser.get(NEW),
        browser.get(&format!("{TOKENS}/{id}")),
        browser.get(&format!("{TOKENS}/{id}/rename")),
        browser.get(&format!("{TOKENS}/{id}/permissions")),
        browser.get(&format!("{TOKENS}/{id}/refresh")),
        browser.get(&format!("{TOKENS}/{id}/delete")),
        browser.submit(NEW, NEW, &[("name", "new"), ("role", "write")]),
        browser.get("/settings/password"),
        browser.get("/settings/logins"),
        browser.get("/login/device"),
        browser.submit("/login/device", "/login/device", &[("user_code", "x")]),
        browser.get("/login/device/done"),
        browser.get("/organizations/acme/settings/members"),
        browser.get("/organizations/acme/settings/members/bob/remove"),
        browser.get("/organizations/acme/settings/tokens"),
        browser.get("/organizations/acme/settings/audit-log"),
        browser.get("/settings/audit-log?from=never"),
        browser.get("/"),
    ];
    for page in &pages {
        assert_eq!(page.header("content-security-policy"), POLICY);
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("access-control-allow-origin").is_empty());
        assert!(page.header("content-type").starts_with("text/html") || page.body.is_empty());
        // Nothing that the content security policy would have to block.
        let text = page.text();
        for inline in [
            "<style",
            "style=\"",
            "onclick",
            "onload",
            "javascript:",
            "<script>",
        ] {
            assert!(!text.contains(inline), "{inline}");
        }
    }
}

#[test]
fn stylesheet_and_script_may_be_kept_and_are_ours_alone() {
    let world = world_with_passwords();
    let browser = Browser::new(&world);
    let page = browser.get("/login").text();
    let style = page
        .split_once("rel=\"stylesheet\" href=\"")
        .expect("a stylesheet")
        .1;
    let style = style.split_once('"').expect("an address").0;
    assert!(style.starts_with("/static/hubtoken.css?"));
    for (path, kind) in [
        (style, "text/css; charset=utf-8"),
        ("/static/copy.js", "text/javascript; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
    ] {
        let answer = browser.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        assert!(answer.header("cache-control").contains("immutable"));
        assert!(answer.header("set-cookie").is_empty());
        assert!(!answer.text().contains("http://") || kind == "image/svg+xml");
    }
}

#[test]
fn a_form_needs_the_token_of_its_own_visitor() {
    let world = world_with_passwords();
    let alice = Browser::signed_in(&world, "alice");
    let bob = Browser::signed_in(&world, "bob");
    let anybody = Browser::new(&world);
    let foreign = [
        None,
        Some(String::new()),
        Some("0".repeat(64)),
        hidden(&bob.get(NEW), "csrf"),
        hidden(&anybody.get("/login"), "csrf"),
        alice.cookie.borrow().clone(),
    ];
    for token in foreign {
        let mut fields = vec![
            ("name", "x".to_owned()),
            ("role", "write".to_owned()),
            ("once", "a".repeat(64)),
        ];
        if let Some(token) = token {
            fields.push(("csrf", token));
        }
        let answer = alice.post(NEW, &fields);
        assert_eq!(answer.status, 403);
        let text = answer.text();
        assert!(
            text.contains("Open the page again") && text.contains("href=\"/settings/tokens/new\"")
        );
    }
    assert_eq!(count(&world, "alice"), 0);
    // Forms of other sites cannot sign users out or in.
    assert_eq!(alice.post("/logout", &[("csrf", "x")]).status, 403);
    assert_eq!(alice.get(TOKENS).status, 200);
    let fields = [("csrf", "x"), ("username", "alice"), ("password", PASSWORD)];
    assert_eq!(anybody.post("/login", &fields).status, 403);
    assert_eq!(Browser::new(&world).post("/login", &fields).status, 403);
}

#[test]
fn a_form_from_another_site_is_refused_even_with_the_right_token() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let page = browser.get(NEW);
    let fields = [
        ("csrf", hidden(&page, "csrf").expect("a form")),
        ("once", hidden(&page, "once").expect("a key")),
        ("name", "x".to_owned()),
        ("role", "read".to_owned()),
    ];
    let body = encoded(&fields);
    for headers in [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:9090")],
        &[("origin", "http://localhost:8080")],
        &[("origin", ENDPOINT), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        let answer = browser.send("POST", NEW, headers, &body);
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(count(&world, "alice"), 0);
    let answer = browser.send("POST", NEW, &[("origin", ENDPOINT)], &body);
    assert_eq!(answer.status, 201);
}

#[test]
fn only_the_own_host_is_answered() {
    let world = world_with_passwords();
    for path in [
        "/login",
        TOKENS,
        "/static/hubtoken.css",
        "/settings/nothing",
    ] {
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:8080.evil.example",
        ] {
            let answer = world.ask("GET", path, None, &[("host", host)], Body::empty());
            assert_eq!(answer.status, 421, "{host}");
            assert!(
                answer
                    .text()
                    .contains("href=\"http://127.0.0.1:8080/settings/tokens\"")
            );
            assert!(!answer.text().contains("evil"));
            assert!(answer.header("set-cookie").is_empty());
        }
        assert_eq!(world.get(path, None).status, 421);
        let twice = [("host", HOST), ("host", "evil.example")];
        assert_eq!(
            world.ask("GET", path, None, &twice, Body::empty()).status,
            421
        );
    }
}

#[test]
fn names_are_text_and_never_markup() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{7*7}}";
    let made = browser.submit(NEW, NEW, &[("name", name), ("role", "read")]);
    assert_eq!(made.status, 201);
    let id = token_id(&world, "alice");
    let other = "<b onmouseover=alert(2)>";
    let base = format!("{TOKENS}/{id}");
    let renamed = browser.submit(
        &format!("{base}/rename"),
        &format!("{base}/rename"),
        &[("name", other)],
    );
    assert_eq!(renamed.status, 303);
    let pages = [
        made,
        browser.get(&base),
        browser.get(TOKENS),
        browser.get(&format!("{base}/rename")),
        browser.get(&format!("{base}/permissions")),
        browser.get(&format!("{base}/refresh")),
        browser.get(&format!("{base}/delete")),
        browser.get(&format!("{NEW}?tokenType=%3Cscript%3E&orgs=%3Cscript%3Ealert(1)%3C/script%3E&ownUserPermissions=%3Cimg%3E")),
        browser.submit(NEW, NEW, &[("name", ""), ("role", "\"><script>"), ("own", "<script>"), ("expires", "<script>"), ("in.<script>", "<script>")]),
        browser.submit(NEW, NEW, &[("name", "x"), ("role", "fineGrained"), ("repository.0", "<script>alert(1)</script>"), ("repository.0.may", "<script>")]),
        browser.submit(&format!("{base}/rename"), &format!("{base}/rename"), &[("name", "\u{7}<script>")]),
        Browser::new(&world).submit("/login", "/login", &[("username", "\"><script>"), ("password", "x"), ("next", "\"><script>")]),
        browser.submit("/organizations/acme/settings/members", "/organizations/acme/settings/members", &[("user", "<script>"), ("role", "read"), ("step", "add")]),
    ];
    for page in &pages {
        let text = page.text();
        for markup in [
            "<script>",
            "<img src=x",
            "<b on",
            "onerror=alert(1)>",
            "\"><",
        ] {
            // The pages' own markup does not contain these.
            let clean = text.replace("\"><span", "").replace("\"><strong", "");
            if markup == "\"><" {
                assert!(!clean.contains("\"><script"), "{text}");
            } else {
                assert!(!text.contains(markup), "{markup}: {text}");
            }
        }
    }
    assert!(pages[1].text().contains("&#60;b onmouseover=alert(2)&#62;"));
}

#[test]
fn what_belongs_to_others_is_not_there() {
    let world = world_with_passwords();
    world.token("bob", "bobs", "write");
    let id = token_id(&world, "bob");
    let alice = Browser::signed_in(&world, "alice");
    let csrf = hidden(&alice.get(TOKENS), "csrf").expect("a form");
    for rest in ["", "/rename", "/permissions", "/refresh", "/delete"] {
        for id in [
            id.as_str(),
            "bobs",
            "ffffffffffffffffffffffff",
            "x%2Fy",
            "%3Cscript%3E",
            "%00",
        ] {
            let path = format!("{TOKENS}/{id}{rest}");
            assert_eq!(alice.get(&path).status, 404, "{path}");
            if !rest.is_empty() {
                let fields = [
                    ("csrf", csrf.clone()),
                    ("once", "a".repeat(64)),
                    ("name", "mine".to_owned()),
                ];
                assert_eq!(alice.post(&path, &fields).status, 404, "{path}");
            }
        }
    }
    let left = world.admin("GET", "users/bob/tokens", None).json();
    assert_eq!(
        (&left[0]["name"], &left[0]["id"]),
        (&json!("bobs"), &json!(id))
    );
    // Tokens are found by id here, not by name.
    let carol = Browser::signed_in(&world, "carol");
    world.token("carol", "mine", "read");
    assert_eq!(carol.get(&format!("{TOKENS}/mine")).status, 404);
    // Organizations of which the user is not a member have no settings page.
    for path in [
        "/organizations/acme/settings/members",
        "/organizations/acme/settings",
        "/organizations/nothing/settings/members",
    ] {
        assert_eq!(carol.get(path).status, 404);
    }
}

#[test]
fn an_access_token_opens_no_page() {
    let world = world_with_passwords();
    let token = world.token("alice", "w", "write");
    let bearer = format!("Bearer {token}");
    let headers = [("host", HOST), ("authorization", bearer.as_str())];
    let answer = world.ask("GET", TOKENS, None, &headers, Body::empty());
    assert_eq!(answer.status, 303);
}

#[test]
fn a_form_that_is_no_form_or_too_large_is_refused() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let origin = ("origin", ENDPOINT);
    let csrf = hidden(&browser.get(NEW), "csrf").expect("a form");
    let large = format!("csrf={csrf}&name={}", "x".repeat(70_000));
    assert_eq!(browser.send("POST", NEW, &[origin], &large).status, 413);
    let cookie = format!(
        "{COOKIE}={}",
        browser.cookie.borrow().as_deref().expect("a session")
    );
    for content_type in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let headers = [
            ("host", HOST),
            ("cookie", cookie.as_str()),
            origin,
            ("content-type", content_type),
        ];
        let answer = world.ask(
            "POST",
            NEW,
            None,
            &headers,
            Body::from(format!("csrf={csrf}")),
        );
        assert_eq!(answer.status, 415, "{content_type}");
    }
    assert_eq!(
        browser.send("POST", NEW, &[origin], "%%%=&&&==").status,
        403
    );
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(browser.send(method, TOKENS, &[origin], "").status, 405);
    }
}

#[test]
fn a_broken_cookie_is_nobody() {
    let world = world_with_passwords();
    let browser = Browser::signed_in(&world, "alice");
    let good = browser.cookie.borrow().clone().expect("a session");
    for value in [
        "",
        "x",
        &good[1..],
        &format!("{good}0"),
        &good
            .to_uppercase()
            .replace(|c: char| c.is_ascii_digit(), "A"),
        "<script>",
        "%00",
    ] {
        let cookie = format!("{COOKIE}={value}");
        let headers = [("host", HOST), ("cookie", cookie.as_str())];
        let answer = world.ask("GET", TOKENS, None, &headers, Body::empty());
        assert_eq!(answer.status, 303, "{value}");
    }
    let twice = format!("{COOKIE}={good}; {COOKIE}={good}");
    let headers = [("host", HOST), ("cookie", twice.as_str())];
    assert_eq!(
        world
            .ask("GET", TOKENS, None, &headers, Body::empty())
            .status,
        303
    );
}

#[test]
fn pages_are_for_their_own_paths_only() {
    let world = world_with_passwords();
    let host = [("host", HOST)];
    for path in [
        "/settings/x",
        "/settings/tokens/a/b/c",
        "/organizations",
        "/login/x",
        "/logout/x",
        "/settings/a/resolve/main/x",
    ] {
        let answer = world.ask("GET", path, None, &host, Body::empty());
        assert!(matches!(answer.status, 404 | 405), "{path}");
        assert!(
            answer.header("content-type").starts_with("text/html"),
            "{path}"
        );
        assert!(answer.text().contains("There is nothing here"), "{path}");
    }
    for path in ["/alice/x", "/settingsx", "/api/nothing", "/static/nothing"] {
        let answer = world.ask("GET", path, None, &host, Body::empty());
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.header("content-type").contains("html"), "{path}");
        assert!(answer.header("content-security-policy").is_empty());
    }
    // The API ignores cookies and hosts.
    let token = world.token("alice", "x", "read");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("host", "anything.example"),
        ("cookie", "a=b"),
        ("authorization", bearer.as_str()),
    ];
    assert_eq!(
        world
            .ask("GET", "/api/whoami-v2", None, &headers, Body::empty())
            .status,
        200
    );
}

fn token_id(world: &World, user: &str) -> String {
    let path = format!("users/{user}/tokens");
    let tokens = world.admin("GET", &path, None).json();
    tokens[0]["id"].as_str().expect("a token").to_owned()
}
