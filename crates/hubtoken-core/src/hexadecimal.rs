//! Bytes as lowercase hexadecimal digits, for digests, ids, and the links that are made of them.
//!
//! Only lowercase digits are read: digests are compared as text in file names and URLs, so each must
//! have exactly one spelling. The `hex` crate also reads capitals.

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The value of each digit; 0xff for every other byte.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value: u8 = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Writes two digits for each byte.
///
/// # Example
///
/// ```
/// assert_eq!(hubtoken_core::hexadecimal::encode(&[0, 171, 255]), "00abff");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| pair(*byte))
        .map(char::from)
        .collect()
}

/// Writes two digits for each byte over `digits`; digits that have no byte stay as they are.
pub fn encode_into(bytes: &[u8], digits: &mut [u8]) {
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (digits, byte) in pairs.iter_mut().zip(bytes) {
        *digits = pair(*byte);
    }
}

/// Reads exactly `N` bytes.
///
/// Returns `None` if the text has another length, or anything but lowercase digits.
///
/// # Example
///
/// ```
/// use hubtoken_core::hexadecimal::decode;
///
/// assert_eq!(decode("00abff"), Some([0, 171, 255]));
/// assert_eq!(decode::<3>("00ABFF"), None);
/// ```
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        // Of two values, 0xff is the only one above 0xf.
        if (high | low) > 0xf {
            return None;
        }
        *byte = high << 4 | low;
    }
    Some(bytes)
}

fn pair(byte: u8) -> [u8; 2] {
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 0xf)],
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_lowercase_text_is_read() {
        for text in [
            "",
            "0",
            "00a",
            "00abf",
            "00abff0",
            "00ABFF",
            "00abfg",
            " 0abff",
            "0\u{e9}abf",
        ] {
            assert_eq!(decode::<3>(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_left_over_stays() {
        let mut digits = *b"------";
        encode_into(&[0xab, 0x0c], &mut digits);
        assert_eq!(&digits, b"ab0c--");
        encode_into(&[1, 2, 3, 4], &mut digits);
        assert_eq!(&digits, b"010203");
    }

    proptest! {
        #[test]
        fn every_byte_comes_back(bytes in any::<[u8; 20]>()) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Some(bytes));
            for (byte, digits) in bytes.iter().zip(text.as_bytes().chunks(2)) {
                let formatted = format!("{byte:02x}");
                prop_assert_eq!(formatted.as_bytes(), digits);
            }
        }
    }
}
