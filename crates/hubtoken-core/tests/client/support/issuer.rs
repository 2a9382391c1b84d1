//! A token endpoint that rotates refresh tokens. It repeats a successor until that is first used, as
//! the embedded Hub does for a minute.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::fake_hub::answer;

/// A running endpoint.
pub struct Issuer {
    endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The number of the latest tokens.
    number: usize,
    refused: usize,
}

/// The access token after that many renewals.
pub fn access(number: usize) -> String {
    format!("hf_oauth_FakeFakeFakeFakeFakeFake{number:06}")
}

/// The refresh token that came with it.
pub fn refresh(number: usize) -> String {
    format!("hf_oauth__refresh_FakeFakeFakeFake{number:06}")
}

impl Issuer {
    /// Starts an endpoint whose tokens have to be renewed at once.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { endpoint, state }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The number of the latest tokens, and how many requests were refused.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.number, state.refused)
    }
}

fn serve(mut stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        // A client that was killed sends nothing more.
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8(body).expect("text");
    let has = |number: usize| body.contains(&format!("refresh_token={}&", refresh(number)));
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if has(state.number) {
        state.number += 1;
    } else if state.number == 0 || !has(state.number - 1) {
        state.refused += 1;
        drop(state);
        let refusal = answer(400, "", r#"{"error": "invalid_grant"}"#);
        let _ = stream.write_all(refusal.as_bytes());
        return;
    }
    let issued = format!(
        r#"{{"access_token": "{}", "refresh_token": "{}", "expires_in": 0}}"#,
        access(state.number),
        refresh(state.number)
    );
    drop(state);
    let _ = stream.write_all(answer(200, "", &issued).as_bytes());
}
