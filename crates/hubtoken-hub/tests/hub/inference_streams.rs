//! The inference API over loopback: chunks are forwarded as they arrive, and a disconnect on one
//! side ends the other.
//!
//! Nothing is timed. Each side waits for proof from the other before it continues, so a response or
//! body that is held back anywhere blocks the test.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use hubtoken_hub::{Hub, HubOptions, InferenceOptions, NewToken, TokenRole};

use super::support::upstream::{OK, Toy};
use crate::support::time::HANG_LIMIT;

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Running {
    hub: Hub,
    token: String,
}

fn serve(options: InferenceOptions) -> Running {
    let hub = Hub::start(&HubOptions {
        inference: options,
        ..HubOptions::default()
    })
    .unwrap();
    hub.create_user("alice", "Alice", None, None).unwrap();
    let new = NewToken {
        name: "r".to_owned(),
        role: TokenRole::Read,
        expires_at: None,
    };
    let token = hub
        .create_token("alice", new)
        .unwrap()
        .value
        .reveal()
        .to_owned();
    Running { hub, token }
}

impl Running {
    /// Starts a request; the caller writes the body.
    fn begin(&self, framing: &str) -> TcpStream {
        let address = self.hub.endpoint().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(HANG_LIMIT)).unwrap();
        write!(
            stream,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{framing}\r\n\
             Connection: close\r\n\r\n",
            self.token
        )
        .unwrap();
        stream
    }

    fn ask(&self) -> TcpStream {
        let body = r#"{"model":"m","stream":true}"#;
        let mut stream = self.begin(&format!("Content-Length: {}", body.len()));
        stream.write_all(body.as_bytes()).unwrap();
        stream
    }
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut got = Vec::new();
    let mut byte = [0];
    while !got.ends_with(end.as_bytes()) {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{got:?}");
        got.push(byte[0]);
    }
    String::from_utf8(got).unwrap()
}

/// Reads until the Hub closes or resets the connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    String::from_utf8(got).unwrap()
}

/// A function with which a fake server can send values from its thread.
fn teller<T: Send + 'static>(sender: Sender<T>) -> impl Fn(T) + Send + Sync {
    let sender = Mutex::new(sender);
    move |value| {
        let _ = sender.lock().unwrap().send(value);
    }
}

