//! The parameters of a request to the issuer: a form, as OAuth has it, or a JSON object, which the
//! real Hub takes as well.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

/// The largest request: an id token of a few kilobytes, with room to spare.
pub(super) const MAX_BYTES: usize = 64 << 10;

/// The parameters, by name. Empty ones are absent, as RFC 6749 demands.
#[derive(Debug)]
pub(crate) struct Parameters(BTreeMap<String, Zeroizing<String>>);

impl Parameters {
    /// Reads a body. A content type that is not given is told from the body.
    pub(crate) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, &'static str> {
        if body.len() > MAX_BYTES {
            return Err("the request is too large");
        }
        let media_type = content_type.map(|value| {
            let value = value.split(';').next().unwrap_or_default();
            value.trim().to_ascii_lowercase()
        });
        let is_json = match media_type.as_deref() {
            Some("application/json") => true,
            Some("application/x-www-form-urlencoded") => false,
            Some("") | None => body.trim_ascii_start().starts_with(b"{"),
            Some(_) => return Err("the request must be a form or JSON"),
        };
        if is_json {
            Self::from_json(body)
        } else {
            Self::from_form(body)
        }
    }

    fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        let object: BTreeMap<String, Value> =
            serde_json::from_slice(body).map_err(|_| "the request is not a JSON object")?;
        let mut parameters = BTreeMap::new();
        for (name, value) in object {
            match value {
                Value::Null => (),
                Value::String(text) if text.is_empty() => (),
                Value::String(text) => {
                    parameters.insert(name, Zeroizing::new(text));
                }
                _ => return Err("every parameter must be a string"),
            }
        }
        Ok(Self(parameters))
    }

    fn from_form(body: &[u8]) -> Result<Self, &'static str> {
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            let value = Zeroizing::new(value.into_owned());
            if value.is_empty() {
                continue;
            }
            if parameters.insert(name.into_owned(), value).is_some() {
                return Err("a parameter is given more than once");
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    #[test]
    fn forms_and_json_say_the_same() {
        for (content_type, body) in [
            (FORM, "client_id=a%20b&scope="),
            (None, "client_id=a+b"),
            (JSON, r#"{"client_id":"a b","scope":null}"#),
            (None, "\n {\"client_id\":\"a b\",\"scope\":\"\"}"),
        ] {
            let read = Parameters::parse(content_type, body.as_bytes()).unwrap();
            assert_eq!(read.get("client_id"), Some("a b"), "{body}");
            assert_eq!(read.get("scope"), None, "{body}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_without_repeating_it() {
        let large = vec![b'a'; MAX_BYTES + 1];
        for (content_type, body) in [
            (JSON, &b""[..]),
            (JSON, b"[]"),
            (JSON, b"client_id=a"),
            (JSON, b"{\"client_id\":1}"),
            (JSON, b"{\"client_id\":[\"a\"]}"),
            (JSON, b"{\"client_id\":\"\\ud800\"}"),
            (JSON, b"{\"client_id\":\"a\xff\"}"),
            (FORM, b"client_id=a&client_id=b"),
            (Some("text/plain"), b"client_id=a"),
            (FORM, &large),
        ] {
            assert!(Parameters::parse(content_type, body).is_err(), "{body:?}");
        }
        let empty = Parameters::parse(FORM, b"").unwrap();
        assert_eq!(empty.get("client_id"), None);
    }
}
