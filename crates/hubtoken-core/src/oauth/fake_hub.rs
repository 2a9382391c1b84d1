//! A server that answers OAuth requests as a test says, and records them.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::endpoint::Endpoint;
use crate::sync::lock_ignoring_poison;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct FakeRequest {
    /// The method and the path.
    pub line: String,
    /// The headers, with names in lowercase.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl FakeRequest {
    /// A field of a form.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(self.body.as_bytes());
        let found = fields.find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }
}

type Answer = dyn Fn(&FakeRequest) -> Option<(u16, String)> + Send + Sync;

/// A running server; it stops accepting when it is dropped.
pub struct FakeHub {
    /// Where it listens.
    pub endpoint: Endpoint,
    requests: Arc<Mutex<Vec<FakeRequest>>>,
    stopped: Arc<AtomicBool>,
}

impl FakeHub {
    /// Starts a server. `answer` gives the status and the body of each answer, or `None` to close
    /// the connection without one.
    pub fn start(
        answer: impl Fn(&FakeRequest) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self {
            endpoint: Endpoint::parse(&address).unwrap(),
            requests: Arc::default(),
            stopped: Arc::default(),
        };
        let (requests, stopped) = (Arc::clone(&hub.requests), Arc::clone(&hub.stopped));
        let answer: Arc<Answer> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                thread::spawn(move || serve(&stream, &requests, &*answer));
            }
        });
        hub
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<FakeRequest> {
        lock_ignoring_poison(&self.requests).clone()
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees the flag.
        let _ = TcpStream::connect(self.endpoint.as_str().trim_start_matches("http://"));
    }
}

fn serve(mut stream: &TcpStream, requests: &Mutex<Vec<FakeRequest>>, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or_default() == 0 {
        return;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap_or_default();
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let request = FakeRequest {
        line: line.trim_end_matches(" HTTP/1.1\r\n").to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    };
    lock_ignoring_poison(requests).push(request.clone());
    if let Some((status, body)) = answer(&request) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        // The client may have gone.
        let _ = stream.write_all(answer.as_bytes());
    }
}
