//! An in-memory connection that delivers its bytes in the chunks that a target chose.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// A stream that delivers these chunks.
pub(crate) struct ChunkedReader<'a>(VecDeque<&'a [u8]>);

impl<'a> ChunkedReader<'a> {
    pub(crate) fn new(chunks: &[&'a [u8]]) -> Self {
        Self(chunks.iter().copied().collect())
    }
}

impl AsyncRead for ChunkedReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(chunk) = self.0.pop_front() {
            if chunk.is_empty() {
                continue;
            }
            let (now, later) = chunk.split_at(chunk.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.0.push_front(later);
            break;
        }
        Poll::Ready(Ok(()))
    }
}
