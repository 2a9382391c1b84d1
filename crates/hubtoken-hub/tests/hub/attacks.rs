//! Hostile clients: slow ones, greedy ones, and ones that send ambiguous framing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hubtoken_hub::{Hub, HubOptions, Limits, NewToken, RepositoryType, TokenRole};
use tempfile::TempDir;

use crate::support::time::{HANG_LIMIT, until};

/// Never elapses in a test that does not wait for it.
const NEVER: u32 = 3600;

/// A Hub with a short time-out for heads, or for bodies and responses. Never for both: a busy
/// machine may delay what a test means to send in time.
fn impatient(header_seconds: u32, stall_seconds: u32) -> HubOptions {
    HubOptions {
        limits: Limits {
            connections: 4,
            header_seconds,
            stall_seconds,
            ..Limits::default()
        },
        ..HubOptions::default()
    }
}

fn start(options: &HubOptions) -> Hub {
    Hub::start(options).unwrap()
}

fn connect(hub: &Hub) -> TcpStream {
    let stream = TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(HANG_LIMIT)).unwrap();
    stream
}

/// Reads until the Hub closes the connection; a reset counts as closed as well.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn said(hub: &Hub, request: &[u8]) -> String {
    let mut stream = connect(hub);
    // The Hub may respond before everything is sent.
    let _ = stream.write_all(request);
    rest(&mut stream)
}

