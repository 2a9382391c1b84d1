//! Makes untrusted text safe to display.
//!
//! A response from a Hub, an account name or an argument may contain characters that control a
//! terminal, change the text direction or break a log line in two. A token, or the key of another
//! service, may also have been pasted where a name belongs.

use std::borrow::Cow;
use std::path::Path;

use crate::token::{ELLIPSIS, service_key};

/// The prefixes of the Hub's secrets and of the embedded Hub's admin key.
const SECRET_PREFIXES: [&str; 9] = [
    "hubtoken_admin_",
    "oauth_app_secret_",
    "hf_oauth__refresh_",
    "hf_oauth_",
    "hf_jwt_",
    "hf_app_",
    "hf_s3_",
    "api_org_",
    "hf_",
];
/// How many letters and digits after a prefix make it a secret. In repository names, a hyphen or
/// underscore comes sooner.
const SECRET_LENGTH: usize = 20;

/// Whether a character controls how text is displayed.
fn is_control_or_bidi(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Replaces characters that control a terminal or change the text direction.
///
/// ```
/// assert_eq!(hubtoken_core::sanitize::replace_controls("a\x1b[31m"), "a\u{fffd}[31m");
/// ```
#[must_use]
pub fn replace_controls(text: &str) -> Cow<'_, str> {
    if text.contains(is_control_or_bidi) {
        text.replace(is_control_or_bidi, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// The character pairs that can begin a secret, indexed by the first character.
const BEGINNINGS: [u128; 128] = {
    let mut pairs = service_key::beginnings();
    let mut index = 0;
    while index < SECRET_PREFIXES.len() {
        let prefix = SECRET_PREFIXES[index].as_bytes();
        pairs[prefix[0] as usize] |= 1 << prefix[1];
        index += 1;
    }
    let old = LEGACY_PREFIX.as_bytes();
    pairs[old[0] as usize] |= 1 << old[1];
    pairs
};
/// The prefix of the Hub's oldest tokens. Function names may have it too.
const LEGACY_PREFIX: &str = "api_";

/// The positions where a secret may begin.
fn beginnings(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let pairs = bytes.windows(2).enumerate();
    pairs.filter_map(|(position, pair)| {
        let (first, second) = (pair[0], pair[1]);
        let may_begin = first.is_ascii()
            && second.is_ascii()
            && BEGINNINGS[usize::from(first)] >> second & 1 == 1;
        may_begin.then_some(position)
    })
}

/// Where a secret begins, after its prefix, and where it ends.
fn find_secret(text: &str) -> Option<(usize, usize)> {
    // Most names are shorter than any secret; those of the Hub are longer than other services'.
    if text.len() < service_key::SHORTEST.min(SECRET_LENGTH) {
        return None;
    }
    let bytes = text.as_bytes();
    let by_prefix = beginnings(bytes).find_map(|position| secret_at(text, position, true));
    // Azure secrets have their marker in the middle.
    let marks = bytes
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == b"Q~");
    let marked = marks.map(|(mark, _)| mark).find_map(|mark| {
        let before = bytes[..mark].iter().rev();
        let word = before.take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte));
        let start = mark - word.count();
        let (_, length) = service_key::key_at(text, start)?;
        Some((start, start + length))
    });
    by_prefix.into_iter().chain(marked).min()
}

/// The secret at a position, if there is one. `keys` includes the keys of other services.
fn secret_at(text: &str, position: usize, keys: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let run = |start: usize, fits: fn(u8) -> bool| {
        let rest = bytes.get(start..).unwrap_or_default();
        rest.iter().take_while(|byte| fits(**byte)).count()
    };
    let is_long = |start| run(start, |byte| byte.is_ascii_alphanumeric()) >= SECRET_LENGTH;
    // A JWT continues with other characters of its alphabet. A trailing dot ends the sentence.
    let end = |start: usize| {
        let length = run(start, |byte| {
            byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
        });
        start + text[start..start + length].trim_end_matches('.').len()
    };
    let rest = &bytes[position..];
    let is_inside_a_word = position > 0 && bytes[position - 1].is_ascii_alphanumeric();
    let begun = SECRET_PREFIXES
        .iter()
        .copied()
        .chain((!is_inside_a_word).then_some(LEGACY_PREFIX))
        .filter(|prefix| rest.starts_with(prefix.as_bytes()))
        .map(|prefix| position + prefix.len())
        .find(|start| is_long(*start));
    if let Some(start) = begun {
        return Some((start, end(start)));
    }
    if is_inside_a_word || !keys {
        return None;
    }
    let (prefix, length) = service_key::key_at(text, position)?;
    let start = position + prefix;
    Some((start, end(start).max(position + length)))
}

/// Whether a text contains what looks like a token or the key of another service.
#[must_use]
pub fn contains_secret(text: &str) -> bool {
    find_secret(text).is_some()
}

/// Whether a text contains what looks like a token or another secret of a Hub.
#[must_use]
pub fn contains_token(text: &str) -> bool {
    beginnings(text.as_bytes()).any(|position| secret_at(text, position, false).is_some())
}

/// The tokens and other secrets of a Hub in a text, each with its position; keys of other services are
/// left out.
///
/// ```
/// let text = "HF_TOKEN=hf_FakeFakeFakeFakeFakeFakeFakeFakeXX, sk-proj-FakeFakeFakeFakeFake";
/// let found: Vec<_> = hubtoken_core::sanitize::tokens_in(text).collect();
/// assert_eq!(found, [(9, "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")]);
/// ```
pub fn tokens_in(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    beginnings(text.as_bytes()).filter_map(move |position| {
        if position < end {
            return None;
        }
        let (_, until) = secret_at(text, position, false)?;
        end = until;
        Some((position, &text[position..until]))
    })
}

