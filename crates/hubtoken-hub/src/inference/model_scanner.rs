//! Finds the `model` that a JSON body names, without buffering or changing the body.
//!
//! It reads the keys of the top-level object and skips their values, byte by byte as they arrive.
//! Servers treat unusual JSON differently: of two equal keys, some use the first and some the last,
//! some ignore case, and some read UTF-16. The model determines authorization, so a body in which
//! this scanner and the server could find different models is rejected.
//!
//! It is written by hand because `serde_json` would need the whole body, or a thread that waits for
//! it, and `actson` buffers each string whole, such as an image in base64.

const MAX_KEY_BYTES: usize = 64;
const MAX_MODEL_BYTES: usize = 1024;

/// Why a body is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    NotAnObject,
    NotJson,
    ModelTwice,
    ModelNotText,
}

impl Malformed {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NotAnObject => "The request body must be a JSON object in UTF-8",
            Self::NotJson => "The request body is not JSON",
            Self::ModelTwice => "The JSON body names `model` twice",
            Self::ModelNotText => "`model` must be a string of at most 1024 characters",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// After the opening brace.
    First,
    /// After a comma.
    Next,
    Key,
    Colon,
    Value,
    Text,
    Scalar,
    /// Inside an array or object that is a value.
    Nested,
    NestedText,
    After,
    End,
}

/// Scans a body as it passes through.
#[derive(Debug)]
pub(super) struct ModelScanner {
    state: State,
    depth: u32,
    escaped: bool,
    /// The raw text of the key or model being read.
    text: Vec<u8>,
    /// Whether the current value is the model's.
    is_model: bool,
    model_seen: bool,
    model: Option<String>,
    /// An incomplete UTF-8 sequence at the end of a chunk.
    partial_char: Vec<u8>,
}

