//! Fuzzing entry points for the parsers of git requests; see `hub/fuzzing.rs`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};

use super::inflate::Inflater;
use super::pre_receive::{check, read_updates};
use crate::fuzzing::chunked_reader::ChunkedReader;

/// A push, as reported by the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The new hash and the name of each reference.
    pub updates: Vec<(String, String)>,
    /// Whether it contains no update that is always rejected.
    pub is_accepted: bool,
}

/// Parses the hook's request.
///
/// # Errors
///
/// Why the request is invalid.
pub fn push(chunks: &[&[u8]]) -> Result<Push, String> {
    let mut pipe = ChunkedReader::new(chunks);
    let reading = pin!(read_updates(&mut pipe));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(read) = reading.poll(&mut context) else {
        return Err("it waits for data that has already arrived".to_owned());
    };
    let updates = read.map_err(|error| error.to_string())?;
    let shown = updates
        .iter()
        .map(|update| (update.new.to_string(), update.reference.clone()));
    Ok(Push {
        updates: shown.collect(),
        is_accepted: check(&updates).is_ok(),
    })
}

/// Inflates a gzip body. Returns the output and the length of its largest chunk, or `None` if the
/// body is malformed or inflates to more than `limit`.
#[must_use]
pub fn inflated(chunks: &[&[u8]], limit: usize) -> Option<(Vec<u8>, usize)> {
    let encoding = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let mut inflater =
        Inflater::from_headers(&HeaderMap::from_iter([encoding]), limit, false).ok()?;
    let (mut all, mut most) = (Vec::new(), 0);
    for chunk in chunks {
        for slice in Inflater::split(&Bytes::copy_from_slice(chunk)) {
            let out = inflater.push(slice).ok()?;
            most = most.max(out.len());
            all.extend_from_slice(&out);
        }
    }
    all.extend_from_slice(&inflater.finish().ok()?);
    Some((all, most))
}
