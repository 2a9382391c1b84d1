//! Doors to the Hub's own parsers, for the targets in `fuzz/`.
//!
//! The parsers are the Hub's and nobody else's, so this is built with the feature `fuzzing` alone, which nothing that is
//! used has. A door takes what comes from outside, in the pieces that it comes in, and gives what was made of it in
//! plain types. What must hold of that the targets say.

pub(super) mod chunked_reader;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead as _, ReadBuf};

use self::chunked_reader::Arriving;
use super::framing::{FramedStream, NONSENSE};

pub use super::api::fuzzing::{Change, Commit, byte_range, commit};
pub use super::git::fuzzing::{Push, inflated, push};
pub use super::inference::fuzzing::{asked_below, named_model};
pub use super::lfs::fuzzing::{Links, pointer, pointer_text};
pub use super::repository::fuzzing::{
    COMMITTED, folder_path, ignored, new_path, old_path, resolved,
};

/// What hyper is given of a connection, by reads of `room` bytes; and whether the rest was cut off, as it could be read
/// in two ways.
#[must_use]
pub fn framed(pieces: &[&[u8]], room: usize) -> (Vec<u8>, bool) {
    let mut stream = pin!(FramedStream::new(Arriving::new(pieces)));
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
                let length = given.strip_suffix(NONSENSE).map_or(0, <[u8]>::len);
                given.truncate(length);
                return (given, true);
            }
        }
    }
}
