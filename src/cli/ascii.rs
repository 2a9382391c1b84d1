//! Writes text to streams whose encoding is not UTF-8, as Python would.
//!
//! A name that people gave, or the U+2026 of a mask, cannot be written to a terminal that is set to
//! ASCII or to a code page. Text then has escape sequences like those of Python, JSON its own.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::token::ELLIPSIS;

/// The text in ASCII: three dots for U+2026, and escape sequences for all else.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character, into| {
        match (character, u32::from(character)) {
            (ELLIPSIS, _) => into.push_str("..."),
            // Writing to a `String` cannot fail.
            (_, code @ ..=0xff) => _ = write!(into, "\\x{code:02x}"),
            (_, code @ ..=0xffff) => _ = write!(into, "\\u{code:04x}"),
            (_, code) => _ = write!(into, "\\U{code:08x}"),
        }
    })
}

/// The text as a stream gets it that takes only ASCII, or all of Unicode.
pub fn text_if(is_ascii: bool, unicode: &str) -> Cow<'_, str> {
    if is_ascii {
        text(unicode)
    } else {
        unicode.into()
    }
}

/// JSON in ASCII (RFC 8259, section 7), which is read as the same values.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |character, into| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            _ = write!(into, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut into = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            into.push(character);
        } else {
            escape(character, &mut into);
        }
    }
    into.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ascii_is_escaped_as_python_does() {
        assert_eq!(
            text("hf_\u{2026}9xQ2 M\u{fc}ller \u{6a21} \u{1f600}"),
            "hf_...9xQ2 M\\xfcller \\u6a21 \\U0001f600"
        );
        assert_eq!(text("plain"), "plain");
    }

    #[test]
    fn json_has_the_same_values() {
        let value =
            serde_json::json!({"mask": "hf_\u{2026}9xQ2", "name": "M\u{fc}ller \u{1f600}\n"});
        let line = value.to_string();
        let written = json(&line);
        assert!(written.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written).unwrap(),
            value
        );
    }
}
