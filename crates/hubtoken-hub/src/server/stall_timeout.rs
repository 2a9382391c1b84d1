//! Time-outs for clients that are slow or stall on purpose.
//!
//! A connection costs the client nothing but occupies one of the Hub's slots. So the head of a
//! request has a time-out (hyper's own), a body must keep arriving, and a response must keep being
//! read, each within the same number of seconds. A body must also make real progress: single bytes
//! do not reset its timer. That rule is why bodies have a timer of the Hub's own:
//! `tower_http::timeout::TimeoutBody` restarts with each frame, and hides the body's length.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::AsyncWrite;
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;

/// How many bytes of a body must arrive to reset the timer. A client slower than this per time-out
/// could not complete an upload anyway.
const PROGRESS_BYTES: usize = 16 << 10;

/// A request body that must keep arriving.
pub(crate) struct StallTimeoutBody {
    body: Incoming,
    timeout: Duration,
    /// Created at the first wait: most bodies are empty or already there.
    timer: Option<Pin<Box<Sleep>>>,
    bytes_since_reset: usize,
}

impl StallTimeoutBody {
    pub(crate) fn new(body: Incoming, timeout: Duration) -> Self {
        Self {
            body,
            timeout,
            timer: None,
            bytes_since_reset: 0,
        }
    }
}

impl Body for StallTimeoutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    this.bytes_since_reset += frame.data_ref().map_or(0, Bytes::len);
                }
                if this.bytes_since_reset >= PROGRESS_BYTES {
                    this.bytes_since_reset = 0;
                    this.timer = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let timeout = this.timeout;
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(timer.as_mut().poll(context));
                let slow = io::Error::new(io::ErrorKind::TimedOut, "the request body stalled");
                Poll::Ready(Some(Err(slow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose client must keep reading what is sent.
pub(crate) fn with_write_timeout<S: AsyncWrite>(
    stream: S,
    timeout: Duration,
) -> Pin<Box<TimeoutWriter<S>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(timeout));
    Box::pin(stream)
}
