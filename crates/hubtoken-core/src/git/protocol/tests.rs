//! Tests what is parsed, what is rejected, and that parsing reverses encoding.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Attributes {
    Attributes::parse(text.as_bytes()).unwrap()
}

#[test]
fn what_git_sends_is_read() {
    let read = parse(
        "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=huggingface.co\n\
         path=a=b.git\nwwwauth[]=Basic realm=\"x\"\nwwwauth[]=\nwwwauth[]=Bearer\nnews=1\n\
         password_expiry_utc=12\n\nhost=evil.example\n",
    );
    assert_eq!(read.protocol.as_deref(), Some(&b"https"[..]));
    assert_eq!(read.host.as_deref(), Some(&b"huggingface.co"[..]));
    assert_eq!(read.path.as_deref(), Some(&b"a=b.git"[..]));
    assert_eq!(read.capabilities, [b"authtype".to_vec(), b"state".to_vec()]);
    assert_eq!(read.wwwauth, [b"Bearer".to_vec()]);
    assert_eq!(read.password_expiry_utc, Some(12));
    assert_eq!(parse("password_expiry_utc=soon").password_expiry_utc, None);
    assert!(parse("") == Attributes::default());
    assert!(parse("\n") == Attributes::default());
}

#[test]
fn a_url_is_taken_apart_as_git_does_it() {
    let read = parse("username=old\npath=old\nurl=https://a%40b:p%3aw@h.example:8443/x%20y/z\n");
    assert_eq!(read.protocol.as_deref(), Some(&b"https"[..]));
    assert_eq!(read.host.as_deref(), Some(&b"h.example:8443"[..]));
    assert_eq!(read.username.as_deref(), Some(&b"a@b"[..]));
    assert_eq!(read.password.unwrap().as_slice(), b"p:w");
    assert_eq!(read.path.as_deref(), Some(&b"x y/z"[..]));
    let read = parse("username=old\npath=old\nurl=https://h.example?@evil.example");
    assert_eq!(read.host.as_deref(), Some(&b"h.example"[..]));
    assert_eq!(read.username, None);
    let read = parse("username=old\npassword=old\npath=old\nurl=https://h.example/");
    assert!(read.username.is_none() && read.password.is_none() && read.path.is_none());
}

#[test]
fn what_could_smuggle_a_line_is_refused() {
    for (text, expected) in [
        ("protocol=https\r\nhost=x\n", ProtocolError::Character(1)),
        ("protocol=https\nhost=x\0y\n", ProtocolError::Character(2)),
        ("path=a\rhost=x\n", ProtocolError::Character(1)),
        (
            "url=https://evil.example%0ahost=huggingface.co/",
            ProtocolError::Character(1),
        ),
        ("url=https://a%0d@h/", ProtocolError::Character(1)),
        ("url=https://a:b%00@h/", ProtocolError::Character(1)),
        ("url=https://h/%0a", ProtocolError::Character(1)),
        ("url=huggingface.co", ProtocolError::Url(1)),
        ("url=://huggingface.co", ProtocolError::Url(1)),
        ("host=x\nnonsense\n", ProtocolError::Line(2)),
    ] {
        assert_eq!(Attributes::parse(text.as_bytes()).unwrap_err(), expected);
    }
}

#[test]
fn what_cannot_be_carried_is_not_written() {
    for value in ["a\nhost=b", "a\rb", "a\0b"] {
        let attributes = Attributes {
            username: Some(value.into()),
            ..Attributes::default()
        };
        assert_eq!(
            attributes.encode().unwrap_err(),
            ProtocolError::Value("username")
        );
    }
    let attributes = Attributes {
        wwwauth: vec![Vec::new()],
        ..Attributes::default()
    };
    assert_eq!(
        attributes.encode().unwrap_err(),
        ProtocolError::Value("wwwauth[]")
    );
}

#[test]
fn an_input_is_read_to_its_blank_line_and_no_further_than_the_limit() {
    let mut input = Cursor::new(b"host=a\n\nhost=b\n".to_vec());
    assert_eq!(read(&mut input).unwrap().as_slice(), b"host=a\n");
    assert_eq!(read(&mut Cursor::new(b"\nx")).unwrap().as_slice(), b"");
    assert_eq!(read(&mut Cursor::new(b"")).unwrap().as_slice(), b"");
    let fits = vec![b'x'; MAXIMUM_SIZE];
    assert_eq!(
        read(&mut Cursor::new(&fits)).unwrap().as_slice(),
        fits.as_slice()
    );
    assert_eq!(
        read(&mut std::io::repeat(b'x')).unwrap_err(),
        ProtocolError::TooLong
    );
}

/// Yields one byte per read, like a terminal or a slow pipe.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("a line break", |byte| !FORBIDDEN.contains(byte)),
        0..20,
    )
}

fn list() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(
        value().prop_filter("empty", |value| !value.is_empty()),
        0..4,
    )
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let some = || proptest::option::of(value());
    (
        (some(), some(), some(), some(), some(), some(), some()),
        any::<Option<i64>>(),
        list(),
        list(),
    )
        .prop_map(
            |(
                (protocol, host, path, username, password, authtype, credential),
                expiry,
                capabilities,
                wwwauth,
            )| {
                Attributes {
                    protocol,
                    host,
                    path,
                    username,
                    password: password.map(Zeroizing::new),
                    authtype,
                    credential: credential.map(Zeroizing::new),
                    password_expiry_utc: expiry,
                    capabilities,
                    wwwauth,
                }
            },
        )
}

proptest! {
    #[test]
    fn no_bytes_panic(input in vec(any::<u8>(), 0..300)) {
        let _ = Attributes::parse(&input);
    }

    #[test]
    fn nothing_like_the_protocol_panics_or_smuggles(
        input in "(url=https?://[a%0d:@/?#\\[\\]]{0,20}|(host|path|wwwauth\\[\\])=\\PC{0,10}|\\PC{0,5}){0,5}",
    ) {
        if let Ok(read) = Attributes::parse(input.as_bytes()) {
            let written = read.encode().unwrap();
            prop_assert!(Attributes::parse(&written).unwrap() == read);
        }
    }

    #[test]
    fn reading_undoes_writing(attributes in attributes()) {
        let written = attributes.encode().unwrap();
        prop_assert!(Attributes::parse(&written).unwrap() == attributes);
        let mut slow = Trickle(&written);
        let received = read(&mut slow).unwrap();
        prop_assert_eq!(received.as_slice(), written.as_slice());
    }
}
