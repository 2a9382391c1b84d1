//! Parses quoted names, as git writes them (`quote.c`).

/// The quoted name at the start of a text, and the rest. `None` if the text does not start with
/// one.
pub(super) fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut name = Vec::new();
    let mut bytes = inner.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((name, &inner[at + 1..])),
            b'\\' => name.push(match bytes.next()?.1 {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                plain @ (b'\\' | b'"') => plain,
                first @ b'0'..=b'3' => {
                    let mut digit = || {
                        let digit = bytes.next()?.1.wrapping_sub(b'0');
                        (digit < 8).then_some(digit)
                    };
                    ((first - b'0') << 6) | (digit()? << 3) | digit()?
                }
                _ => return None,
            }),
            byte => name.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_git_wrote_them() {
        let read = |text| unquote(text);
        assert_eq!(read("\"a b\" c"), Some((b"a b".to_vec(), " c")));
        assert_eq!(read("\"a\"c"), Some((b"a".to_vec(), "c")));
        assert_eq!(
            read(r#""\303\251\t\"\\""#),
            Some(("\u{e9}\t\"\\".as_bytes().to_vec(), ""))
        );
        for bad in [
            "a",
            "",
            "\"",
            "\"a",
            r#""\"#,
            r#""\x""#,
            r#""\400""#,
            r#""\38""#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