#[test]
fn an_event_is_there_before_the_next_one_is_sent() {
    let (proof, proven) = channel::<()>();
    let proven = Mutex::new(proven);
    let toy = Toy::start(move |exchange| {
        exchange.body();
        exchange.send(STREAM);
        for number in 0..3 {
            exchange.chunk(&format!("data: {number}\n\n"));
            if proven.lock().unwrap().recv_timeout(HANG_LIMIT).is_err() {
                return;
            }
        }
        exchange.chunk("data: [DONE]\n\n");
        exchange.send("0\r\n\r\n");
    });
    let running = serve(toy.for_all());
    let mut stream = running.ask();
    let head = read_until(&mut stream, "\r\n\r\n");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    assert!(head.contains("x-accel-buffering: no"), "{head}");
    for number in 0..3 {
        assert!(read_until(&mut stream, "\n\n").contains(&format!("data: {number}")));
        proof.send(()).unwrap();
    }
    assert!(rest(&mut stream).ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"));
}

#[test]
fn a_body_is_there_before_the_client_sends_the_rest() {
    let (tell, told) = channel();
    let tell = teller(tell);
    let toy = Toy::start(move |exchange| {
        let mut pieces = Vec::new();
        while let Some(piece) = exchange.piece().filter(|piece| !piece.is_empty()) {
            pieces.extend(piece);
            tell(String::from_utf8(pieces.clone()).unwrap());
        }
        exchange.send(OK);
    });
    let running = serve(toy.for_all());
    let mut stream = running.begin("Transfer-Encoding: chunked");
    let mut sent = String::new();
    for piece in [r#"{"model":"m","#, r#""messages":["#, r#""hello"]}"#] {
        write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
        sent.push_str(piece);
        assert_eq!(told.recv_timeout(HANG_LIMIT).unwrap(), sent);
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 200"));
}

/// The response of a Hub with a short time-out, which is extended if the machine is too busy for
/// the fake server to respond in time.
fn given_enough_patience(toy: &Toy, too_early: &str) -> String {
    let mut answers = (0..8).map(|doubled| {
        let running = serve(InferenceOptions {
            timeout_seconds: 1 << doubled,
            ..toy.for_all()
        });
        rest(&mut running.ask())
    });
    answers
        .find(|answer| !answer.starts_with(too_early))
        .expect("an answer")
}

#[test]
fn an_upstream_that_breaks_off_or_stops_leaves_no_whole_answer() {
    for hangs in [false, true] {
        let toy = Toy::start(move |exchange| {
            exchange.body();
            exchange.send(STREAM);
            exchange.chunk("data: 0\n\n");
            if hangs {
                exchange.wait_for_the_end();
            }
        });
        let answer = given_enough_patience(&toy, "HTTP/1.1 504");
        assert!(answer.contains("data: 0\n\n"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
    let toy = Toy::start(|exchange| {
        exchange.body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    let answer = rest(&mut serve(toy.for_all()).ask());
    assert!(answer.contains("content-length: 100\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhalf"), "{answer}");
}

#[test]
fn when_the_client_is_gone_the_upstream_is_let_go() {
    for begins in [false, true] {
        let (tell, told) = channel();
        let tell = teller(tell);
        let toy = Toy::start(move |exchange| {
            exchange.body();
            if begins {
                exchange.send(STREAM);
                exchange.chunk("data: 0\n\n");
            }
            tell("begun");
            exchange.wait_for_the_end();
            tell("ended");
        });
        let running = serve(toy.for_all());
        let mut stream = running.ask();
        assert_eq!(told.recv_timeout(HANG_LIMIT).unwrap(), "begun");
        if begins {
            read_until(&mut stream, "data: 0\n\n");
        }
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        assert_eq!(told.recv_timeout(HANG_LIMIT).unwrap(), "ended");
    }
}

#[test]
fn a_client_that_breaks_off_its_body_leaves_no_whole_request() {
    let (tell, told) = channel();
    let tell = teller(tell);
    let toy = Toy::start(move |exchange| {
        tell("begun");
        tell(match exchange.body() {
            Some(_) => "whole",
            None => "broken off",
        });
    });
    let running = serve(toy.for_all());
    let mut stream = running.begin("Content-Length: 1000");
    stream.write_all(br#"{"model":"m","x":""#).unwrap();
    assert_eq!(told.recv_timeout(HANG_LIMIT).unwrap(), "begun");
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    assert_eq!(told.recv_timeout(HANG_LIMIT).unwrap(), "broken off");
    assert!(toy.seen().is_empty());
}

#[test]
fn a_second_model_late_in_the_body_breaks_the_request_off() {
    let (tell, told) = channel();
    let tell = teller(tell);
    let toy = Toy::start(move |exchange| {
        let first = exchange.piece();
        tell(first.is_some_and(|piece| !piece.is_empty()));
        tell(exchange.body().is_some());
    });
    let running = serve(toy.for_all());
    let mut stream = running.begin("Transfer-Encoding: chunked");
    let piece = r#"{"model":"m","x":1,"#;
    write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
    assert!(told.recv_timeout(HANG_LIMIT).unwrap());
    let piece = r#""model":"other"}"#;
    write!(stream, "{:x}\r\n{piece}\r\n0\r\n\r\n", piece.len()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("names `model` twice"), "{answer}");
    assert!(!told.recv_timeout(HANG_LIMIT).unwrap());
}

#[test]
fn a_body_that_names_its_model_too_late_is_too_large() {
    let toy = Toy::plain();
    let running = serve(toy.for_all());
    let body = format!(r#"{{"messages":"{}","model":"m"}}"#, "a".repeat(5 << 20));
    let mut stream = running.begin(&format!("Content-Length: {}", body.len()));
    stream.write_all(body.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("put it first"), "{answer}");
    assert!(toy.seen().is_empty());
}

#[test]
fn many_streams_do_not_wait_for_each_other() {
    let (proof, proven) = channel::<()>();
    let proven = Mutex::new(proven);
    let toy = Toy::start(move |exchange| {
        exchange.body();
        exchange.send(STREAM);
        exchange.chunk("data: 0\n\n");
        if proven.lock().unwrap().recv_timeout(HANG_LIMIT).is_ok() {
            exchange.send("0\r\n\r\n");
        }
    });
    let running = serve(toy.for_all());
    let mut streams: Vec<_> = (0..32).map(|_| running.ask()).collect();
    for stream in &mut streams {
        read_until(stream, "data: 0\n\n");
    }
    for _ in &streams {
        proof.send(()).unwrap();
    }
    for stream in &mut streams {
        assert!(rest(stream).ends_with("0\r\n\r\n"));
    }
}

#[test]
fn what_was_counted_survives_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let toy = Toy::plain();
    let start = || {
        Hub::start(&HubOptions {
            data: Some(folder.path().to_owned()),
            inference: toy.for_all(),
            ..HubOptions::default()
        })
        .unwrap()
    };
    let hub = start();
    hub.create_user("alice", "Alice", None, None).unwrap();
    let new = NewToken {
        name: "r".to_owned(),
        role: TokenRole::Read,
        expires_at: None,
    };
    let token = hub
        .create_token("alice", new)
        .unwrap()
        .value
        .reveal()
        .to_owned();
    let running = Running { hub, token };
    for _ in 0..3 {
        assert!(rest(&mut running.ask()).starts_with("HTTP/1.1 200"));
    }
    running.hub.stop();
    let hub = start();
    assert_eq!(hub.list_tokens("alice").unwrap()[0].inference_requests, 3);
}
