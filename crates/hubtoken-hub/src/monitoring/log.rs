//! The Hub's log: one line per event, as text for people or as JSON for programs.
//!
//! A line states what happened, when, on which route, for which user and with what result. It never
//! contains a header, query, body or path, because any of them may contain a token by mistake. The
//! caller is identified by user name and token id.
//!
//! A request puts its line into a buffer and continues; a dedicated thread writes it. If the reader
//! is slow or gone, lines are lost (and counted), but no request waits.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::{Map, Value};

use crate::clock::{Clock, iso};
use hubtoken_core::sync::lock_ignoring_poison;

/// The size limit of the buffer, in bytes; lines beyond it are lost.
const MAX_BUFFERED_BYTES: usize = 1 << 20;

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-02T03:04:05.006Z info request method=GET …`.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// Failures of the Hub, with their cause.
    Error,
    /// Also what the owner should look into.
    Warn,
    /// Also every request.
    Info,
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// The log of a Hub. Checking whether a level is enabled is cheap.
pub(crate) struct Log {
    format: LogFormat,
    level: LogLevel,
    clock: Clock,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    not_empty: Condvar,
    lost: AtomicU64,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    ended: bool,
}

impl Log {
    /// A log that discards everything.
    pub(crate) fn disabled() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Off,
            clock: Clock::system(),
            shared: Arc::default(),
            writer: None,
        }
    }

    /// A log that writes its lines to an output.
    pub(crate) fn new(
        format: LogFormat,
        level: LogLevel,
        clock: Clock,
        mut target: impl Write + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut log = Self::disabled();
        if level == LogLevel::Off {
            return Ok(log);
        }
        let shared = Arc::clone(&log.shared);
        let writer = std::thread::Builder::new()
            .name("hubtoken-log".to_owned())
            .spawn(move || {
                while let Some(bytes) = shared.next() {
                    if target
                        .write_all(&bytes)
                        .and_then(|()| target.flush())
                        .is_err()
                    {
                        let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
                        shared.lost.fetch_add(lines as u64, Ordering::Relaxed);
                    }
                }
            })?;
        log.format = format;
        log.level = level;
        log.clock = clock;
        log.writer = Some(writer);
        Ok(log)
    }

    /// Whether lines of this level are written.
    pub(crate) fn enabled(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// The number of lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Writes a line, if its level is enabled. Null fields are left out.
    pub(crate) fn write(&self, level: LogLevel, message: &str, fields: &[(&'static str, Value)]) {
        if !self.enabled(level) {
            return;
        }
        let time = iso(self.clock.now());
        let fields = fields.iter().filter(|(_, value)| !value.is_null());
        let mut line = match self.format {
            LogFormat::Json => {
                let mut object = Map::new();
                object.insert("time".to_owned(), time.into());
                object.insert("level".to_owned(), level.name().into());
                object.insert("message".to_owned(), message.into());
                object.extend(fields.map(|(name, value)| ((*name).to_owned(), value.clone())));
                Value::Object(object).to_string()
            }
            LogFormat::Text => {
                let mut line = format!("{time} {} {message}", level.name());
                for (name, value) in fields {
                    // Writing to a string cannot fail.
                    let _ = match value {
                        Value::String(text) if is_plain(text) => write!(line, " {name}={text}"),
                        value => write!(line, " {name}={value}"),
                    };
                }
                line
            }
        };
        line.push('\n');
        self.shared.add(line.as_bytes());
    }
}

/// Whether a value can be written without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'=')
}

impl Shared {
    fn add(&self, line: &[u8]) {
        let mut buffer = lock_ignoring_poison(&self.buffer);
        if buffer.bytes.len() + line.len() > MAX_BUFFERED_BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = buffer.bytes.is_empty();
        buffer.bytes.extend_from_slice(line);
        drop(buffer);
        if first {
            self.not_empty.notify_one();
        }
    }

    /// The lines buffered since the last call; `None` at the end.
    fn next(&self) -> Option<Vec<u8>> {
        let buffer = lock_ignoring_poison(&self.buffer);
        let mut buffer = self
            .not_empty
            .wait_while(buffer, |buffer| buffer.bytes.is_empty() && !buffer.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::take(&mut buffer.bytes);
        (!bytes.is_empty()).then_some(bytes)
    }
}

impl Drop for Log {
    /// Writes the remaining lines: after a shutdown, they are the first ones to be read.
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            lock_ignoring_poison(&self.shared.buffer).ended = true;
            self.shared.not_empty.notify_one();
            let _ = writer.join();
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Log({})", self.level.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use time::macros::datetime;

    struct Target(Sender<Vec<u8>>);

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .send(bytes.to_vec())
                .map_err(|_| std::io::Error::other("no reader"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, level: LogLevel) -> (Log, Receiver<Vec<u8>>) {
        let (sender, receiver) = channel();
        let clock = Clock::new(|| datetime!(2026-01-02 03:04:05.006 UTC));
        let log = Log::new(format, level, clock, Target(sender)).unwrap();
        (log, receiver)
    }

    fn written(log: Log, receiver: &Receiver<Vec<u8>>) -> String {
        drop(log);
        String::from_utf8(receiver.try_iter().flatten().collect()).unwrap()
    }

    #[test]
    fn lines_for_people() {
        let (log, receiver) = log(LogFormat::Text, LogLevel::Info);
        let fields = [
            ("status", json!(200)),
            ("user", json!("alice")),
            ("token", Value::Null),
            ("cause", json!("two\nlines a=\"b\"")),
        ];
        log.write(LogLevel::Info, "request", &fields);
        assert_eq!(
            written(log, &receiver),
            "2026-01-02T03:04:05.006Z info request status=200 user=alice cause=\"two\\nlines a=\\\"b\\\"\"\n"
        );
    }

    #[test]
    fn lines_for_programs() {
        let (log, receiver) = log(LogFormat::Json, LogLevel::Error);
        log.write(LogLevel::Warn, "not wanted", &[]);
        log.write(LogLevel::Error, "failed", &[("cause", json!("a\nb"))]);
        let text = written(log, &receiver);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({ "time": "2026-01-02T03:04:05.006Z", "level": "error", "message": "failed", "cause": "a\nb" })
        );
    }

    #[test]
    fn a_reader_that_has_gone_away_costs_lines_and_nothing_else() {
        let (log, receiver) = log(LogFormat::Text, LogLevel::Info);
        drop(receiver);
        for _ in 0..3 {
            log.write(LogLevel::Info, "x", &[]);
        }
        let shared = Arc::clone(&log.shared);
        drop(log);
        assert_eq!(shared.lost.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn what_waits_is_bounded() {
        let shared = Shared::default();
        let line = [b'x'; 1000];
        for _ in 0..2000 {
            shared.add(&line);
        }
        assert!(shared.buffer.lock().unwrap().bytes.len() <= MAX_BUFFERED_BYTES);
        assert!(shared.lost.load(Ordering::Relaxed) > 900);
    }
}
