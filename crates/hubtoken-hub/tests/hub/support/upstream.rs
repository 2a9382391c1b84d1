//! A fake upstream server for the inference API, whose responses the test controls chunk by chunk.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hubtoken_hub::{InferenceOptions, Upstream};

use crate::support::time::HANG_LIMIT;

/// A running fake server. It stops accepting connections when dropped.
pub struct Toy {
    pub url: String,
    /// The requests whose bodies arrived completely.
    whole: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
}

/// A request as the fake server received it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    /// The headers in lower case, with a line break before and after each.
    pub headers: String,
    pub body: Vec<u8>,
}

/// One request to the fake server, with the connection for its response.
pub struct Exchange {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    pub line: String,
    pub headers: String,
    whole: Arc<Mutex<Vec<Seen>>>,
}

impl Toy {
    pub fn start(serve: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (whole, stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (seen, ended) = (Arc::clone(&whole), Arc::clone(&stopped));
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (serve, seen) = (Arc::clone(&serve), Arc::clone(&seen));
                std::thread::spawn(move || {
                    if let Some(mut exchange) = Exchange::read(stream, seen) {
                        serve(&mut exchange);
                    }
                });
            }
        });
        Self {
            url,
            whole,
            stopped,
        }
    }

    /// Reads each request and sends the same response to all.
    pub fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::start(move |exchange| {
            if exchange.body().is_some() {
                exchange.send(&answer);
            }
        })
    }

    /// Answers with `{}`.
    pub fn plain() -> Self {
        Self::answering(OK)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.whole.lock().unwrap().clone()
    }

    /// Hub options with this as the upstream of all models.
    pub fn for_all(&self) -> InferenceOptions {
        for_all(&self.url)
    }
}

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                      Connection: close\r\n\r\n{}";

pub fn for_all(url: &str) -> InferenceOptions {
    of(&[("*", url)])
}

pub fn of(upstreams: &[(&str, &str)]) -> InferenceOptions {
    InferenceOptions {
        upstreams: upstreams
            .iter()
            .map(|(model, url)| Upstream {
                model: (*model).to_owned(),
                url: (*url).to_owned(),
                key_file: None,
            })
            .collect(),
        ..InferenceOptions::default()
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees the flag.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl Exchange {
    fn read(stream: TcpStream, whole: Arc<Mutex<Vec<Seen>>>) -> Option<Self> {
        stream.set_read_timeout(Some(HANG_LIMIT)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut headers = "\n".to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            headers.push_str(&header.trim().to_ascii_lowercase());
            headers.push('\n');
        }
        Some(Self {
            stream,
            reader,
            line: line.trim().to_owned(),
            headers,
            whole,
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let start = self.headers.find(&format!("\n{name}: "))? + name.len() + 3;
        self.headers[start..].lines().next()
    }

    /// The whole body, or `None` if it was cut off.
    pub fn body(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if let Some(length) = self.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.reader.read_exact(&mut body).ok()?;
        } else {
            loop {
                let piece = self.piece()?;
                if piece.is_empty() {
                    break;
                }
                body.extend(piece);
            }
        }
        self.whole.lock().unwrap().push(Seen {
            line: self.line.clone(),
            headers: self.headers.clone(),
            body: body.clone(),
        });
        Some(body)
    }

    /// The next chunk of a chunked body: empty at its end, `None` if it was cut off.
    pub fn piece(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        self.reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut piece = vec![0; size + 2];
        self.reader.read_exact(&mut piece).ok()?;
        piece.truncate(size);
        Some(piece)
    }

    pub fn send(&mut self, text: &str) {
        // The client may have disconnected.
        let _ = self.stream.write_all(text.as_bytes());
    }

    pub fn chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// Waits until the other end has closed the connection.
    pub fn wait_for_the_end(&mut self) {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
    }
}
