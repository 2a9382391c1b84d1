//! A body that is made while it is sent: what a task puts into a channel.
//!
//! The channel is short, so a client that is slow slows down whoever makes the body. When the client goes away the
//! receiving end is dropped, and the task learns it from the channel.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::Frame;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::blocking::attempt;

/// Pieces that may wait for the client.
const WAITING: usize = 4;
/// How much is passed over at once that a client does not want.
const SKIPPED: u64 = 4 << 20;
/// How long a piece is, if there is so much.
pub(crate) const PIECE: usize = 64 << 10;

/// Where a task puts the pieces of a body. An error among them cuts the answer off, so that no client takes it for
/// whole.
pub(crate) type Pieces = Sender<io::Result<Bytes>>;

/// Where they come out.
pub(crate) type Received = Receiver<io::Result<Bytes>>;

struct Channel {
    first: Option<Bytes>,
    rest: Received,
}

impl hyper::body::Body for Channel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.rest
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

pub(crate) fn channel() -> (Pieces, Received) {
    mpsc::channel(WAITING)
}

/// The body of these pieces; what was taken out of the channel already comes first.
pub(crate) fn body(first: Bytes, rest: Received) -> Body {
    let first = (!first.is_empty()).then_some(first);
    Body::new(Channel { first, rest })
}

/// A body of so many bytes from a reader that blocks, after so many others. A thread is held for one piece at a time
/// only: a hundred slow clients must not hold all threads.
pub(crate) fn of_reader(reader: impl Read + Send + 'static, skip: u64, length: u64) -> Body {
    let (pieces, received) = channel();
    tokio::spawn(async move {
        if let Err(error) = copy(reader, skip, length, &pieces).await {
            let _ = pieces.send(Err(error)).await;
        }
    });
    body(Bytes::new(), received)
}

/// A part of a file, as a body.
pub(crate) fn of_file(mut file: File, part: &Range<u64>) -> io::Result<Body> {
    file.seek(SeekFrom::Start(part.start))?;
    Ok(of_reader(file, 0, part.end - part.start))
}

async fn copy(
    mut reader: impl Read + Send + 'static,
    mut skip: u64,
    mut length: u64,
    pieces: &Pieces,
) -> io::Result<()> {
    while skip > 0 && !pieces.is_closed() {
        let step = skip.min(SKIPPED);
        reader = attempt::<_, io::Error>(move || {
            let skipped = io::copy(&mut reader.by_ref().take(step), &mut io::sink())?;
            if skipped < step {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(reader)
        })
        .await?;
        skip -= step;
    }
    while length > 0 {
        let step = usize::try_from(length).unwrap_or(usize::MAX).min(PIECE);
        let (back, piece) = attempt::<_, io::Error>(move || {
            let mut piece = vec![0; step];
            reader.read_exact(&mut piece)?;
            Ok((reader, piece))
        })
        .await?;
        reader = back;
        length -= step as u64;
        if pieces.send(Ok(piece.into())).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(reader: impl Read + Send + 'static, skip: u64, length: u64) -> Option<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let body = of_reader(reader, skip, length);
            axum::body::to_bytes(body, usize::MAX)
                .await
                .ok()
                .map(Into::into)
        })
    }

    #[test]
    fn a_part_of_what_is_read() {
        let data: Vec<u8> = (0..300_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        let whole = io::Cursor::new(data.clone());
        assert_eq!(collected(whole.clone(), 0, 300_000).unwrap(), data);
        assert_eq!(
            collected(whole.clone(), 7, 200_000).unwrap(),
            data[7..200_007]
        );
        assert_eq!(collected(whole, 300_000, 0).unwrap(), b"");
    }

    #[test]
    fn what_ends_early_is_cut_off() {
        assert_eq!(collected(io::Cursor::new(vec![0; 10]), 5, 6), None);
        assert_eq!(collected(io::Cursor::new(vec![0; 10]), 11, 1), None);
    }
}
