//! Request ids, which link a client's report to its line in the log.
//!
//! An id must be unique but need not be unguessable, so it combines a counter with a random number
//! drawn when the Hub starts. Asking the system for randomness on every request would cost more
//! than looking up a token.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;
use hubtoken_core::hexadecimal::encode_into;

/// Generates request ids.
#[derive(Debug)]
pub(crate) struct RequestIds {
    drawn: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut drawn = [0; 4];
        // Without randomness, two runs may produce the same ids, which is acceptable in a log.
        let _ = getrandom::fill(&mut drawn);
        Self {
            drawn: u32::from_ne_bytes(drawn),
            next: AtomicU64::default(),
        }
    }

    /// `Root=1-`, eight hexadecimal digits of the time, and 24 unique to the request: the format of
    /// the real Hub.
    pub(crate) fn next(&self, unix_time: i64) -> HeaderValue {
        const FORM: &[u8; 40] = b"Root=1-00000000-000000000000000000000000";
        let mut text = *FORM;
        let time = u64::try_from(unix_time).unwrap_or(0).to_be_bytes();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        encode_into(&time[4..], &mut text[7..15]);
        encode_into(&self.drawn.to_be_bytes(), &mut text[16..24]);
        encode_into(&number.to_be_bytes(), &mut text[24..40]);
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("Root=1-0-0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_the_hubs_own_and_differ() {
        let ids = RequestIds {
            drawn: 0xab,
            next: AtomicU64::new(255),
        };
        assert_eq!(
            ids.next(0x65f0_aa11),
            "Root=1-65f0aa11-000000ab00000000000000ff"
        );
        assert_eq!(
            ids.next(0x65f0_aa11),
            "Root=1-65f0aa11-000000ab0000000000000100"
        );
        assert_eq!(ids.next(-1), "Root=1-00000000-000000ab0000000000000101");
    }
}