impl ModelScanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            depth: 0,
            escaped: false,
            text: Vec::new(),
            is_model: false,
            model_seen: false,
            model: None,
            partial_char: Vec::new(),
        }
    }

    /// The model, once it has been read.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the object has ended.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::End
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.check_utf8(bytes)?;
        for byte in bytes {
            self.state = self.step(*byte)?;
        }
        Ok(())
    }

    /// Rejects invalid UTF-8: a server that drops invalid bytes would read different names.
    fn check_utf8(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let joined;
        let text = if self.partial_char.is_empty() {
            bytes
        } else {
            joined = [&self.partial_char, bytes].concat();
            &joined
        };
        self.partial_char = match std::str::from_utf8(text) {
            Ok(_) => Vec::new(),
            Err(error) if error.error_len().is_none() => text[error.valid_up_to()..].to_vec(),
            Err(_) => return Err(Malformed::NotAnObject),
        };
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        if byte == 0 {
            return Err(Malformed::NotAnObject);
        }
        let space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        Ok(match (self.state, byte) {
            (State::Key, _) => return self.key(byte),
            (State::Text, _) => return self.value(byte),
            (State::Nested | State::NestedText, _) => return self.nested(byte),
            (State::Scalar, _) if space => State::After,
            (state, _) if space => state,
            (State::Start, b'{') => State::First,
            (State::Start, _) => return Err(Malformed::NotAnObject),
            (State::First | State::Next, b'"') => {
                self.text.clear();
                State::Key
            }
            (State::Colon, b':') => State::Value,
            (State::Value, b'"') => {
                self.text.clear();
                State::Text
            }
            (State::Value, _) if self.is_model => return Err(Malformed::ModelNotText),
            (State::Value, b'{' | b'[') => {
                self.depth = 1;
                State::Nested
            }
            (
                State::Value | State::Scalar,
                b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z',
            ) => State::Scalar,
            (State::After | State::Scalar, b',') => State::Next,
            (State::After | State::Scalar | State::First, b'}') => State::End,
            _ => return Err(Malformed::NotJson),
        })
    }

    /// Handles a byte of a skipped value, where only brackets outside of strings matter.
    fn nested(&mut self, byte: u8) -> Result<State, Malformed> {
        if std::mem::take(&mut self.escaped) {
            return Ok(State::NestedText);
        }
        Ok(match (self.state == State::NestedText, byte) {
            (true, b'\\') => {
                self.escaped = true;
                State::NestedText
            }
            (true, b'"') => State::Nested,
            (true, _) | (false, b'"') => State::NestedText,
            (false, b'{' | b'[') => {
                self.depth = self.depth.checked_add(1).ok_or(Malformed::NotJson)?;
                State::Nested
            }
            (false, b'}' | b']') if self.depth == 1 => State::After,
            (false, b'}' | b']') => {
                self.depth -= 1;
                State::Nested
            }
            (false, _) => State::Nested,
        })
    }

    /// Handles a byte of a key. A key that is too long to be `model` is not stored.
    fn key(&mut self, byte: u8) -> Result<State, Malformed> {
        if self.string_ends(byte, MAX_KEY_BYTES) {
            self.is_model = self
                .unescaped()
                .is_some_and(|key| key.eq_ignore_ascii_case("model"));
            if self.is_model && std::mem::replace(&mut self.model_seen, true) {
                return Err(Malformed::ModelTwice);
            }
            return Ok(State::Colon);
        }
        Ok(State::Key)
    }

    fn value(&mut self, byte: u8) -> Result<State, Malformed> {
        let max_length = if self.is_model { MAX_MODEL_BYTES } else { 0 };
        if !self.string_ends(byte, max_length) {
            return Ok(State::Text);
        }
        if self.is_model {
            self.model = Some(self.unescaped().ok_or(Malformed::ModelNotText)?);
            self.is_model = false;
        }
        Ok(State::After)
    }

    /// Handles a byte of a string, and returns whether it was the closing quote. One byte more than
    /// the maximum is stored, to detect that the string is too long.
    fn string_ends(&mut self, byte: u8, max_length: usize) -> bool {
        if self.escaped {
            self.escaped = false;
        } else if byte == b'"' {
            return true;
        } else if byte == b'\\' {
            self.escaped = true;
        }
        if self.text.len() <= max_length {
            self.text.push(byte);
        }
        false
    }

    fn unescaped(&self) -> Option<String> {
        let max_length = if self.state == State::Key {
            MAX_KEY_BYTES
        } else {
            MAX_MODEL_BYTES
        };
        if self.text.len() > max_length {
            return None;
        }
        let quoted = [b"\"", self.text.as_slice(), b"\""].concat();
        serde_json::from_slice(&quoted).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scan(body: &[u8]) -> Result<Option<String>, Malformed> {
        let mut scanner = ModelScanner::new();
        scanner.feed(body)?;
        if scanner.is_whole() {
            Ok(scanner.model().map(ToOwned::to_owned))
        } else {
            Err(Malformed::NotJson)
        }
    }

    #[test]
    fn the_model_is_found_wherever_it_stands() {
        for body in [
            r#"{"model":"a/b"}"#,
            r#" { "model" : "a/b" , "stream" : true } "#,
            r#"{"messages":[{"model":"x","content":"\"model\":\"y\" ]}"}],"n":1,"model":"a/b"}"#,
            r#"{"mo\u0064el":"a\/b"}"#,
            r#"{"MODEL":"a/b"}"#,
            r#"{"n":-1.5e+3,"t":null,"o":{},"l":[[]],"model":"a/b"}"#,
        ] {
            assert_eq!(scan(body.as_bytes()), Ok(Some("a/b".to_owned())), "{body}");
        }
        assert_eq!(scan(b"{}"), Ok(None));
        assert_eq!(scan(br#"{"inputs":"model"}"#), Ok(None));
    }

    #[test]
    fn what_servers_could_read_in_two_ways_is_refused() {
        use Malformed::{ModelNotText, ModelTwice, NotAnObject, NotJson};
        let long = format!(r#"{{"model":"{}"}}"#, "a".repeat(MAX_MODEL_BYTES + 1));
        for (body, expected) in [
            (r#"{"model":"a","model":"b"}"#, ModelTwice),
            (r#"{"model":"a","x":[],"Mode\u006C":"b"}"#, ModelTwice),
            (r#"{"model":["a"]}"#, ModelNotText),
            (r#"{"model":null}"#, ModelNotText),
            (r#"{"model":"\ud800"}"#, ModelNotText),
            (&long, ModelNotText),
            ("[]", NotAnObject),
            ("\"model\"", NotAnObject),
            ("\u{feff}{}", NotAnObject),
            ("{\0\"\0", NotAnObject),
            ("{'model':'a'}", NotJson),
            ("{model:\"a\"}", NotJson),
            ("{/**/\"model\":\"a\"}", NotJson),
            (r#"{"a":1,,"model":"a"}"#, NotJson),
            (r#"{"a":1}{"model":"b"}"#, NotJson),
            (r#"{"a":"b" "model":"c"}"#, NotJson),
            (r#"{"model":"a""#, NotJson),
            ("", NotJson),
        ] {
            assert_eq!(scan(body.as_bytes()), Err(expected), "{body}");
        }
    }

    #[test]
    fn every_letter_is_utf_8_also_in_two_pieces() {
        for body in [
            &b"{\"mod\xffel\":\"a\"}"[..],
            b"{\"model\":\"a\xe2\",\"x\":1}",
            b"{\"model\":\"a\",\"x\":[\"\xc3\"]}",
        ] {
            assert_eq!(scan(body), Err(Malformed::NotAnObject), "{body:?}");
        }
        let body = r#"{"é":"ü","model":"a/b"}"#.as_bytes();
        for cut in 0..body.len() {
            let mut scanner = ModelScanner::new();
            scanner.feed(&body[..cut]).unwrap();
            scanner.feed(&body[cut..]).unwrap();
            assert_eq!(scanner.model(), Some("a/b"), "{cut}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_parser_finds(
            before in prop::collection::btree_map("[a-lA-L\"\\\\{}]*", any_json(), 0..4),
            model in "\\PC{0,40}",
            pretty: bool,
            cut in 0_usize..64,
        ) {
            let mut object = json!(before);
            object["model"] = model.as_str().into();
            let body = if pretty {
                serde_json::to_string_pretty(&object).unwrap()
            } else {
                object.to_string()
            };
            prop_assume!(!body.contains('\0'));
            let mut scanner = ModelScanner::new();
            let cut = cut.min(body.len());
            scanner.feed(&body.as_bytes()[..cut]).unwrap();
            scanner.feed(&body.as_bytes()[cut..]).unwrap();
            prop_assert!(scanner.is_whole());
            prop_assert_eq!(scanner.model(), Some(model.as_str()));
        }

        #[test]
        fn any_bytes_are_refused_or_read(body: Vec<u8>) {
            // Any object that a strict parser accepts is read to the same end.
            let parsed = serde_json::from_slice::<serde_json::Map<String, Value>>(&body);
            if parsed.is_ok() {
                prop_assert!(scan(&body).is_ok() || body.contains(&b'm') || body.contains(&b'M'));
            } else {
                let _ = scan(&body);
            }
        }
    }
}
