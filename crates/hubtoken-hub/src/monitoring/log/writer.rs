//! Writes lines on a thread of its own, so that logging never waits for the reader.
//!
//! A request puts its line into a buffer and continues; a dedicated thread writes it. If the reader
//! is slow or gone, lines are lost (and counted), but no request waits.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use hubtoken_core::sync::lock_ignoring_poison;
use tracing_subscriber::fmt::MakeWriter;

/// The size limit of the buffer, in bytes; lines beyond it are lost.
const MAX_BUFFERED_BYTES: usize = 1 << 20;

/// The thread that writes. When this is dropped, it writes the remaining lines and ends.
pub(super) struct LogWriter {
    buffer: LineBuffer,
    thread: Option<JoinHandle<()>>,
}

/// The lines that wait to be written.
#[derive(Clone, Default)]
pub(super) struct LineBuffer(Arc<Shared>);

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

impl LogWriter {
    pub(super) fn start(mut target: impl Write + Send + 'static) -> io::Result<Self> {
        let buffer = LineBuffer::default();
        let shared = Arc::clone(&buffer.0);
        let thread = std::thread::Builder::new()
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
        Ok(Self {
            buffer,
            thread: Some(thread),
        })
    }

    pub(super) fn buffer(&self) -> LineBuffer {
        self.buffer.clone()
    }
}

impl Drop for LogWriter {
    /// Writes the remaining lines: after a shutdown, they are the first ones to be read.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.buffer.0.end();
            let _ = thread.join();
        }
    }
}

impl LineBuffer {
    /// The number of lines that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
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

    fn end(&self) {
        lock_ignoring_poison(&self.buffer).ended = true;
        self.not_empty.notify_one();
    }
}

/// One line at a time: the formatter writes each in one piece.
impl Write for &LineBuffer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineBuffer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
