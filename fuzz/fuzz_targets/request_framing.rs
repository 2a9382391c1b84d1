//! Fuzzes where requests end: the result is the same for chunks of any size, and only ambiguous
//! requests are cut off, at the ambiguity. In what is accepted, hyper finds no request and no body
//! that a strict parser does not find as well.
#![no_main]

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use hubtoken_hub::fuzzing::framed;
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use libfuzzer_sys::fuzz_target;

/// A request's target and its body.
type Requests = Vec<(Vec<u8>, Vec<u8>)>;

fuzz_target!(|input: &[u8]| {
    let (given, is_cut) = framed(&[input], 8192);
    assert!(input.starts_with(&given));
    assert!(is_cut || given.len() == input.len());
    for (piece, room) in [(1, 8192), (7, 3), (64, 1)] {
        let pieces: Vec<&[u8]> = input.chunks(piece).collect();
        assert!(framed(&pieces, room) == (given.clone(), is_cut));
    }
    let (expected, doubt) = strictly(input);
    assert_eq!(doubt, is_cut.then_some(given.len()));
    let served = served(&given);
    assert!(
        expected.starts_with(&served),
        "{served:?} is not the beginning of {expected:?}"
    );
});

/// The complete requests in these bytes, parsed with all bytes available, and the offset of the
/// line feed where the framing becomes ambiguous.
fn strictly(bytes: &[u8]) -> (Requests, Option<usize>) {
    let mut requests = Requests::new();
    let mut reader = Strict { bytes, at: 0 };
    let end = loop {
        match reader.request() {
            Ok(request) => requests.push(request),
            Err(end) => break end,
        }
    };
    (requests, end)
}

struct Strict<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The offset of the ambiguity, or nothing if the bytes end.
type Ended = Option<usize>;

impl<'a> Strict<'a> {
    fn request(&mut self) -> Result<(Vec<u8>, Vec<u8>), Ended> {
        let mut first = self.line()?;
        while first.is_empty() {
            first = self.line()?;
        }
        let target = first.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let (mut lengths, mut codings) = (Vec::new(), Vec::new());
        loop {
            let header = self.line()?;
            if header.is_empty() {
                break;
            }
            let doubt = Err(Some(self.at - 1));
            let Some(colon) = header.iter().position(|byte| *byte == b':') else {
                return doubt;
            };
            let (name, value) = (&header[..colon], header[colon + 1..].trim_ascii());
            if matches!(header[0], b' ' | b'\t') || name.trim_ascii_end() != name {
                return doubt;
            }
            match name.to_ascii_lowercase().as_slice() {
                b"content-length" => match digits(value, 10) {
                    Some(length) => lengths.push(length),
                    None => return doubt,
                },
                b"transfer-encoding" => codings.push(value.to_ascii_lowercase()),
                _ => (),
            }
            lengths.dedup();
            let is_plain = match (lengths.as_slice(), codings.as_slice()) {
                ([] | [_], []) => true,
                ([], [coding]) => coding == b"chunked",
                _ => false,
            };
            if !is_plain {
                return doubt;
            }
        }
        let body = match lengths.first() {
            _ if !codings.is_empty() => self.chunks()?,
            None => Vec::new(),
            Some(length) => self.take(*length)?.to_vec(),
        };
        // Normalized by hyper's own type, as in the requests that hyper reports.
        let target = Uri::try_from(target).map_or(Vec::new(), |uri| uri.to_string().into_bytes());
        Ok((target, body))
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Ended> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let place = Err(Some(self.at - 1));
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            match digits(size, 16).filter(|_| size.len() <= 16) {
                None => return place,
                Some(0) => break,
                Some(size) => body.extend_from_slice(self.take(size)?),
            }
            if !self.line()?.is_empty() {
                return Err(Some(self.at - 1));
            }
        }
        loop {
            match self.line()?.first() {
                None => return Ok(body),
                Some(b' ' | b'\t') => return Err(Some(self.at - 1)),
                Some(_) => (),
            }
        }
    }

    /// The next line without its end, which is a carriage return and a line feed.
    fn line(&mut self) -> Result<&'a [u8], Ended> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(None)?;
        self.at += length + 1;
        let line = rest[..length].strip_suffix(b"\r");
        line.ok_or(Some(self.at - 1))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Ended> {
        let length = usize::try_from(length).map_err(|_| None)?;
        let taken = self.bytes[self.at..].get(..length).ok_or(None)?;
        self.at += length;
        Ok(taken)
    }
}

fn digits(text: &[u8], radix: u32) -> Option<u64> {
    let mut number = 0_u64;
    for digit in text {
        let digit = char::from(*digit).to_digit(radix)?;
        number = number
            .checked_mul(radix.into())?
            .checked_add(digit.into())?;
    }
    (!text.is_empty()).then_some(number)
}

/// The complete requests that hyper finds.
fn served(bytes: &[u8]) -> Requests {
    let found = Arc::new(Mutex::new(Requests::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let found = Arc::clone(&found);
        async move {
            let target = request.uri().to_string().into_bytes();
            let mut incoming = pin!(request.into_body());
            let mut body = Vec::new();
            loop {
                match std::future::poll_fn(|context| incoming.as_mut().poll_frame(context)).await {
                    Some(Ok(frame)) => {
                        body.extend_from_slice(&frame.into_data().unwrap_or_default());
                    }
                    Some(Err(_)) => break,
                    None => {
                        found.lock().expect("one thread").push((target, body));
                        break;
                    }
                }
            }
            let mut response = Response::new(String::new());
            // So that only requests follow a CONNECT.
            *response.status_mut() = hyper::StatusCode::NOT_FOUND;
            Ok::<_, Infallible>(response)
        }
    });
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    let wire = Wire(bytes.to_vec(), 0);
    let mut connection = pin!(http1::Builder::new().serve_connection(wire, service));
    while connection.as_mut().poll(&mut context).is_pending()
        && bell.0.swap(false, Ordering::Relaxed)
    {}
    let found = found.lock().expect("one thread");
    found.clone()
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection whose client waits after it has sent everything.
struct Wire(Vec<u8>, usize);

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.0[self.1..];
        let length = rest.len().min(buffer.remaining());
        if length == 0 {
            return Poll::Pending;
        }
        buffer.put_slice(&rest[..length]);
        self.1 += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
