//! Where one request ends and the next begins, watched more strictly than HTTP asks for.
//!
//! A proxy and a Hub that disagree about it let one client speak for another: the end of the first request is taken for
//! the beginning of somebody else's. hyper refuses most of what can be read in two ways, but not all of it. Where there
//! is both a length and a transfer encoding it goes by the encoding and takes the length out of the headers, so nothing
//! behind it can tell; and it takes lines that end without a carriage return. So the bytes are followed here, before
//! hyper has them: heads line by line, bodies only counted. What a strict reader would not take is cut off at that
//! place, and hyper is given something instead that is no HTTP by anybody's reading: it answers a head with 400, fails a
//! body, and closes the connection.
//!
//! How long a head may be is hyper's to say, and so is what a line may hold; here it is only about ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends any line wrongly, and then the head.
pub(super) const NONSENSE: &[u8] = b"\r\0\r\n\r\n";

/// The digits of the longest chunk that can be.
const MOST_DIGITS: usize = 16;

/// A connection of which each request has one end.
pub(crate) struct FramedStream<S> {
    stream: S,
    framing: Framing,
    /// What is still to be said in place of what was sent, once that was cut off.
    nonsense: Option<&'static [u8]>,
}

impl<S> FramedStream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            nonsense: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FramedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.nonsense.is_none() {
            let start = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let read = buffer.filled().get(start..).unwrap_or_default();
            let Err(Ambiguous { at }) = this.framing.follow(read) else {
                return Poll::Ready(Ok(()));
            };
            buffer.set_filled(start + at);
            this.nonsense = Some(NONSENSE);
        }
        let left = this.nonsense.unwrap_or_default();
        let (now, later) = left.split_at(left.len().min(buffer.remaining()));
        if now.is_empty() {
            // Neither more bytes nor their end: an end would keep hyper from answering. It closes when it has.
            return Poll::Pending;
        }
        buffer.put_slice(now);
        this.nonsense = Some(later);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FramedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where in the bytes the doubt begins.
#[derive(Debug, PartialEq, Eq)]
struct Ambiguous {
    at: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// The line of a request, or an empty one before it.
    #[default]
    Request,
    Header,
    /// A body of which so much is left.
    Body(u64),
    ChunkSize,
    /// A chunk of which so much is left.
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// How far the bytes of a connection have been followed.
#[derive(Debug, Default)]
struct Framing {
    next: Next,
    /// The beginning of a line whose end has not come yet; hyper bounds how much it asks for.
    line: Vec<u8>,
    length: Option<u64>,
    is_chunked: bool,
}

impl Framing {
    /// Goes on, up to the end of what was read or to where it can be read in two ways.
    fn follow(&mut self, bytes: &[u8]) -> Result<(), Ambiguous> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let Next::Body(left) | Next::Chunk(left) = &mut self.next {
                let skipped =
                    usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                *left -= skipped as u64;
                at += skipped;
                self.next = match self.next {
                    Next::Body(0) => Next::Request,
                    Next::Chunk(0) => Next::ChunkEnd,
                    unfinished => unfinished,
                };
                continue;
            }
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(rest);
                break;
            };
            let (line, _) = rest.split_at(end);
            let next = if self.line.is_empty() {
                self.after(line)
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.after(&whole)
            };
            at += end;
            self.next = next.ok_or(Ambiguous { at })?;
            at += 1;
        }
        Ok(())
    }

    /// What comes after a line, given without its line feed; nothing if the line can be read in two ways.
    fn after(&mut self, line: &[u8]) -> Option<Next> {
        let line = line.strip_suffix(b"\r")?;
        match self.next {
            Next::Request | Next::Trailer if line.is_empty() => Some(Next::Request),
            Next::Request => Some(Next::Header),
            Next::Header if line.is_empty() => Some(self.body()),
            Next::Header => self.header(line).then_some(Next::Header),
            Next::ChunkSize => chunk_size(line).map(|size| match size {
                0 => Next::Trailer,
                size => Next::Chunk(size),
            }),
            Next::ChunkEnd => line.is_empty().then_some(Next::ChunkSize),
            Next::Trailer => (!is_folded(line)).then_some(Next::Trailer),
            // These are no lines.
            Next::Body(_) | Next::Chunk(_) => None,
        }
    }

    /// What comes after a head.
    fn body(&mut self) -> Next {
        let length = self.length.take();
        if std::mem::take(&mut self.is_chunked) {
            return Next::ChunkSize;
        }
        match length {
            None | Some(0) => Next::Request,
            Some(length) => Next::Body(length),
        }
    }

    /// Whether a header leaves no doubt about the end.
    fn header(&mut self, line: &[u8]) -> bool {
        if is_folded(line) {
            return false;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
            return false;
        };
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // With a space before the colon it is no such header for one reader, and one for another.
        let is_spaced = name.trim_ascii_end().len() != name.len();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("content-length") {
            let Some(length) = number(value, 10) else {
                return false;
            };
            let before = self.length.replace(length);
            !self.is_chunked && before.is_none_or(|before| before == length)
        } else if is("transfer-encoding") {
            let before = std::mem::replace(&mut self.is_chunked, true);
            !before && self.length.is_none() && value.eq_ignore_ascii_case(b"chunked")
        } else {
            !is_spaced
        }
    }
}

