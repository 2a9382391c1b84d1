//! Fuzzes `Range`: a range is never empty and always inside the file, and the simple forms have
//! their documented meaning.
#![no_main]

use hubtoken_hub::fuzzing::byte_range;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, u64, u64, &str)| {
    let (size, one, other, header) = input;
    match byte_range(header, size) {
        (206, Some((first, last))) => {
            assert!(first <= last && last < size);
            assert!(header.trim().starts_with("bytes=") && !header.contains(','));
        }
        (416, None) => assert!(header.contains('-')),
        (status, part) => assert!(status == 200 && part.is_none()),
    }
    let asked = |text: String| byte_range(&text, size);
    let there = |first: u64, last: u64| (206, Some((first, last)));
    let from = if one < size {
        there(one, size - 1)
    } else {
        (416, None)
    };
    assert_eq!(asked(format!("bytes={one}-")), from);
    let between = match one {
        _ if other < one => (200, None),
        _ if one >= size => (416, None),
        _ => there(one, other.min(size - 1)),
    };
    assert_eq!(asked(format!("bytes={one}-{other}")), between);
    let end = match one.min(size) {
        0 => (416, None),
        length => there(size - length, size - 1),
    };
    assert_eq!(asked(format!("bytes=-{one}")), end);
});
