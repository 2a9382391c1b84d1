//! Fuzzes a compressed body: the result is the same for chunks of any size, never exceeds the
//! limit, is never large at once, and matches that of gzip itself.
#![no_main]

use std::io::Read as _;

use flate2::bufread::GzDecoder;
use hubtoken_hub::fuzzing::inflated;
use libfuzzer_sys::fuzz_target;

/// At the best possible ratio, a kilobyte expands to this much, plus the decoder's buffer.
const AT_ONCE: usize = (1 << 20) + (64 << 10);

fuzz_target!(|input: (u32, &[u8])| {
    let (limit, body) = (input.0 as usize % (2 << 20), input.1);
    let whole = inflated(&[body], limit);
    let of = |result: &Option<(Vec<u8>, usize)>| result.as_ref().map(|(data, _)| data.clone());
    for size in [1, 17] {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        assert_eq!(of(&inflated(&pieces, limit)), of(&whole));
    }
    if let Some((data, most)) = &whole {
        assert!(data.len() <= limit && *most <= AT_ONCE);
    }
    let mut rest = body;
    let mut expected = Vec::new();
    let read = GzDecoder::new(&mut rest)
        .take(limit as u64 + 1)
        .read_to_end(&mut expected);
    if read.is_ok() && rest.is_empty() && expected.len() <= limit {
        assert_eq!(of(&whole), Some(expected));
    } else if let Some((data, _)) = whole {
        assert!(read.is_ok());
        assert_eq!(data, expected);
    }
});
