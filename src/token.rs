//! The secret itself.
//!
//! A [`Token`] is a value that passed every check that can be made without asking anybody: it may
//! be sent in an `Authorization` header, and it is not a mask or a placeholder that somebody
//! pasted. It has no `Display`, its `Debug` shows a mask, it compares in constant time, and its
//! buffer is overwritten when it is dropped. The value leaves through [`Token::expose`] alone.

use std::fmt;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

/// The longest value that is taken for a token, in bytes.
///
/// OAuth and OIDC tokens carry a JWT of some hundred characters; common servers refuse a header
/// of more than 8 KiB.
pub const MAXIMUM_LENGTH: usize = 8_000;

/// The digits of [`Digest::hex`].
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
/// What each of them is worth.
const VALUES: [u8; 256] = {
    let mut values = [0xff; 256];
    let mut value: u8 = 0;
    while value < 16 {
        values[HEXADECIMAL[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// How many of a token's last characters a mask shows.
const SHOWN: usize = 4;

/// What sort of token a value is, told from its prefix.
///
/// The prefixes are the Hub's; a value without a known prefix is [`TokenKind::Opaque`], since a
/// team's own Hub may issue anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A user access token: `hf_…`, or `api_…` before 2022.
    UserAccess,
    /// An organisation token, deprecated: `api_org_…`.
    Organization,
    /// An OAuth access token: `hf_oauth_…`.
    OAuth,
    /// A token of an OIDC exchange, bound to one repository: `hf_jwt_…`.
    Jwt,
    /// A token of an app or service account: `hf_app_…`.
    App,
    /// A token for the S3 gateway: `hf_s3_…`.
    S3,
    /// Anything else.
    Opaque,
}

/// Prefixes from the longest to the shortest: the first that matches decides.
const PREFIXES: [(&str, TokenKind); 7] = [
    ("hf_oauth_", TokenKind::OAuth),
    ("api_org_", TokenKind::Organization),
    ("hf_jwt_", TokenKind::Jwt),
    ("hf_app_", TokenKind::App),
    ("hf_s3_", TokenKind::S3),
    ("api_", TokenKind::UserAccess),
    ("hf_", TokenKind::UserAccess),
];

/// Secrets that belong to the Hub, but that no `Authorization: Bearer` header should carry.
const NOT_ACCESS_TOKENS: [(&str, &str); 2] = [
    (
        "hf_oauth__refresh_",
        "an OAuth refresh token, which only renews an access token",
    ),
    (
        "oauth_app_secret_",
        "the secret of an OAuth app, which belongs to a server",
    ),
];

/// Words that people leave where a token should be.
const PLACEHOLDERS: [&str; 20] = [
    "access_token",
    "changeme",
    "false",
    "hf_token",
    "huggingface_token",
    "my_token",
    "mytoken",
    "none",
    "null",
    "redacted",
    "secret",
    "todo",
    "token",
    "token_here",
    "true",
    "undefined",
    "user_access_token",
    "xxx",
    "hidden",
    "masked",
];

/// A value of this length after its prefix is no such word.
const LONGEST_PLACEHOLDER: usize = 34;

impl TokenKind {
    /// The kind of a value, from its prefix.
    #[must_use]
    pub fn of(value: &str) -> Self {
        split_prefix(value).1
    }

    /// The name that is shown to people and to Python.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserAccess => "user-access",
            Self::Organization => "organization",
            Self::OAuth => "oauth",
            Self::Jwt => "jwt",
            Self::App => "app",
            Self::S3 => "s3",
            Self::Opaque => "opaque",
        }
    }
}

fn split_prefix(value: &str) -> (&'static str, TokenKind) {
    PREFIXES
        .iter()
        .find(|(prefix, _)| value.starts_with(prefix))
        .map_or(("", TokenKind::Opaque), |&(prefix, kind)| (prefix, kind))
}

/// The SHA-256 of a token's value: what caches are keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a value.
    #[must_use]
    pub fn of(value: &str) -> Self {
        Self(Sha256::digest(value.as_bytes()).into())
    }

    /// The first eight bytes in hexadecimal: enough to tell tokens apart, too little to search
    /// for a value of 34 random characters.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hexadecimal(&self.0[..8])
    }

    /// All the bytes in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        hexadecimal(&self.0)
    }

    /// Reads back what [`Digest::hex`] wrote.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
            // What is no digit has the value 0xff.
            if (high | low) > 0xf {
                return None;
            }
            *byte = high << 4 | low;
        }
        Some(Self(bytes))
    }

    /// All the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(HEXADECIMAL[usize::from(value & 0xf)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({})", self.fingerprint())
    }
}

/// A token: a secret that may be sent to its endpoint.
///
/// ```
/// use hubtoken::token::Token;
///
/// let token = Token::parse(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX\n")?.ok_or("blank")?;
/// assert_eq!(token.mask(), "hf_…keXX");
/// assert_eq!(format!("{token:?}"), "Token(hf_…keXX)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Token {
    value: Zeroizing<String>,
    kind: TokenKind,
    /// Taken when it is first asked for.
    digest: OnceLock<Digest>,
}

impl Token {
    /// Reads a token as people and files give it.
    ///
    /// White space around the value, line breaks, a byte order mark and one pair of quotes are
    /// removed. `None` is a blank value, which means "not set".
    ///
    /// # Errors
    ///
    /// [`Error::TokenFormat`] when the value cannot be a token: it has white space or control
    /// characters inside, characters that a bearer token never has (RFC 6750, section 2.1), is a
    /// mask or a placeholder, or is some other secret. The message never shows the value.
    pub fn parse(raw: &str) -> Result<Option<Self>, Error> {
        // An exact copy: no reallocation leaves a part of the value behind.
        Self::of_clean(Zeroizing::new(clean(raw).to_owned()))
    }

