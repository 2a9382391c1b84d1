//! An in-memory connection that delivers its bytes in the chunks that a target chose.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// A stream that delivers these chunks.
pub(crate) struct Arriving<'a>(VecDeque<&'a [u8]>);

impl<'a> Arriving<'a> {
    pub(crate) fn new(pieces: &[&'a [u8]]) -> Self {
        Self(pieces.iter().copied().collect())
    }
}

impl AsyncRead for Arriving<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(piece) = self.0.pop_front() {
            if piece.is_empty() {
                continue;
            }
            let (now, later) = piece.split_at(piece.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.0.push_front(later);
            break;
        }
        Poll::Ready(Ok(()))
    }
}
