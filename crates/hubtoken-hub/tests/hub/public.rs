//! A public Hub behind a proxy: which requests each listener answers, and what is reserved for the
//! owner.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use hubtoken_hub::{Hub, HubError, HubOptions, NewToken, RateLimit, RepositoryType, TokenRole};

use crate::support::time::{HANG_LIMIT, until};

/// A Hub and the port on which its proxy connects to it.
struct Public {
    hub: Hub,
    port: u16,
}

fn behind_proxy() -> Public {
    let mut options = HubOptions {
        base_url: Some("https://hub.example".to_owned()),
        behind_proxy: true,
        whoami_limit: Some(RateLimit {
            quota: 1,
            window_seconds: 300,
        }),
        ..HubOptions::default()
    };
    // A Hub with a base URL does not report its port, so a free one is picked here; it may be taken
    // by the time the Hub starts.
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        options.port = free.local_addr().unwrap().port();
        drop(free);
        match Hub::start(&options) {
            Ok(hub) => {
                return Public {
                    hub,
                    port: options.port,
                };
            }
            Err(HubError::PortTaken { .. }) => (),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Public {
    fn public(&self, path: &str, headers: &str) -> String {
        ask(&format!("127.0.0.1:{}", self.port), path, headers)
    }

    fn local(&self, path: &str, headers: &str) -> String {
        let address = self.hub.local_endpoint().strip_prefix("http://").unwrap();
        ask(address, path, &format!("Host: {address}\r\n{headers}"))
    }
}

fn ask(address: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG_LIMIT)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn it_answers_for_its_own_host_alone() {
    let world = behind_proxy();
    assert_eq!(world.hub.endpoint(), "https://hub.example");
    assert_ne!(world.hub.local_endpoint(), world.hub.endpoint());
    for (headers, expected) in [
        ("Host: hub.example\r\n", "200"),
        ("Host: HUB.EXAMPLE:443\r\n", "200"),
        ("Host: evil.example\r\n", "421"),
        ("Host: hub.example.evil.example\r\n", "421"),
        ("Host: 127.0.0.1\r\n", "421"),
        ("Host: hub.example\r\nHost: evil.example\r\n", "400"),
        (
            "X-Forwarded-Host: hub.example\r\nHost: evil.example\r\n",
            "421",
        ),
    ] {
        let answer = world.public("/api/agent-harnesses", headers);
        assert_eq!(status(&answer), expected, "{headers:?}: {answer}");
    }
    let absolute = world.public(
        "http://evil.example/api/agent-harnesses",
        "Host: hub.example\r\n",
    );
    assert!(matches!(status(&absolute), "400" | "421"), "{absolute}");
    // Health probes may use any host name.
    assert_eq!(
        status(&world.public("/healthz", "Host: 10.0.0.1\r\n")),
        "200"
    );
    assert_eq!(
        status(&world.public("/readyz", "Host: 10.0.0.1\r\n")),
        "200"
    );
}

#[test]
fn answers_name_the_base_url() {
    let world = behind_proxy();
    world.hub.create_user("alice", "Alice", None, None).unwrap();
    let answer = world.public("/api/agent-harnesses", "Host: hub.example\r\n");
    assert!(
        answer.contains("access-control-allow-origin: https://hub.example\r\n"),
        "{answer}"
    );
}

#[test]
fn administration_and_metrics_are_for_the_owner() {
    let world = behind_proxy();
    let key = format!(
        "Authorization: Bearer {}\r\n",
        world.hub.admin_key().reveal()
    );
    let host = world.hub.local_endpoint().strip_prefix("http://").unwrap();
    let users = "/-/hubtoken/v1/users";
    assert_eq!(status(&world.local(users, &key)), "200");
    assert_eq!(status(&world.local("/metrics", "")), "200");
    assert_eq!(status(&world.local("/metrics", "Origin: null\r\n")), "404");
    for headers in [
        format!("Host: hub.example\r\n{key}"),
        format!("Host: {host}\r\n{key}"),
        format!("Host: hub.example\r\nX-Forwarded-For: 127.0.0.1\r\n{key}"),
    ] {
        let answer = world.public(users, &headers);
        assert!(matches!(status(&answer), "403" | "421"), "{answer}");
    }
    assert_eq!(
        status(&world.public("/metrics", "Host: hub.example\r\n")),
        "404"
    );
    let forwarded = "Host: hub.example\r\nX-Forwarded-For: 127.0.0.1\r\n";
    assert_eq!(status(&world.public("/metrics", forwarded)), "404");
    let shown = world.public("/metrics", &format!("Host: hub.example\r\n{key}"));
    assert_eq!(status(&shown), "200", "{shown}");
    assert!(
        shown.contains("hubtoken_foreign_hosts_total 1\n"),
        "{shown}"
    );
}

#[test]
fn a_proxy_is_believed_for_whom_it_asks() {
    let world = behind_proxy();
    let wrong = |forwarded: &str| {
        let headers = format!(
            "Host: hub.example\r\nAuthorization: Bearer hf_FakeFakeFakeFakeFakeFakeFakeFakeXX\r\n{forwarded}"
        );
        status(&world.public("/api/whoami-v2", &headers)).to_owned()
    };
    assert_eq!(wrong("X-Forwarded-For: 192.0.2.1\r\n"), "401");
    assert_eq!(wrong("X-Forwarded-For: 192.0.2.1\r\n"), "429");
    // Addresses that the client sends itself come before the one that the proxy appends.
    assert_eq!(wrong("X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\n"), "429");
    assert_eq!(wrong("X-Forwarded-For: 192.0.2.1, 192.0.2.9\r\n"), "401");
}

#[test]
fn a_request_under_way_is_finished() {
    let hub = Arc::new(
        Hub::start(&HubOptions {
            grace_seconds: 3600,
            ..HubOptions::default()
        })
        .unwrap(),
    );
    hub.create_user("alice", "Alice", None, None).unwrap();
    hub.create_repository(RepositoryType::Model, "alice/m", false, None)
        .unwrap();
    let token = hub
        .create_token(
            "alice",
            NewToken {
                name: "w".to_owned(),
                role: TokenRole::Write,
                expires_at: None,
            },
        )
        .unwrap()
        .value;
    let body = "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n";
    let mut upload = TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).unwrap();
    write!(
        upload,
        "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\n\r\n{}",
        token.reveal(),
        body.len(),
        &body[..10]
    )
    .unwrap();
    // Until the Hub has begun to read it, the request is not in progress.
    until(|| hub.request_count(None).unwrap() > 0);
    let stopping = {
        let hub = Arc::clone(&hub);
        std::thread::spawn(move || hub.stop())
    };
    until(|| TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).is_err());
    assert!(!stopping.is_finished());
    upload.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.join().unwrap();
}

#[test]
fn whoever_is_in_a_hurry_does_not_wait() {
    let hub = Hub::start(&HubOptions {
        grace_seconds: 3600,
        ..HubOptions::default()
    })
    .unwrap();
    let mut stuck = TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).unwrap();
    stuck
        .write_all(b"POST /api/validate-yaml HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        .unwrap();
    until(|| hub.request_count(None).unwrap() > 0);
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| hub.stop());
        until(|| TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).is_err());
        assert!(!stopping.is_finished());
        hub.stop_now();
        stopping.join().unwrap();
    });
}
