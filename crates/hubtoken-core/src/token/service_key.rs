//! Recognizes keys of other services by their format.
//!
//! Users keep many keys in one file of variables and paste the wrong one. A value in one of these
//! formats is not sent to any Hub, whose operator or logs would then have the key. The list
//! contains only formats that the services document, or that secret scanners (gitleaks,
//! `TruffleHog`, GitHub's secret scanning) agree on, and only those with a distinctive prefix or
//! mark: artifact stores and mirrors issue tokens in formats of their own, including JWTs and 40
//! hexadecimal digits, and those must keep working there.
//!
//! The same formats are redacted in output, if they have a prefix: see [`crate::sanitize`].

mod shapes;

use shapes::{SHAPES, alphanumeric, beginning_with, dotted, word};

/// Describes a value if it looks like the key of another service: "an API key of `OpenAI`".
pub(crate) fn recognize(value: &str) -> Option<&'static str> {
    let first = *value.as_bytes().first()?;
    let by_prefix = beginning_with(first).iter().find(|shape| {
        value.strip_prefix(shape.prefix).is_some_and(|rest| {
            rest.len() >= shape.shortest && rest.bytes().all(|byte| (shape.alphabet)(byte))
        })
    });
    by_prefix
        .map(|shape| shape.what)
        .or_else(|| is_sendgrid(value).then_some("an API key of SendGrid"))
        .or_else(|| is_azure_secret(value).then_some("a client secret of Azure"))
        .or_else(|| is_airtable(value).then_some("a token of Airtable"))
        .or_else(|| is_mailchimp(value).then_some("an API key of Mailchimp"))
        .or_else(|| is_terraform(value).then_some("a token of Terraform"))
        .or_else(|| is_discord(value).then_some("a token of Discord"))
}

/// An unbroken run of this many letters and digits distinguishes a key from hyphenated words.
const UNBROKEN: usize = 16;
/// A prefix up to this length that ends in a separator may also begin ordinary words: `sk-`.
const COMMON_PREFIX: usize = 4;

/// The key that begins at a position of a text: the lengths of its prefix and of the whole key.
///
/// Stricter than [`recognize`] about prefixes that ordinary words share, since the text is not a
/// single value: `sk-learn-some-long-name` is not a key.
pub(crate) fn key_at(text: &str, position: usize) -> Option<(usize, usize)> {
    let text = text.as_bytes().get(position..)?;
    let run = |bytes: &[u8], fits: fn(u8) -> bool| {
        let misfit = bytes.iter().position(|byte| !fits(*byte));
        misfit.unwrap_or(bytes.len())
    };
    let by_prefix = beginning_with(*text.first()?).iter().find_map(|shape| {
        let rest = text.strip_prefix(shape.prefix.as_bytes())?;
        let length = run(rest, shape.alphabet);
        let is_common = shape.prefix.len() <= COMMON_PREFIX
            && !shape
                .prefix
                .ends_with(|end: char| end.is_ascii_alphanumeric());
        let is_key = length >= shape.shortest
            && (!is_common
                || rest[..length]
                    .split(|byte| !byte.is_ascii_alphanumeric())
                    .any(|part| part.len() >= UNBROKEN));
        is_key.then(|| (shape.prefix.len(), shape.prefix.len() + length))
    });
    by_prefix.or_else(|| {
        let word = &text[..run(text, |byte| dotted(byte) || byte == b'~')];
        let word = std::str::from_utf8(word).ok()?.trim_end_matches('.');
        if is_sendgrid(word) || is_airtable(word) {
            Some((3, word.len()))
        } else {
            is_azure_secret(word).then_some((0, word.len()))
        }
    })
}

/// The pairs of characters that can begin a key, indexed by the first character. Hardly any
/// position of a text needs a closer check.
pub(crate) const fn beginnings() -> [u128; 128] {
    let mut pairs = [0; 128];
    let mut index = 0;
    while index < SHAPES.len() {
        let prefix = SHAPES[index].prefix.as_bytes();
        pairs[prefix[0] as usize] |= 1 << prefix[1];
        index += 1;
    }
    pairs[b'S' as usize] |= 1 << b'G';
    pairs
}

/// The length of the shortest key that [`key_at`] finds, in bytes. The formats without an entry in
/// the table are longer.
pub(crate) const SHORTEST: usize = {
    let mut shortest = usize::MAX;
    let mut index = 0;
    while index < SHAPES.len() {
        let length = SHAPES[index].prefix.len() + SHAPES[index].shortest;
        if length < shortest {
            shortest = length;
        }
        index += 1;
    }
    shortest
};

/// `SG.`, 22 characters, a dot, 43 characters.
fn is_sendgrid(value: &str) -> bool {
    let Some((id, secret)) = value
        .strip_prefix("SG.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    id.len() >= 16 && secret.len() >= 30 && id.bytes().chain(secret.bytes()).all(word)
}

/// Three characters, a digit, `Q~`, and 31 to 34 characters.
fn is_azure_secret(value: &str) -> bool {
    let bytes = value.as_bytes();
    (37..=40).contains(&bytes.len())
        && bytes[3].is_ascii_digit()
        && bytes[4..6] == *b"Q~"
        && bytes.iter().all(|byte| dotted(*byte) || *byte == b'~')
}

/// `pat`, 14 characters, a dot, 64 hexadecimal digits.
fn is_airtable(value: &str) -> bool {
    let parts = value
        .strip_prefix("pat")
        .and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(id, secret)| {
        id.len() == 14 && id.bytes().all(alphanumeric) && is_hexadecimal(secret, 40)
    })
}

/// 32 hexadecimal digits, and the data center: `-us12`.
fn is_mailchimp(value: &str) -> bool {
    value.split_once("-us").is_some_and(|(key, center)| {
        key.len() == 32
            && is_hexadecimal(key, 32)
            && (1..=2).contains(&center.len())
            && center.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// 14 characters, `.atlasv1.`, and 60 to 70 characters.
fn is_terraform(value: &str) -> bool {
    value.split_once(".atlasv1.").is_some_and(|(id, secret)| {
        id.len() == 14
            && secret.len() >= 40
            && id
                .bytes()
                .chain(secret.bytes())
                .all(|byte| word(byte) || byte == b'=')
    })
}

/// The account's ID, the time and the signature, encoded and joined by dots.
fn is_discord(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(4, '.').collect();
    let [account, time, signature] = parts[..] else {
        return false;
    };
    account.starts_with(['M', 'N', 'O'])
        && (23..=28).contains(&account.len())
        && (6..=7).contains(&time.len())
        && (27..=40).contains(&signature.len())
        && parts.iter().all(|part| part.bytes().all(word))
}

fn is_hexadecimal(text: &str, shortest: usize) -> bool {
    text.len() >= shortest && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::samples;