/// Whether a line goes on with the one before it, as lines once could.
fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The size of a chunk, which an extension may follow.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    if digits.len() > MOST_DIGITS {
        return None;
    }
    number(digits, 16)
}

/// A number of digits alone: without a sign, which the standard library would take.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let all_digits = text.chars().all(|character| character.is_digit(radix));
    all_digits.then(|| u64::from_str_radix(text, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows bytes in pieces of a length, and says how far it came and what would come next.
    fn follow(bytes: &[u8], piece: usize) -> Result<Next, usize> {
        let mut framing = Framing::default();
        for (number, part) in bytes.chunks(piece).enumerate() {
            framing
                .follow(part)
                .map_err(|ambiguous| number * piece + ambiguous.at)?;
        }
        assert!(framing.line.is_empty());
        Ok(framing.next)
    }

    #[test]
    fn requests_follow_one_another_in_pieces_of_any_size() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\
            POST / HTTP/1.1\r\ncontent-LENGTH:\t5 \r\nContent-Length: 5\r\n\r\na\n\n\nb\
            POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\na\n\n\nb\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n\
            POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        for piece in 1..=bytes.len() {
            assert_eq!(follow(bytes, piece), Ok(Next::Request), "{piece}");
        }
        let unfinished = b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nabc";
        assert_eq!(follow(unfinished, 7), Ok(Next::Body(u64::MAX - 3)));
    }

    #[test]
    fn what_can_be_read_in_two_ways_ends_where_the_doubt_begins() {
        for (good, bad) in [
            ("", "GET / HTTP/1.1\n"),
            ("GET / HTTP/1.1\r\n", "Host: x\n"),
            ("GET / HTTP/1.1\r\nHost: x\r\n", "\n"),
            ("GET / HTTP/1.1\r\nX: y\r\n", " z\r\n"),
            ("GET / HTTP/1.1\r\nX: y\r\n", "\tz\r\n"),
            ("GET / HTTP/1.1\r\n", "no header\r\n"),
            ("GET / HTTP/1.1\r\n", "Content-Length : 1\r\n"),
            ("GET / HTTP/1.1\r\n", "Content-Length: +1\r\n"),
            ("GET / HTTP/1.1\r\n", "Content-Length: 0x1\r\n"),
            ("GET / HTTP/1.1\r\n", "Content-Length: 1, 1\r\n"),
            ("GET / HTTP/1.1\r\n", "Content-Length:\r\n"),
            (
                "GET / HTTP/1.1\r\n",
                "Content-Length: 18446744073709551616\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\n",
                "Content-Length: 2\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 0\r\n",
                "Transfer-Encoding: chunked\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
                "Content-Length: 0\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: chunked\r\n",
            ),
            ("GET / HTTP/1.1\r\n", "Transfer-Encoding: gzip, chunked\r\n"),
            ("GET / HTTP/1.1\r\n", "Transfer-Encoding: identity\r\n"),
            ("GET / HTTP/1.1\r\n", "Transfer-Encoding: \x0bchunked\r\n"),
        ] {
            ends_at(good, bad);
        }
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (good, bad) in [
            ("", "5\n"),
            ("", "\r\n"),
            ("", "x\r\n"),
            ("", "-1\r\n"),
            ("", "+1\r\n"),
            ("", "0x1\r\n"),
            ("", "1 \r\n"),
            ("", " 1\r\n"),
            ("", "10000000000000000\r\n"),
            ("", "00000000000000001\r\n"),
            ("1\r\na", "\n"),
            ("1\r\na", "b\r\n"),
            ("0\r\n", "\n"),
            ("0\r\nX: y\r\n", " z\r\n"),
        ] {
            ends_at(&format!("{chunked}{good}"), bad);
        }
    }

    fn ends_at(good: &str, bad: &str) {
        let bytes = format!("{good}{bad}");
        let place = bytes.len() - 1;
        for piece in [1, 3, bytes.len()] {
            assert_eq!(
                follow(bytes.as_bytes(), piece),
                Err(place),
                "{good:?}{bad:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_cut_off_is_replaced_whatever_the_readers_buffer() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        for size in [1, 4, 64, 4096] {
            let (mut client, server) = tokio::io::duplex(4096);
            let good = "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r";
            client
                .write_all(format!("{good}\n\r\nGET /hidden").as_bytes())
                .await
                .unwrap();
            let mut stream = FramedStream::new(server);
            let mut read = Vec::new();
            let mut buffer = vec![0; size];
            let expected = [good.as_bytes(), NONSENSE].concat();
            while read.len() < expected.len() {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0);
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, expected);
            // And then nothing, for ever.
            let mut more = std::pin::pin!(stream.read(&mut buffer));
            let waits = std::future::poll_fn(|context| {
                std::task::Poll::Ready(more.as_mut().poll(context).is_pending())
            });
            assert!(waits.await);
        }
    }
}
