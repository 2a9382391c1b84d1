//! What is accepted as a token, what is rejected, and how much of a token is shown.

use proptest::prelude::*;

use super::*;

const FAKE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

fn parse(raw: &str) -> Token {
    Token::parse(raw).unwrap().unwrap()
}

#[test]
fn surroundings_are_removed() {
    let taken = |raw: &str| Token::take(Zeroizing::new(raw.to_owned()));
    assert_eq!(taken(FAKE).unwrap().unwrap().expose(), FAKE);
    assert!(taken("").unwrap().is_none() && taken("hf_****abcd").is_err());
    for raw in [
        format!(" {FAKE}\r\n"),
        format!("\u{feff}{FAKE}"),
        format!("\"{FAKE}\""),
        format!("\u{feff} '{FAKE}' \n"),
        format!("\u{200b}{FAKE}\u{a0}"),
    ] {
        assert_eq!(parse(&raw).expose(), FAKE);
        assert_eq!(taken(&raw).unwrap().unwrap().expose(), FAKE);
    }
}

#[test]
fn blank_is_not_set() {
    for raw in ["", " ", "\n", "\u{feff}", "\"\"", "' '", "\0"] {
        assert!(Token::parse(raw).unwrap().is_none());
    }
}

#[test]
fn masks_and_placeholders_are_refused_without_being_shown() {
    for raw in [
        "hf_****abcd",
        "hf_…abcd",
        "**********",
        "••••••••",
        "<HF_TOKEN>",
        "$HF_TOKEN",
        "${HF_TOKEN}",
        "{{ secrets.HF_TOKEN }}",
        "hf_xxx",
        "hf_XXXXXXXXXXXXXXXX",
        "hf_...",
        "hf_",
        "YOUR_TOKEN_HERE",
        "hf_your_access_token",
        "your-token",
        "None",
        "True",
        "HF_TOKEN",
        "hf_FakeFake FakeFake",
        "hf_FakeFake\nhf_FakeFake",
        "hf_FakeFake\u{7}Fake",
        "hf_FakeFake\u{e9}Fake",
        "hf_...abcd",
        "hf_\\u2026abcd",
        "hf_?abcd",
        "HubToken(hf_...abcd, source=argument)",
        "hf_oauth__refresh_FakeFakeFakeFakeFakeFakeFakeFake00",
        "oauth_app_secret_FakeFakeFakeFakeFakeFakeFakeFake00",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nFakeFake\n-----END OPENSSH PRIVATE KEY-----",
    ] {
        let Err(Error::TokenFormat(message)) = Token::parse(raw) else {
            unreachable!("{raw} was taken for a token");
        };
        assert!(!message.contains(raw), "{message} shows the value");
    }
    assert!(Token::parse(&"a".repeat(10_000_000)).is_err());
    assert!(Token::parse(&"ab".repeat(10_000)).is_err());
}

#[test]
fn a_whole_header_is_called_one() {
    for before in ["Basic ", "Basic\t"] {
        let error = Token::parse(&format!("{before}{FAKE}")).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("Authorization header"), "{message}");
        assert!(!message.contains("FakeFake"), "{message}");
    }
    let error = Token::parse(&format!("Bearers {FAKE}")).unwrap_err();
    assert!(error.to_string().contains("white space"), "{error}");
}

#[test]
fn kinds_follow_prefixes() {
    for (value, kind) in [
        (FAKE, TokenKind::UserAccess),
        ("api_org_FakeFakeFakeFake", TokenKind::Organization),
        ("hf_oauth_eyFake.eyFake.Fa-_ke", TokenKind::OAuth),
        ("hf_jwt_eyFake.eyFake.Fake", TokenKind::Jwt),
        ("api_FakeFakeFakeFake", TokenKind::UserAccess),
        ("some.other/token+68==", TokenKind::Opaque),
    ] {
        assert_eq!(parse(value).kind(), kind);
    }
}

#[test]
fn a_mask_cannot_be_sent_or_read_back() {
    let mask = parse(FAKE).mask();
    assert_eq!(mask, "hf_…keXX");
    assert!(Token::parse(&mask).is_err());
    assert!(!mask.is_ascii());
    assert_eq!(parse("hf_Fake").mask(), "hf_…");
}

#[test]
fn a_digest_is_read_back() {
    let digest = Digest::of(FAKE);
    let hex = digest.hex();
    assert_eq!(hex.len(), 64);
    assert_eq!(Digest::from_hex(&hex), Some(digest));
    assert!(hex.starts_with(&digest.fingerprint()));
    for other in [&hex[1..], &hex.to_uppercase(), &format!("{hex}0"), "é", ""] {
        assert_eq!(Digest::from_hex(other), None);
    }
}

#[test]
fn equality_is_of_the_value() {
    assert_eq!(parse(FAKE), parse(&format!("{FAKE}\n")));
    assert_ne!(parse(FAKE), parse("hf_FakeFakeFakeFakeFakeFakeFakeFakeXY"));
}

proptest! {
    #[test]
    fn parsing_never_panics_nor_shows_the_value(raw in "\\PC{8,60}|[ -~\\t\\r\\n]{8,60}") {
        match Token::parse(&raw) {
            Ok(Some(token)) => {
                let shown = format!("{token:?}");
                prop_assert!(!shown.contains(token.expose()));
                prop_assert!(token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
            }
            Ok(None) => {}
            Err(error) => prop_assert!(!error.to_string().contains(raw.trim())),
        }
    }
}

#[test]
fn another_secret_is_found_in_an_ambient_source_and_no_token() {
    for (value, what) in [
        ("p@ssw0rd!", OtherSecret::Character),
        ("p\u{e4}ssword", OtherSecret::Character),
        ("123456789:AAFakeFakeFakeFake", OtherSecret::Character),
        ("s3cr3t$", OtherSecret::Character),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nFake",
            OtherSecret::PrivateKey,
        ),
        (
            "AWS_SECRET_ACCESS_KEY=FakeFake/Fake+Fake",
            OtherSecret::Assignment,
        ),
        ("DB_PASSWORD=hunter2", OtherSecret::Assignment),
        ("PASSWORD=hunter2==", OtherSecret::Assignment),
    ] {
        let token = Token::parse_ambient(value).unwrap().unwrap();
        assert_eq!(token.other_secret(), Some(what), "{what:?}");
        assert!(!format!("{token:?}").contains(&value[..4]));
        assert!(Token::parse(value).is_err(), "{what:?}");
    }
    // These stand for a token that is missing, or are not clear.
    for value in [
        "hf_****abcd",
        "<HF_TOKEN>",
        "hf_xxx",
        "two words",
        "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX\nhf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
        "alice=hf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
        "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX|tee",
    ] {
        assert!(Token::parse_ambient(value).is_err());
    }
    // Formats of other Hubs, which they may have.
    for value in ["token=abcdef", "key=a", "some.other/token+68=="] {
        let token = Token::parse_ambient(value).unwrap().unwrap();
        assert_eq!(token.other_secret(), None);
    }
}

#[test]
fn a_token_in_braces_is_no_placeholder() {
    for around in ["{\"HF_TOKEN\": \"@\"}", "[@]", "${HF_TOKEN:-@}", "<@>"] {
        let value = around.replace('@', "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX");
        let error = Token::parse(&value).unwrap_err().to_string();
        assert!(
            error.contains("more in it than a token"),
            "{around}: {error}"
        );
    }
}
