//! Decides which part of a file a `Range` header requests.

use http_range_header::parse_range_header;

/// The part of a file that a `Range` header requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeSpec {
    /// The whole file: there is no header, or it is ignored (another unit, several ranges,
    /// invalid).
    Whole,
    /// The bytes from `first` to `last`, both inclusive and both within the file.
    Range { first: u64, last: u64 },
    /// A range outside the file.
    Unsatisfiable,
}

/// Parses the header for a file of this size.
pub(crate) fn parse_range(header: Option<&str>, size: u64) -> RangeSpec {
    // The parser would accept another case of the unit, and a list with empty members.
    let ranges = header
        .map(str::trim)
        .filter(|header| header.starts_with("bytes=") && !header.contains(','))
        .and_then(|header| parse_range_header(header).ok());
    let Some(ranges) = ranges else {
        return RangeSpec::Whole;
    };
    match ranges.validate(size).as_deref() {
        Ok([range]) => RangeSpec::Range {
            first: *range.start(),
            last: *range.end(),
        },
        // Also the last bytes of an empty file, which has none.
        _ => RangeSpec::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let range = |first, last| RangeSpec::Range { first, last };
        for (header, expected) in [
            ("bytes=0-0", range(0, 0)),
            ("bytes=0-", range(0, 9)),
            ("bytes=5-7", range(5, 7)),
            ("bytes=5-99", range(5, 9)),
            ("bytes=-3", range(7, 9)),
            ("bytes=-99", range(0, 9)),
            ("bytes=9-99999999999999999999999", range(9, 9)),
            ("bytes=10-", RangeSpec::Unsatisfiable),
            ("bytes=-0", RangeSpec::Unsatisfiable),
            ("bytes=7-5", RangeSpec::Whole),
            ("bytes=0-1,3-4", RangeSpec::Whole),
            ("bytes=a-b", RangeSpec::Whole),
            ("bytes=-", RangeSpec::Whole),
            ("bytes=+1-2", RangeSpec::Whole),
            ("items=0-1", RangeSpec::Whole),
        ] {
            assert_eq!(parse_range(Some(header), 10), expected, "{header}");
        }
        assert_eq!(parse_range(None, 10), RangeSpec::Whole);
        assert_eq!(parse_range(Some("bytes=0-0"), 0), RangeSpec::Unsatisfiable);
        assert_eq!(parse_range(Some("bytes=-1"), 0), RangeSpec::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_range_is_always_in_the_file(header in "bytes=[0-9]{0,22}-[0-9]{0,22}|\\PC*", size in 0_u64..1000) {
            if let RangeSpec::Range { first, last } = parse_range(Some(&header), size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