/// Masks anything that looks like a token or the key of another service, and nothing else.
#[must_use]
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    let Some(mut found) = find_secret(text) else {
        return text.into();
    };
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    loop {
        let (start, end) = found;
        shown.push_str(&rest[..start]);
        shown.push(ELLIPSIS);
        rest = &rest[end..];
        match find_secret(rest) {
            Some(next) => found = next,
            None => break,
        }
    }
    shown.push_str(rest);
    shown.into()
}

/// How many characters of a value are masked even if the rest of it is missing.
const RECOGNIZABLE: usize = 8;

/// Masks a known secret, whatever it looks like, and every longer part of it. An empty value masks
/// nothing.
///
/// ```
/// use hubtoken_core::sanitize::mask_value;
///
/// assert_eq!(mask_value("no user q7Zp2Lm9Xv!", "q7Zp2Lm9Xv4Rt8Wy"), "no user …!");
/// ```
#[must_use]
pub fn mask_value<'a>(text: &'a str, value: &str) -> Cow<'a, str> {
    let least = RECOGNIZABLE.min(value.len());
    // The longest part of the value that the text continues with.
    let part = |rest: &[u8]| {
        let parts = (0..value.len()).map(|start| {
            let both = rest.iter().zip(&value.as_bytes()[start..]);
            both.take_while(|(one, other)| one == other).count()
        });
        parts.max().filter(|length| *length >= least.max(1))
    };
    let mut shown = String::new();
    let mut position = 0;
    let mut copied = 0;
    while position < text.len() {
        match part(&text.as_bytes()[position..]) {
            Some(length) if text.is_char_boundary(position + length) => {
                shown.push_str(&text[copied..position]);
                shown.push(ELLIPSIS);
                position += length;
                copied = position;
            }
            _ => position += text[position..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if copied == 0 {
        return text.into();
    }
    shown.push_str(&text[copied..]);
    shown.into()
}

/// Replaces control characters, and masks anything that looks like a token or the key of another
/// service.
///
/// ```
/// let text = hubtoken_core::sanitize::redacted("no user `hf_FakeFakeFakeFakeFakeFakeFakeFakeXX`");
/// assert_eq!(text, "no user `hf_…`");
/// ```
#[must_use]
pub fn redacted(text: &str) -> String {
    replace_controls(&mask_secrets(text)).into_owned()
}

/// A path as [`redacted`] text: a folder name may contain a token.
#[must_use]
pub fn redacted_path(path: &Path) -> String {
    redacted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        let fake = "FakeFakeFakeFakeFakeFakeFakeFakeXX";
        for (text, expected) in [
            (format!("hf_{fake}"), "hf_…".to_owned()),
            (
                format!("a hf_{fake} b api_org_{fake}"),
                "a hf_… b api_org_…".to_owned(),
            ),
            (format!("hf_oauth_{fake}.{fake}"), "hf_oauth_…".to_owned()),
            ("hf_hub_download".to_owned(), "hf_hub_download".to_owned()),
            (
                "acme/hf_internal_testing_of_tiny_random_models".to_owned(),
                "acme/hf_internal_testing_of_tiny_random_models".to_owned(),
            ),
            ("é\u{202e}\n".to_owned(), "é\u{fffd}\u{fffd}".to_owned()),
            (format!("no `api_{fake}`"), "no `api_…`".to_owned()),
            (
                format!("'sk-proj-{fake}-{fake}' ghp_{fake}, AKIAFAKEFAKEFAKEFAKE"),
                "'sk-proj-…' ghp_…, AKIA…".to_owned(),
            ),
            (
                format!("https://u/sk-{fake}?SG.{fake}.{fake}. glc_{fake}+/{fake}="),
                "https://u/sk-…?SG.…. glc_…".to_owned(),
            ),
            (
                "(abc8Q~FakeFakeFakeFakeFakeFakeFakeFakeF)".to_owned(),
                "(…)".to_owned(),
            ),
        ] {
            assert_eq!(redacted(&text), expected);
        }
    }

    #[test]
    fn names_of_things_are_left() {
        for name in [
            "sk-learn-some-very-long-name-of-a-model",
            "task-FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "openapi_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "api_get_user_profile_of_organization",
            "fw_update_of_all_the_things_there_are",
            "npm_config_registry_and_more_of_it_all",
            "/usr/share/xai-org/grok-1-and-some-more-words",
            "https://huggingface.co/jinaai/jina_embeddings_v3",
            "ASIAN-LANGUAGES-TOKENIZER",
            "a Q~ b",
        ] {
            assert_eq!(mask_secrets(name), name);
        }
    }

    #[test]
    fn the_keys_of_other_services_are_masked_in_a_sentence() {
        for key in crate::token::service_key::samples() {
            let text = format!("there is no stored token `{key}`: ci");
            let shown = redacted(&text);
            assert!(
                !shown.contains("Fake") && !shown.contains("FAKE"),
                "{shown}"
            );
            assert!(!shown.contains("0123456789abcdef"), "{shown}");
            assert!(shown.ends_with("`: ci"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(text in "\\PC{0,20}[\\x00-\\x1f\u{202a}-\u{202e}]{0,3}((hf_|api_|sk-|ghp_|AKIA)[a-zA-Z0-9]{0,40})?\\PC{0,20}") {
            let shown = redacted(&text);
            prop_assert!(!shown.contains(is_control_or_bidi));
            prop_assert!(!contains_secret(&shown));
        }
    }
}
