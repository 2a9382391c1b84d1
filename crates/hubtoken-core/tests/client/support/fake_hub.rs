//! A server that sends configured responses and records the requests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A running server; it stops accepting when it is dropped.
pub struct FakeHub {
    endpoint: String,
    shared: Arc<HubState>,
}

struct HubState {
    answer: Mutex<String>,
    /// Responses for specific paths, by the start of the path.
    routes: Mutex<Vec<(String, String)>>,
    /// The requested paths.
    paths: Mutex<Vec<String>>,
    /// Requests for paths that begin with this wait until the gate is opened.
    closed: Mutex<Option<String>>,
    opened: Condvar,
    requests: AtomicUsize,
    /// The `Authorization` headers that arrived.
    authorizations: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

/// A complete HTTP response.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

impl FakeHub {
    /// Starts a server that sends the same response to every request.
    pub fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(HubState {
            answer: Mutex::new(answer),
            routes: Mutex::default(),
            paths: Mutex::default(),
            closed: Mutex::default(),
            opened: Condvar::new(),
            requests: AtomicUsize::new(0),
            authorizations: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if state.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                std::thread::spawn(move || state.serve(&stream));
            }
        });
        Self { endpoint, shared }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Changes the response.
    pub fn set_answer(&self, answer: String) {
        *self
            .shared
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Sets the response for paths that begin with `path`.
    pub fn set_route(&self, path: &str, answer: String) {
        let mut routes = self
            .shared
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        routes.retain(|(known, _)| known != path);
        routes.push((path.to_owned(), answer));
    }

    /// How many requests arrived for paths that begin with `path`.
    pub fn requests_for(&self, path: &str) -> usize {
        let paths = self
            .shared
            .paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        paths.iter().filter(|asked| asked.starts_with(path)).count()
    }

    /// Sends no response from now on, until the gate is opened.
    pub fn close_gate(&self) -> Gate {
        self.close_gate_for("")
    }

    /// Sends no response for paths that begin with `path`, until the gate is opened. A gate that is
    /// closed already then holds back nothing else.
    pub fn close_gate_for(&self, path: &str) -> Gate {
        *self
            .shared
            .closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
        self.shared.opened.notify_all();
        Gate(Arc::clone(&self.shared))
    }

    /// How many requests arrived.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The `Authorization` headers that arrived.
    pub fn authorizations(&self) -> Vec<String> {
        self.shared
            .authorizations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Holds back a server's responses.
pub struct Gate(Arc<HubState>);

impl Gate {
    /// Releases all responses, present and future.
    pub fn open(&self) {
        *self.0.closed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.opened.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees the flag.
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

impl HubState {
    fn serve(&self, mut stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines();
        let mut asked = false;
        let mut path = String::new();
        while let Some(Ok(line)) = lines.next() {
            if line.is_empty() {
                break;
            }
            if !asked {
                line.split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .clone_into(&mut path);
            }
            asked = true;
            if let Some(value) = line.strip_prefix("authorization: ") {
                self.authorizations
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(value.to_owned());
            }
        }
        if asked {
            self.paths
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(path.clone());
            self.requests.fetch_add(1, Ordering::SeqCst);
            let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            drop(
                self.opened
                    .wait_while(closed, |closed| {
                        closed.as_deref().is_some_and(|held| path.starts_with(held))
                    })
                    .unwrap_or_else(PoisonError::into_inner),
            );
            let answer = self.answer_to(&path);
            let _ = stream.write_all(answer.as_bytes());
        }
    }

    fn answer_to(&self, path: &str) -> String {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let route = routes.iter().find(|(start, _)| path.starts_with(start));
        if let Some((_, answer)) = route {
            return answer.clone();
        }
        drop(routes);
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
