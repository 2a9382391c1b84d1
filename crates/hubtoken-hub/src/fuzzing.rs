//! Entry points to the Hub's own parsers, for the targets in `fuzz/`.
//!
//! The parsers are internal to the Hub, so this is only built with the feature `fuzzing`, which no
//! release build enables. Each entry point takes untrusted input in the chunks in which it arrives
//! and returns the parsed result as plain types. The targets assert what must hold for it.

pub(super) mod chunked_reader;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead as _, ReadBuf};

use self::chunked_reader::ChunkedReader;
use super::server::strict_framing::{POISON, StrictFraming};

pub use super::api::fuzzing::{Change, Commit, byte_range, commit};
pub use super::git::fuzzing::{Push, inflated, push};
pub use super::inference::fuzzing::{model_path, named_model};
pub use super::lfs::fuzzing::{Links, pointer, pointer_text};
pub use super::oauth::fuzzing::{Issuer, key_algorithms};
pub use super::repository::fuzzing::{
    COMMITTED, folder_path, ignored, new_path, old_path, resolved,
};
pub use super::repository::xet::fuzzing::XetFolder;

/// What hyper receives of a connection that is read `room` bytes at a time, and whether the rest
/// was cut off because its framing is ambiguous.
#[must_use]
pub fn framed(chunks: &[&[u8]], room: usize) -> (Vec<u8>, bool) {
    let mut stream = pin!(StrictFraming::new(ChunkedReader::new(chunks)));
    let mut context = Context::from_waker(Waker::noop());
    let (mut given, mut room) = (Vec::new(), vec![0; room.max(1)]);
    loop {
        let mut buffer = ReadBuf::new(&mut room);
        let read = stream.as_mut().poll_read(&mut context, &mut buffer);
        given.extend_from_slice(buffer.filled());
        match read {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => (),
            Poll::Ready(_) => return (given, false),
            Poll::Pending => {
                let length = given.strip_suffix(POISON).map_or(0, <[u8]>::len);
                given.truncate(length);
                return (given, true);
            }
        }
    }
}
