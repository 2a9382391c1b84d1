//! The set of bytes in a bracket expression.

#[derive(Debug, PartialEq)]
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    fn none() -> Self {
        Self([false; 256])
    }

    pub(super) fn all() -> Self {
        Self([true; 256])
    }

    pub(super) fn without_slash(mut self) -> Self {
        self.0[usize::from(b'/')] = false;
        self
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0[usize::from(byte)] = true;
        }
    }

    /// Parses what follows an opening bracket, and returns where it ends. Returns `None` if it is
    /// not closed.
    pub(super) fn read(pattern: &[u8], start: usize) -> Option<(Self, usize)> {
        let byte = |at: usize| pattern.get(at).copied();
        let mut set = Self::none();
        let is_negated = matches!(byte(start), Some(b'!' | b'^'));
        let mut at = start + usize::from(is_negated);
        let mut before = None;
        loop {
            match byte(at)? {
                b'\\' => {
                    at += 1;
                    let escaped = byte(at)?;
                    set.add([escaped]);
                    before = Some(escaped);
                }
                b'-' if before.is_some() && byte(at + 1).is_some_and(|next| next != b']') => {
                    at += 1;
                    if byte(at) == Some(b'\\') {
                        at += 1;
                    }
                    set.add(before?..=byte(at)?);
                    before = None;
                }
                b'[' if byte(at + 1) == Some(b':') => {
                    let name = at + 2;
                    let length = pattern.get(name..)?.iter().position(|byte| *byte == b']')?;
                    if let Some(class) = pattern[name..name + length].strip_suffix(b":") {
                        set.add((0..=u8::MAX).filter(class_of(class)?));
                        at = name + length;
                        before = None;
                    } else {
                        set.add([b'[']);
                        before = Some(b'[');
                    }
                }
                other => {
                    set.add([other]);
                    before = Some(other);
                }
            }
            at += 1;
            if byte(at)? == b']' {
                break;
            }
        }
        if is_negated {
            set.0 = set.0.map(|has| !has);
        }
        Some((set, at + 1))
    }
}

/// The bytes of a character class, as git defines it. Its whitespace differs from C's.
fn class_of(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}