/// The value of a metric.
fn metric(hub: &Hub, name: &str) -> String {
    let host = hub.endpoint().strip_prefix("http://").unwrap();
    let page = said(
        hub,
        format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    page.lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")))
        .unwrap_or_else(|| panic!("{page}"))
        .to_owned()
}

fn token(hub: &Hub) -> String {
    hub.create_user("alice", "Alice", None, None).unwrap();
    hub.create_repository(RepositoryType::Model, "alice/m", false, None)
        .unwrap();
    let new = NewToken {
        name: "w".to_owned(),
        role: TokenRole::Write,
        expires_at: None,
    };
    let created = hub.create_token("alice", new).unwrap();
    created.value.reveal().to_owned()
}

#[test]
fn a_head_that_never_ends_loses_its_connection() {
    let hub = start(&impatient(1, NEVER));
    let mut streams: Vec<_> = (0..4).map(|_| connect(&hub)).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        let head: &[u8] = if number == 0 {
            b""
        } else {
            b"GET / HTTP/1.1\r\nHost: x\r\nX-"
        };
        stream.write_all(head).unwrap();
    }
    // All slots are taken; this connection waits until the others have timed out.
    until(|| {
        // If its own head was late, the response proves nothing.
        let answer = said(
            &hub,
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        );
        answer.starts_with("HTTP/1.1 200")
    });
    for mut stream in streams {
        let answer = rest(&mut stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let hub = start(&impatient(NEVER, 1));
    let token = token(&hub);
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut stream = connect(&hub);
        write!(
            stream,
            "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
        )
        .unwrap();
        let answer = rest(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(
            answer.ends_with("{\"error\":\"The request was cut off\"}"),
            "{answer}"
        );
    }
    assert_eq!(metric(&hub, "hubtoken_uploads"), "0");
}

/// Single bytes do not count as progress, neither in a head nor in a body.
#[test]
fn a_trickle_is_cut_off() {
    let hub = start(&impatient(NEVER, 1));
    let token = token(&hub);
    let of_heads = start(&impatient(1, NEVER));
    let commit = format!(
        "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    );
    for (hub, beginning, bytes, answers) in [
        (
            &of_heads,
            "GET / HTTP/1.1\r\nHost: x\r\nX-".to_owned(),
            "a",
            ["", "HTTP/1.1 408"],
        ),
        (
            &hub,
            format!("{commit}Content-Length: 100000\r\n\r\n"),
            " ",
            ["HTTP/1.1 400"; 2],
        ),
        (
            &hub,
            format!("{commit}Transfer-Encoding: chunked\r\n\r\n"),
            "1\r\n \r\n",
            ["HTTP/1.1 400"; 2],
        ),
    ] {
        let mut stream = connect(hub);
        stream.write_all(beginning.as_bytes()).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let trickling = std::thread::spawn(move || {
            while writer.write_all(bytes.as_bytes()).is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let answer = rest(&mut stream);
        let is_expected = |start: &&str| answer.get(..12).unwrap_or_default() == *start;
        assert!(answers.iter().any(is_expected), "{beginning}: {answer}");
        drop(stream);
        trickling.join().unwrap();
    }
}

/// Otherwise any client that may write could occupy every thread, even unintentionally.
#[test]
fn uploads_that_take_long_hold_nobody_up() {
    let hub = start(&HubOptions {
        limits: Limits {
            header_seconds: NEVER,
            stall_seconds: NEVER,
            ..Limits::default()
        },
        ..HubOptions::default()
    });
    let token = token(&hub);
    let slow = 50;
    let _streams: Vec<_> = (0..slow)
        .map(|_| {
            let mut stream = connect(&hub);
            write!(
                stream,
                "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
                 Content-Length: 100000\r\n\r\n{{"
            )
            .unwrap();
            stream
        })
        .collect();
    until(|| metric(&hub, "hubtoken_uploads") == slow.to_string());
    let answer = said(
        &hub,
        b"GET /alice/m/resolve/main/.gitattributes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let folder = TempDir::new().unwrap();
    let in_folder = |options| HubOptions {
        data: Some(folder.path().to_owned()),
        ..options
    };
    let hub = start(&in_folder(HubOptions::default()));
    let token = token(&hub);
    let content = "x".repeat(16 << 20);
    let body = format!(
        "{{\"key\":\"header\",\"value\":{{\"summary\":\"s\"}}}}\n{{\"key\":\"file\",\"value\":{{\"path\":\"a\",\"encoding\":\"base64\",\"content\":\"{content}\"}}}}\n"
    );
    let answer = said(
        &hub,
        format!(
            "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    hub.stop();
    let hub = start(&in_folder(impatient(NEVER, 1)));
    let mut greedy = connect(&hub);
    let request = "GET /alice/m/resolve/main/a HTTP/1.1\r\nHost: x\r\n\r\n";
    greedy.write_all(request.repeat(4).as_bytes()).unwrap();
    // The request is being answered, so its connection is or was counted: the Hub may already have
    // closed it.
    let _ = greedy.read_exact(&mut [0; 8]);
    // The only remaining connection is the one that requests the metrics.
    until(|| metric(&hub, "hubtoken_connections") == "1");
    assert!(rest(&mut greedy).len() < 4 * content.len());
}

#[test]
fn heads_and_bodies_have_a_largest_size() {
    let hub = start(&impatient(NEVER, NEVER));
    let long = "a".repeat(256 * 1024);
    let many = "X-Many: a\r\n".repeat(200);
    for (request, status) in [
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
            "431",
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), "431"),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {long}\r\n\r\n"),
            "431",
        ),
    ] {
        let answer = said(&hub, request.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let answer = said(
        &hub,
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
    );
    assert!(
        ["HTTP/1.1 414", "HTTP/1.1 431"]
            .iter()
            .any(|start| answer.starts_with(start)),
        "{answer}"
    );
    let token = token(&hub);
    let size = 17 << 20;
    let answer = said(
        &hub,
        format!(
            "POST /api/repos/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {size}\r\n\
             Connection: close\r\n\r\n{}",
            " ".repeat(size)
        )
        .as_bytes(),
    );
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// If a proxy and a server disagree about where a request ends, one client can speak for another.
/// So ambiguous requests are rejected, and nothing that follows on that connection is treated as a
/// request.
#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let hub = start(&impatient(NEVER, NEVER));
    let hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = hidden.len();
    for head in [
        "Content-Length: 5\r\nContent-Length: 6".to_owned(),
        format!("Content-Length: {length}, 0"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: 0x{length:x}"),
        format!("Content-Length : {length}"),
        "Content-Length: -1".to_owned(),
        "Content-Length: 18446744073709551616".to_owned(),
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "X: a\r\n Transfer-Encoding: chunked".to_owned(),
        "X: a\r\n\0Y: b".to_owned(),
    ] {
        let answer = said(
            &hub,
            format!("POST /healthz HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{hidden}").as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
}

#[test]
fn what_is_no_http_gets_no_service() {
    let hub = start(&impatient(NEVER, NEVER));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\0",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
    ] {
        let answer = said(&hub, bytes);
        assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    }
    assert!(said(&hub, b"GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200"));
}
