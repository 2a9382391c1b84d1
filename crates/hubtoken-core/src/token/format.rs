//! Decides which values can be tokens.
//!
//! Users paste masks from a list, placeholders from a page, two tokens at once. Each is
//! recognized by its form, without a request, and rejected with a message that never shows the
//! value.

use zeroize::Zeroizing;

use super::kind::{TokenKind, split_prefix};
use super::service_key;

/// What a mask has in place of most of the token.
pub const ELLIPSIS: char = '\u{2026}';
/// What becomes of it where it cannot be encoded: an escape sequence, or three dots.
const ESCAPED_ELLIPSIS: &str = "\\u2026";
const DOTS: &str = "...";

/// The maximum length of a token in bytes.
///
/// OAuth and OIDC tokens contain a JWT of several hundred characters. Common servers reject a
/// header of more than 8 KiB.
pub const MAXIMUM_LENGTH: usize = 8_000;

/// Secrets of the Hub that must not be sent as `Authorization: Bearer`.
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

/// Placeholders that are often left in place of a token.
const PLACEHOLDERS: [&str; 21] = [
    "access_token",
    "bearer",
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

/// A value with at least this many characters after its prefix is not a placeholder.
const LONGEST_PLACEHOLDER: usize = 34;

/// A secret that is not a token, judged by its form alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherSecret {
    /// It has a character that no token has, as a password may.
    Character,
    /// A private key or a certificate.
    PrivateKey,
    /// The line of another variable.
    Assignment,
}

impl OtherSecret {
    /// A description, phrased to follow the value's name.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Character => "has a character that no token has, as a password may,",
            Self::PrivateKey => "looks like a private key or a certificate",
            Self::Assignment => "has a `=` inside, as a line that sets another variable,",
        }
    }
}

/// Why a value cannot be a token.
pub(super) struct Problem {
    /// A message that does not show the value.
    pub(super) message: String,
    /// What it is instead. Masks, placeholders and broken lines are nothing, and stand for a token
    /// that is missing; another secret was put there by mistake.
    pub(super) other_secret: Option<OtherSecret>,
}

impl From<&str> for Problem {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self {
            message,
            other_secret: None,
        }
    }
}

/// Why a value of these kinds of bytes cannot be a token; `None` if it can.
/// `prefix` is that of its kind.
pub(super) fn find_problem(value: &str, prefix: &str, bytes: ByteKinds) -> Option<Problem> {
    // Most masks and placeholders also contain an illegal character, but that would be a less
    // helpful message.
    let has_mark = bytes.have(ByteKinds::ILLEGAL)
        && (value.contains(['*', ELLIPSIS, '\u{2022}']) || value.contains(ESCAPED_ELLIPSIS));
    if has_mark || (bytes.have(ByteKinds::DOT) && value.contains(DOTS)) {
        return Some(
            "this is a masked token, as a list or a log shows it, not the token itself. Copy the \
             value when it is created, or refresh the token to get a new one"
                .into(),
        );
    }
    if value.starts_with(['<', '$', '{', '[', '%']) && holds_token(value) {
        return Some(
            "there is more in it than a token. Put the token there alone, without what is around it"
                .into(),
        );
    }
    if value.starts_with(['<', '$', '{', '[', '%']) || is_placeholder(value, prefix) {
        return Some(
            "this is a placeholder, not a token. Put a real token in its place: the Hub shows it \
             when it is created under Settings > Access Tokens"
                .into(),
        );
    }
    let because = |other_secret, message: &str| {
        Some(Problem {
            message: message.to_owned(),
            other_secret: Some(other_secret),
        })
    };
    if value.starts_with("-----BEGIN") {
        return because(
            OtherSecret::PrivateKey,
            "this is a private key or a certificate, not a token. Put the token in its place",
        );
    }
    if value.len() > MAXIMUM_LENGTH {
        let length = value.len();
        return Some(
            format!("{length} bytes are too long for a token (at most {MAXIMUM_LENGTH})").into(),
        );
    }
    if bytes.have(ByteKinds::ILLEGAL) {
        return Some(find_illegal(value));
    }
    if bytes.have(ByteKinds::EQUALS)
        && let Some((name, _)) = value.trim_end_matches('=').split_once('=')
    {
        let message = "there is a `=` inside the value: it may be two tokens, or a line that sets \
                       a variable of another name. Put the token there alone";
        if holds_token(value) {
            return Some(message.into());
        }
        if is_variable(name) {
            return because(OtherSecret::Assignment, message);
        }
    }
    NOT_ACCESS_TOKENS
        .iter()
        .find(|(prefix, _)| value.starts_with(prefix))
        .map(|(_, what)| format!("this is {what}; give the access token instead").into())
}

