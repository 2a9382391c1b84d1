//! Parses the `Range` header.

/// The part of a file that a `Range` header requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The whole file: there is no header, or it is ignored (another unit, several ranges,
    /// invalid).
    Whole,
    /// The bytes from `first` to `last`, both inclusive and both within the file.
    Range { first: u64, last: u64 },
    /// A range outside the file.
    Unsatisfiable,
}

/// Parses the header for a file of this size.
pub(super) fn part(header: Option<&str>, size: u64) -> Part {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit mean "beyond the end", which saturation preserves.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), _) if last.trim().is_empty() => bounded(first, u64::MAX, size),
        (Some(first), Some(last)) if first <= last => bounded(first, last, size),
        (None, Some(suffix)) if first.trim().is_empty() => {
            if suffix == 0 || size == 0 {
                Part::Unsatisfiable
            } else {
                Part::Range {
                    first: size.saturating_sub(suffix),
                    last: size - 1,
                }
            }
        }
        _ => Part::Whole,
    }
}

fn bounded(first: u64, last: u64, size: u64) -> Part {
    if first >= size {
        Part::Unsatisfiable
    } else {
        Part::Range {
            first,
            last: last.min(size - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        let range = |first, last| Part::Range { first, last };
        for (header, expected) in [
            ("bytes=0-0", range(0, 0)),
            ("bytes=0-", range(0, 9)),
            ("bytes=5-7", range(5, 7)),
            ("bytes=5-99", range(5, 9)),
            ("bytes=-3", range(7, 9)),
            ("bytes=-99", range(0, 9)),
            ("bytes=9-99999999999999999999999", range(9, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=7-5", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            assert_eq!(part(Some(header), 10), expected, "{header}");
        }
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=0-0"), 0), Part::Unsatisfiable);
        assert_eq!(part(Some("bytes=-1"), 0), Part::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_range_is_always_in_the_file(header in "bytes=[0-9]{0,22}-[0-9]{0,22}|\\PC*", size in 0_u64..1000) {
            if let Part::Range { first, last } = part(Some(&header), size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
