//! Hardening against request smuggling: strict HTTP/1.1 framing, enforced before hyper parses it.
//!
//! If a proxy and the Hub disagree about where a request ends, one client can speak for another:
//! the rest of the first request is taken for the start of the next client's request. hyper rejects
//! most ambiguous framing, but not all of it. If a request has both a length and a transfer
//! encoding, hyper uses the encoding and removes the length from the headers, so no code behind it
//! can notice. It also accepts lines that end without a carriage return. So this stream follows the
//! bytes before hyper sees them: heads line by line, bodies only by length. Where a strict parser
//! would reject the input, it is cut off, and hyper gets bytes that no parser accepts as HTTP
//! instead. hyper then answers a head with 400, fails a body, and closes the connection.
//!
//! The size of a head and the contents of its lines are left to hyper; this module only checks
//! where messages end. It is written by hand because no crate does this, and it cannot be done
//! behind hyper.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends any line incorrectly, followed by the end of the head.
pub(crate) const POISON: &[u8] = b"\r\0\r\n\r\n";

/// The maximum number of digits in a chunk size.
const MAX_CHUNK_SIZE_DIGITS: usize = 16;

/// A connection on which the end of each request is unambiguous.
pub(crate) struct StrictFraming<S> {
    stream: S,
    parser: FramingParser,
    /// What is left of the bytes that replace the input after it was cut off.
    poison: Option<&'static [u8]>,
}

impl<S> StrictFraming<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            parser: FramingParser::default(),
            poison: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictFraming<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.poison.is_none() {
            let start = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let read = buffer.filled().get(start..).unwrap_or_default();
            let Err(AmbiguousFraming { at }) = this.parser.advance(read) else {
                return Poll::Ready(Ok(()));
            };
            buffer.set_filled(start + at);
            this.poison = Some(POISON);
        }
        let left = this.poison.unwrap_or_default();
        let (now, later) = left.split_at(left.len().min(buffer.remaining()));
        if now.is_empty() {
            // Neither more bytes nor end of file: the latter would keep hyper from responding.
            // hyper closes the connection once it has.
            return Poll::Pending;
        }
        buffer.put_slice(now);
        this.poison = Some(later);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StrictFraming<S> {
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

/// The offset at which the framing becomes ambiguous.
#[derive(Debug, PartialEq, Eq)]
struct AmbiguousFraming {
    at: usize,
}

/// What the parser expects next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A request line, or an empty line before it.
    #[default]
    Request,
    Header,
    /// The remaining bytes of a body.
    Body(u64),
    ChunkSize,
    /// The remaining bytes of a chunk.
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// The state of the parser.
#[derive(Debug, Default)]
struct FramingParser {
    state: State,
    /// The start of an incomplete line; hyper bounds how much it reads.
    line: Vec<u8>,
    length: Option<u64>,
    is_chunked: bool,
}

impl FramingParser {
    /// Advances to the end of the input, or to the point where it is ambiguous.
    fn advance(&mut self, bytes: &[u8]) -> Result<(), AmbiguousFraming> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let State::Body(left) | State::Chunk(left) = &mut self.state {
                let skipped =
                    usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                *left -= skipped as u64;
                at += skipped;
                self.state = match self.state {
                    State::Body(0) => State::Request,
                    State::Chunk(0) => State::ChunkEnd,
                    unfinished => unfinished,
                };
                continue;
            }
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(rest);
                break;
            };
            let (line, _) = rest.split_at(end);
            let state = if self.line.is_empty() {
                self.next_state(line)
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.next_state(&whole)
            };
            at += end;
            self.state = state.ok_or(AmbiguousFraming { at })?;
            at += 1;
        }
        Ok(())
    }

    /// The state after a line, given without its line feed; `None` if the line is ambiguous.
    fn next_state(&mut self, line: &[u8]) -> Option<State> {
        let line = line.strip_suffix(b"\r")?;
        match self.state {
            State::Request | State::Trailer if line.is_empty() => Some(State::Request),
            State::Request => Some(State::Header),
            State::Header if line.is_empty() => Some(self.body()),
            State::Header => self.header(line).then_some(State::Header),
            State::ChunkSize => chunk_size(line).map(|size| match size {
                0 => State::Trailer,
                size => State::Chunk(size),
            }),
            State::ChunkEnd => line.is_empty().then_some(State::ChunkSize),
            State::Trailer => (!is_folded(line)).then_some(State::Trailer),
            // These are not line-based.
            State::Body(_) | State::Chunk(_) => None,
        }
    }

    /// The state after a head.
    fn body(&mut self) -> State {
        let length = self.length.take();
        if std::mem::take(&mut self.is_chunked) {
            return State::ChunkSize;
        }
        match length {
            None | Some(0) => State::Request,
            Some(length) => State::Body(length),
        }
    }

    /// Whether a header leaves the end of the message unambiguous.
    fn header(&mut self, line: &[u8]) -> bool {
        if is_folded(line) {
            return false;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
            return false;
        };
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // With a space before the colon, some parsers see this header and some do not.
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

/// Whether a line continues the previous one (obsolete line folding).
fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The size of a chunk, which may be followed by an extension.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    if digits.len() > MAX_CHUNK_SIZE_DIGITS {
        return None;
    }
    number(digits, 16)
}

/// Parses digits only: the standard library would also accept a sign.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let all_digits = text.chars().all(|character| character.is_digit(radix));
    all_digits.then(|| u64::from_str_radix(text, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Advances over `bytes` in chunks of `piece`; returns the next state, or the offset of the
    /// ambiguity.
    fn advance(bytes: &[u8], piece: usize) -> Result<State, usize> {
        let mut parser = FramingParser::default();
        for (number, part) in bytes.chunks(piece).enumerate() {
            parser
                .advance(part)
                .map_err(|ambiguous| number * piece + ambiguous.at)?;
        }
        assert!(parser.line.is_empty());
        Ok(parser.state)
    }

    #[test]
    fn requests_follow_one_another_in_pieces_of_any_size() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\
            POST / HTTP/1.1\r\ncontent-LENGTH:\t5 \r\nContent-Length: 5\r\n\r\na\n\n\nb\
            POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\na\n\n\nb\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n\
            POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        for piece in 1..=bytes.len() {
            assert_eq!(advance(bytes, piece), Ok(State::Request), "{piece}");
        }
        let unfinished = b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nabc";
        assert_eq!(advance(unfinished, 7), Ok(State::Body(u64::MAX - 3)));
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
                advance(bytes.as_bytes(), piece),
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
            let mut stream = StrictFraming::new(server);
            let mut read = Vec::new();
            let mut buffer = vec![0; size];
            let expected = [good.as_bytes(), POISON].concat();
            while read.len() < expected.len() {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0);
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, expected);
            // After that, the stream stays pending.
            let mut more = std::pin::pin!(stream.read(&mut buffer));
            let waits = std::future::poll_fn(|context| {
                std::task::Poll::Ready(more.as_mut().poll(context).is_pending())
            });
            assert!(waits.await);
        }
    }
}