    /// As [`Token::parse`], of a text that is not needed any more: a clean one is not copied.
    ///
    /// # Errors
    ///
    /// As [`Token::parse`].
    pub fn take(raw: Zeroizing<String>) -> Result<Option<Self>, Error> {
        if clean(&raw).len() == raw.len() {
            Self::of_clean(raw)
        } else {
            Self::parse(&raw)
        }
    }

    fn of_clean(value: Zeroizing<String>) -> Result<Option<Self>, Error> {
        if value.is_empty() {
            return Ok(None);
        }
        match find_problem(&value) {
            Some(problem) => Err(Error::TokenFormat(problem)),
            None => Ok(Some(Self {
                kind: TokenKind::of(&value),
                digest: OnceLock::new(),
                value,
            })),
        }
    }

    /// The value. The only way to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// What sort of token it is.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The SHA-256 of the value.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.value))
    }

    /// The prefix and the last four characters around U+2026, which no HTTP header can carry.
    ///
    /// A short value shows its prefix only.
    #[must_use]
    pub fn mask(&self) -> String {
        let (prefix, _) = split_prefix(&self.value);
        let rest = self.value.get(prefix.len()..).unwrap_or_default();
        // The value is ASCII, so any byte offset is a character boundary.
        let shown = if rest.len() >= SHOWN * 4 {
            rest.get(rest.len() - SHOWN..).unwrap_or_default()
        } else {
            ""
        };
        format!("{prefix}…{shown}")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.value.as_bytes().ct_eq(other.value.as_bytes()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token({})", self.mask())
    }
}

/// White space, and the invisible characters that a copy from a page or an editor brings along.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\0'
        )
}

fn clean(raw: &str) -> &str {
    let trimmed = raw.trim_matches(is_invisible);
    for quote in ['"', '\''] {
        if let Some(inner) = trimmed
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner.trim_matches(is_invisible);
        }
    }
    trimmed
}

/// Why a value cannot be a token, in words that do not show it.
fn find_problem(value: &str) -> Option<String> {
    let (prefix, _) = split_prefix(value);
    let illegal = value.bytes().position(|byte| !LEGAL[usize::from(byte)]);
    // A mask and most placeholders have an illegal character as well, which says less about them.
    if illegal.is_some() && value.contains(['*', '…', '•']) {
        return Some(
            "this is a masked token, as a list or a log shows it, not the token itself. Copy the \
             value when it is created, or refresh the token to get a new one"
                .to_owned(),
        );
    }
    if value.starts_with(['<', '$', '{', '[', '%']) || is_placeholder(value, prefix) {
        return Some(
            "this is a placeholder, not a token. Put a real token in its place: the Hub shows it \
             when it is created under Settings → Access Tokens"
                .to_owned(),
        );
    }
    if value.len() > MAXIMUM_LENGTH {
        return Some(format!(
            "{} bytes are too long for a token (at most {MAXIMUM_LENGTH})",
            value.len()
        ));
    }
    if let Some(position) = illegal {
        return Some(find_illegal(value, position));
    }
    NOT_ACCESS_TOKENS
        .iter()
        .find(|(prefix, _)| value.starts_with(prefix))
        .map(|(_, what)| format!("this is {what}; give the access token instead"))
}

/// Which bytes a bearer token may have (RFC 6750, section 2.1).
const LEGAL: [bool; 256] = {
    let mut legal = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        legal[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        byte += 1;
    }
    legal
};

/// What sort of illegal character there is, and where.
fn find_illegal(value: &str, position: usize) -> String {
    if let Some(position) = value.chars().position(char::is_whitespace) {
        return format!(
            "there is white space inside the value (after {position} characters): it may be two \
             tokens, or a whole line of a file"
        );
    }
    if let Some(position) = value.chars().position(char::is_control) {
        return format!(
            "there is a control character inside the value (after {position} characters)"
        );
    }
    format!("there is a character in the value (after {position} bytes) that no bearer token has")
}

fn is_placeholder(value: &str, prefix: &str) -> bool {
    let rest = value.get(prefix.len()..).unwrap_or_default();
    let mut characters = rest.chars();
    let one_character_only = match characters.next() {
        None => true,
        Some(first) => characters.all(|character| character.eq_ignore_ascii_case(&first)),
    };
    let xxx = |part: Option<&str>| part.is_some_and(|part| part.eq_ignore_ascii_case("xxx"));
    if one_character_only || (xxx(rest.get(..3)) && xxx(rest.get(rest.len().saturating_sub(3)..))) {
        return true;
    }
    // Words are shorter than any token.
    if rest.len() >= LONGEST_PLACEHOLDER {
        return false;
    }
    let lower = Zeroizing::new(value.to_ascii_lowercase().replace('-', "_"));
    let lower_rest = lower.get(prefix.len()..).unwrap_or_default();
    PLACEHOLDERS.contains(&lower.as_str())
        || PLACEHOLDERS.contains(&lower_rest)
        || lower_rest.starts_with("your")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

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
            "Bearer hf_FakeFakeFakeFake",
            "hf_oauth__refresh_FakeFakeFakeFakeFakeFakeFakeFake00",
            "oauth_app_secret_FakeFakeFakeFakeFakeFakeFakeFake00",
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
}
