//! A response body that is produced while it is sent, through a channel that a task writes to.
//!
//! The channel is short, so a slow client slows down the producer. When the client disconnects, the
//! receiving end is dropped and the task sees a closed channel.
//!
//! Files are read here too, not by `tokio_util::io::ReaderStream`: git's objects come out of a
//! blocking decoder, and a file that ends early must fail the body, where that stream just ends.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::ops::Range;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::blocking::spawn_io;

/// Chunks that may wait for the client.
const CHANNEL_CAPACITY: usize = 4;
/// How many bytes are skipped at once.
const SKIP_STEP: u64 = 4 << 20;
/// The size of a chunk, unless less is left.
pub(crate) const CHUNK_SIZE: usize = 64 << 10;

/// The sending end of a body. An error cuts the response off, so that no client mistakes it for
/// complete.
pub(crate) type BodySender = Sender<io::Result<Bytes>>;

/// The receiving end of a body.
pub(crate) type BodyReceiver = Receiver<io::Result<Bytes>>;

pub(crate) fn channel() -> (BodySender, BodyReceiver) {
    mpsc::channel(CHANNEL_CAPACITY)
}

/// A body made of these chunks, after `first`, which was already taken out of the channel.
pub(crate) fn body(first: Bytes, rest: BodyReceiver) -> Body {
    let first = (!first.is_empty()).then_some(Ok(first));
    Body::from_stream(tokio_stream::iter(first).chain(ReceiverStream::new(rest)))
}

/// A body of `length` bytes from a blocking reader, after skipping `skip` bytes. A thread is only
/// held while one chunk is read: a hundred slow clients must not occupy all threads.
pub(crate) fn from_reader(reader: impl Read + Send + 'static, skip: u64, length: u64) -> Body {
    let (sender, receiver) = channel();
    tokio::spawn(async move {
        if let Err(error) = copy(reader, skip, length, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    body(Bytes::new(), receiver)
}

/// A body with a part of a file.
pub(crate) fn from_file(mut file: File, part: &Range<u64>) -> io::Result<Body> {
    file.seek(SeekFrom::Start(part.start))?;
    Ok(from_reader(file, 0, part.end - part.start))
}

async fn copy(
    mut reader: impl Read + Send + 'static,
    mut skip: u64,
    mut length: u64,
    sender: &BodySender,
) -> io::Result<()> {
    while skip > 0 && !sender.is_closed() {
        let step = skip.min(SKIP_STEP);
        reader = spawn_io::<_, io::Error>(move || {
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
        let step = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(CHUNK_SIZE);
        let (back, chunk) = spawn_io::<_, io::Error>(move || {
            let mut chunk = vec![0; step];
            reader.read_exact(&mut chunk)?;
            Ok((reader, chunk))
        })
        .await?;
        reader = back;
        length -= step as u64;
        if sender.send(Ok(chunk.into())).await.is_err() {
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
            let body = from_reader(reader, skip, length);
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
