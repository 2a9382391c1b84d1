//! User codes: eight letters that a user reads on one screen and types on another.
//!
//! As RFC 8628 recommends, they have no vowels, so they spell no words, and no letters or digits
//! that look alike. Twenty letters give more than 34 bits.

use zeroize::Zeroizing;

use crate::error::HubError;

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS: usize = 8;

/// A random code, in the form in which it is shown: `BCDF-GHJK`.
pub(super) fn random() -> Result<Zeroizing<String>, HubError> {
    let mut letters = Zeroizing::new(String::with_capacity(LETTERS + 1));
    let mut bytes = Zeroizing::new([0_u8; 32]);
    while letters.len() <= LETTERS {
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| HubError::Random)?;
        for byte in bytes.iter() {
            // 240 is a multiple of 20, and the remainder would favor some letters.
            if *byte < 240 && letters.len() <= LETTERS {
                if letters.len() == LETTERS / 2 {
                    letters.push('-');
                }
                letters.push(char::from(ALPHABET[usize::from(*byte % 20)]));
            }
        }
    }
    Ok(letters)
}

/// The letters of a code that a user typed, in whatever case and with whatever between them. `None`
/// if it is not a code.
pub(crate) fn normalized(typed: &str) -> Option<Zeroizing<String>> {
    if typed.len() > 100 {
        return None;
    }
    let letters: Zeroizing<String> = Zeroizing::new(
        typed
            .chars()
            .filter(|each| !each.is_whitespace() && *each != '-')
            .map(|each| each.to_ascii_uppercase())
            .collect(),
    );
    let is_code =
        letters.len() == LETTERS && letters.bytes().all(|letter| ALPHABET.contains(&letter));
    is_code.then_some(letters)
}

/// A code that a user typed, in the form in which it is shown. `None` if it is not a code.
pub(crate) fn displayed(typed: &str) -> Option<Zeroizing<String>> {
    let letters = normalized(typed)?;
    let (first, second) = letters.split_at(LETTERS / 2);
    Some(Zeroizing::new(format!("{first}-{second}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_shown_and_as_people_type_it() {
        for _ in 0..100 {
            let code = random().unwrap();
            assert_eq!((code.len(), &code[4..5]), (9, "-"));
            let letters = normalized(&code).unwrap();
            assert_eq!(*letters, code.replace('-', ""));
            assert_eq!(
                normalized(&format!(" {} ", code.to_ascii_lowercase())).unwrap(),
                letters
            );
        }
        assert_eq!(**displayed("bcdf ghjk").as_ref().unwrap(), *"BCDF-GHJK");
        assert_eq!(**normalized("bcdf ghjk").as_ref().unwrap(), *"BCDFGHJK");
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for wrong in [
            "",
            "BCDF-GHJ",
            "BCDF-GHJKL",
            "BCDF-GHJA",
            "BCDF-GHJ0",
            "BCDF_GHJK",
            "ＢCDFGHJK",
            "BCDFGHJ\0",
            &"-".repeat(1000),
        ] {
            assert!(normalized(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn every_letter_turns_up() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            seen.extend(random().unwrap().bytes());
        }
        assert_eq!(seen.len(), ALPHABET.len() + 1);
    }
}
