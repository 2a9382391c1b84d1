//! Reads request bodies as git sends them: plain or gzip-compressed.
//!
//! They are inflated here rather than by git in order to limit the inflated length: a few kilobytes
//! on the wire can inflate to gigabytes. `tower_http::decompression` has no such limit.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};
use flate2::write::GzDecoder;

use crate::response::ApiError;

/// How many bytes the decoder receives at once. The output can be at most about a thousand times as
/// long.
const STEP: usize = 1 << 10;

/// Inflates a body as its chunks arrive.
pub(super) enum Inflater {
    Plain {
        /// How many more bytes may arrive, if there is a limit.
        remaining: Option<usize>,
    },
    Gzip {
        decoder: Box<GzDecoder<Vec<u8>>>,
        /// How many more bytes may be output.
        remaining: usize,
    },
}

/// Why a body cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// Its inflated length exceeds the limit.
    TooLarge,
    /// It is not valid gzip, or is truncated.
    Malformed,
}

impl Inflater {
    /// Chooses the decoder from the headers. `limit` is the maximum inflated length of a compressed
    /// body, and of a plain one too if `bounded`.
    pub(super) fn from_headers(
        headers: &HeaderMap,
        limit: usize,
        bounded: bool,
    ) -> Result<Self, ApiError> {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        match (
            encodings.next().map(HeaderValue::as_bytes),
            encodings.next(),
        ) {
            (None | Some(b"identity"), None) => Ok(Self::Plain {
                remaining: bounded.then_some(limit),
            }),
            (Some(b"gzip" | b"x-gzip"), None) => Ok(Self::Gzip {
                decoder: Box::new(GzDecoder::new(Vec::new())),
                remaining: limit,
            }),
            _ => Err(ApiError::new(
                axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The request body must be uncompressed, or compressed with gzip once",
            )),
        }
    }

    /// Splits a chunk into parts small enough for [`push`](Self::push).
    pub(super) fn split(data: &Bytes) -> impl Iterator<Item = Bytes> {
        let data = data.clone();
        (0..data.len())
            .step_by(STEP)
            .map(move |start| data.slice(start..data.len().min(start + STEP)))
    }

    /// Inflates one part.
    pub(super) fn push(&mut self, slice: Bytes) -> Result<Bytes, InflateError> {
        match self {
            Self::Plain { remaining: None } => Ok(slice),
            Self::Plain {
                remaining: Some(remaining),
            } => {
                *remaining = remaining
                    .checked_sub(slice.len())
                    .ok_or(InflateError::TooLarge)?;
                Ok(slice)
            }
            Self::Gzip { decoder, remaining } => {
                decoder
                    .write_all(&slice)
                    .map_err(|_| InflateError::Malformed)?;
                take_output(decoder.get_mut(), remaining)
            }
        }
    }

    /// The remaining output at the end of the body.
    pub(super) fn finish(self) -> Result<Bytes, InflateError> {
        match self {
            Self::Plain { .. } => Ok(Bytes::new()),
            Self::Gzip {
                decoder,
                mut remaining,
            } => {
                let mut rest = decoder.finish().map_err(|_| InflateError::Malformed)?;
                take_output(&mut rest, &mut remaining)
            }
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain { .. })
    }
}

fn take_output(output: &mut Vec<u8>, remaining: &mut usize) -> Result<Bytes, InflateError> {
    *remaining = remaining
        .checked_sub(output.len())
        .ok_or(InflateError::TooLarge)?;
    Ok(Bytes::from(std::mem::take(output)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn compressed(data: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap().into()
    }

    fn inflated(body: &Bytes, limit: usize) -> Result<Vec<u8>, InflateError> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
        let mut inflater = Inflater::from_headers(&headers, limit, false).unwrap();
        let mut all = Vec::new();
        for slice in Inflater::split(body) {
            all.extend_from_slice(&inflater.push(slice)?);
        }
        all.extend_from_slice(&inflater.finish()?);
        Ok(all)
    }

    #[test]
    fn gzip_comes_out_as_it_went_in() {
        let data: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(inflated(&compressed(&data), data.len()).unwrap(), data);
    }

    #[test]
    fn a_bomb_goes_off_at_the_limit() {
        let bomb = compressed(&vec![0; 50 << 20]);
        assert!(bomb.len() < 100 << 10);
        assert_eq!(inflated(&bomb, 1 << 20), Err(InflateError::TooLarge));
    }

    #[test]
    fn what_is_cut_off_or_no_gzip_is_malformed() {
        let whole = compressed(b"0032want");
        let half = whole.slice(..whole.len() - 4);
        assert_eq!(inflated(&half, 100), Err(InflateError::Malformed));
        assert_eq!(
            inflated(&Bytes::from_static(b"0000"), 100),
            Err(InflateError::Malformed)
        );
    }

    #[test]
    fn other_encodings_are_refused() {
        for encoding in ["br", "gzip, gzip", "deflate"] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())]);
            assert!(
                Inflater::from_headers(&headers, 1, false).is_err(),
                "{encoding}"
            );
        }
    }
}