/// Whether a value has an authentication scheme in front of it, or a whole header.
fn is_header(value: &str) -> bool {
    let first = value.split([' ', '\t']).next().unwrap_or_default();
    first.len() < value.len()
        && ["bearer", "basic", "authorization:"]
            .iter()
            .any(|scheme| first.eq_ignore_ascii_case(scheme))
}

/// What kinds of bytes a value contains, found in one pass: nearly every value is checked, and
/// hardly any needs more than that.
#[derive(Clone, Copy)]
pub(super) struct ByteKinds(u8);

impl ByteKinds {
    /// What a bearer token cannot contain (RFC 6750, section 2.1).
    pub(super) const ILLEGAL: u8 = 1;
    const DOT: u8 = 2;
    pub(super) const EQUALS: u8 = 4;

    const OF_BYTE: [u8; 256] = {
        let mut kinds = [Self::ILLEGAL; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            kinds[byte as usize] = match byte {
                b'.' => Self::DOT,
                b'=' => Self::EQUALS,
                b'-' | b'_' | b'~' | b'+' | b'/' => 0,
                byte if byte.is_ascii_alphanumeric() => 0,
                _ => Self::ILLEGAL,
            };
            byte += 1;
        }
        kinds
    };

    pub(super) fn of(value: &str) -> Self {
        let kinds = value.bytes().map(|byte| Self::OF_BYTE[usize::from(byte)]);
        Self(kinds.fold(0, |all, kind| all | kind))
    }

    pub(super) fn have(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }
}

/// Describes the first illegal character and its position.
fn find_illegal(value: &str) -> Problem {
    if is_header(value) {
        return "this is the value of an Authorization header. Hand over the token alone, without \
                the word `Bearer` or `Basic`"
            .into();
    }
    if let Some(position) = value.chars().position(char::is_whitespace) {
        return format!(
            "there is white space inside the value (after {position} characters): it may be two \
             tokens, or a line with more in it than a token"
        )
        .into();
    }
    if let Some(position) = value.chars().position(char::is_control) {
        return format!(
            "there is a control character inside the value (after {position} characters)"
        )
        .into();
    }
    let is_legal = |byte: &u8| ByteKinds::OF_BYTE[usize::from(*byte)] != ByteKinds::ILLEGAL;
    let position = value.bytes().take_while(is_legal).count();
    let message = format!(
        "the value has a character (after {position} bytes) that bearer tokens cannot contain"
    );
    // Where a token begins or is a part, it was damaged when it was copied.
    let is_damaged = split_prefix(value).1 != TokenKind::Opaque || holds_token(value);
    Problem {
        message,
        other_secret: (!is_damaged).then_some(OtherSecret::Character),
    }
}

/// Whether a name is written like that of an environment variable: `AWS_SECRET_ACCESS_KEY`.
fn is_variable(name: &str) -> bool {
    name.len() > 2
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// How many characters a part has at least to be a token of the Hub.
const SHORTEST_TOKEN: usize = 20;

/// Whether a token of the Hub, or the key of another service, is a part of a value.
fn holds_token(value: &str) -> bool {
    value
        .split(|character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
        })
        .map(|part| part.trim_start_matches('-'))
        .any(|part| {
            let is_token =
                part.len() >= SHORTEST_TOKEN && split_prefix(part).1 != TokenKind::Opaque;
            is_token || service_key::recognize(part).is_some()
        })
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
    // Placeholders are shorter than any token.
    if rest.len() >= LONGEST_PLACEHOLDER {
        return false;
    }
    let lower = Zeroizing::new(value.to_ascii_lowercase().replace('-', "_"));
    let lower_rest = lower.get(prefix.len()..).unwrap_or_default();
    PLACEHOLDERS.contains(&lower.as_str())
        || PLACEHOLDERS.contains(&lower_rest)
        || lower_rest.starts_with("your")
}
