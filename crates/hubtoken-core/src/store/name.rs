//! Converts token names to names that the file can represent.
//!
//! The name of a token is free text from the Hub. Nearly all of it can be written between brackets,
//! including brackets, since the last one on the line ends the name. The exceptions are `DEFAULT`,
//! which is syntax, blank names, and line breaks, which would inject lines. Such a name is changed
//! and gets `~` and part of the *original* name's digest as a suffix. A given name therefore always
//! gives the same result, and different names give different results. A name that contains a token
//! or the key of another service is changed too, since names are shown.

use std::borrow::Cow;

use super::ini_lines::DEFAULT;
use crate::error::Error;
use crate::sanitize::{contains_secret, mask_secrets};
use crate::token::{Digest, Token};

/// Longer names are truncated to this many characters, so that lists stay readable.
const LONGEST: usize = 200;
/// How many digits of the digest to append.
const DIGITS: usize = 8;

/// Rejects a name that contains a token, which would be stored and shown as part of the name.
///
/// # Errors
///
/// [`Error::TokenFormat`], which does not quote the name.
pub fn check(name: &str) -> Result<(), Error> {
    if contains_secret(name) {
        return Err(refused());
    }
    Ok(())
}

pub(super) fn refused() -> Error {
    Error::TokenFormat(
        "the name holds a token, or the key of another service. Names are stored and shown \
         unmasked: choose another name, and hand a token over as the token"
            .to_owned(),
    )
}

/// Converts a name to one that is safe between brackets.
///
/// ```
/// assert_eq!(hubtoken_core::store::name::safe("ci [prod]"), "ci [prod]");
/// assert_eq!(hubtoken_core::store::name::safe("a\nb"), "a_b~7e18f737");
/// assert_eq!(hubtoken_core::store::name::safe(""), "token~e3b0c442");
/// ```
#[must_use]
pub fn safe(name: &str) -> String {
    let breaks = |character: char| {
        character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    let mut changed: Cow<'_, str> = name.into();
    if changed.contains(breaks) {
        changed = changed.replace(breaks, "_").into();
    }
    if contains_secret(&changed) {
        changed = mask_secrets(&changed).into_owned().into();
    }
    if let Some((end, _)) = changed.char_indices().nth(LONGEST) {
        changed = changed[..end].to_owned().into();
    }
    if changed.trim().is_empty() {
        changed = "token".into();
    }
    if changed == name && name != DEFAULT {
        return changed.into_owned();
    }
    format!("{changed}~{}", digits(Digest::of(name)))
}

/// The name for a token that is stored before the Hub has named it.
#[must_use]
pub fn placeholder(token: &Token) -> String {
    format!("token~{}", digits(token.digest()))
}

/// The part of a digest that distinguishes a changed name from others.
pub(super) fn digits(digest: Digest) -> String {
    digest.fingerprint().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::ini;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_no_name() {
        for (name, shown) in [
            ("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX", "hf_…~"),
            ("my sk-proj-FakeFakeFakeFakeFake", "my sk-proj-…~"),
        ] {
            assert!(safe(name).starts_with(shown), "{}", safe(name));
            assert!(matches!(check(name), Err(Error::TokenFormat(_))));
        }
        check("ci-hf_hub").unwrap();
    }

    #[test]
    fn default_is_no_name() {
        assert!(safe("DEFAULT").starts_with("DEFAULT~"));
        assert_eq!(safe("default"), "default");
        assert_eq!(safe(&"a".repeat(1000)).len(), LONGEST + 1 + DIGITS);
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in "(?s).{0,12}|[\\]\\[\\r\\n\\t #;=%]{0,8}") {
            let safe = safe(&name);
            let sections = ini::parse(&format!("[a~]\nx=1\n[{safe}]\nhf_token = v\n")).unwrap();
            prop_assert_eq!(sections.len(), 2);
            prop_assert_eq!(&sections[1].name, &safe);
            prop_assert_eq!(super::safe(&safe), safe);
        }
    }
}
