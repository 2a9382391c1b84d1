//! Text from elsewhere, made fit to be shown.
//!
//! A Hub's words, an account's name or an argument may hold characters that steer a terminal, turn
//! the direction of writing, or break a log line in two; and somebody may have pasted a token
//! where a name belongs.

use std::borrow::Cow;

/// What the Hub's secrets and the embedded Hub's admin key begin with.
const SECRETS: [&str; 9] = [
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
/// So many letters and digits after a prefix make a secret of it. A repository's name has a hyphen
/// or an underscore earlier.
const SECRET_LENGTH: usize = 20;

/// Whether a character steers how text is shown.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Replaces characters that steer a terminal or turn the direction of writing.
///
/// ```
/// assert_eq!(hubtoken::printable::plain("a\x1b[31m"), "a\u{fffd}[31m");
/// ```
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(steers) {
        text.replace(steers, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Where a secret begins after its prefix, and where it ends.
fn find_secret(text: &str) -> Option<(usize, usize)> {
    SECRETS
        .iter()
        .flat_map(|prefix| text.match_indices(prefix))
        .filter_map(|(start, prefix)| {
            let start = start + prefix.len();
            let run = |fits: fn(&u8) -> bool| text[start..].bytes().take_while(fits).count();
            // A JWT goes on with the rest of its alphabet.
            (run(u8::is_ascii_alphanumeric) >= SECRET_LENGTH)
                .then(|| start + run(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)))
                .map(|end| (start, end))
        })
        .min()
}

/// Whether a text holds what looks like a token.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    find_secret(text).is_some()
}

/// Makes a text plain and masks what looks like a token in it.
///
/// ```
/// let text = hubtoken::printable::printable("no user `hf_FakeFakeFakeFakeFakeFakeFakeFakeXX`");
/// assert_eq!(text, "no user `hf_…`");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    let mut rest = text;
    let mut shown = String::with_capacity(text.len());
    while let Some((start, end)) = find_secret(rest) {
        shown.push_str(&plain(&rest[..start]));
        shown.push('…');
        rest = &rest[end..];
    }
    shown.push_str(&plain(rest));
    shown
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
        ] {
            assert_eq!(printable(&text), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(text in "\\PC{0,20}[\\x00-\\x1f\u{202a}-\u{202e}]{0,3}(hf_[a-zA-Z]{0,40})?\\PC{0,20}") {
            let shown = printable(&text);
            prop_assert!(!shown.contains(steers));
            prop_assert!(!holds_secret(&shown));
        }
    }
}
