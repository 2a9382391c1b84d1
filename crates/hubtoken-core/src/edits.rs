//! How near two names are to each other: what tells a slip of the finger from another name.
//!
//! One rule for permissions, repositories and namespaces, so that a suggestion is made in the same
//! cases everywhere.

use strsim::damerau_levenshtein;

/// At most so many edits make one name a misspelling of another.
pub const MAXIMUM: usize = 2;

/// How many letters must be inserted, deleted, exchanged or swapped with their neighbor to make one
/// name of the other, whatever their case; `None` for more than [`MAXIMUM`].
///
/// ```
/// use hubtoken_core::edits::between;
///
/// assert_eq!(between("trainedd", "trained"), Some(1));
/// assert_eq!(between("Trained", "trained"), Some(0));
/// assert_eq!(between("repo.read", "repo.write"), None);
/// ```
#[must_use]
pub fn between(one: &str, other: &str) -> Option<usize> {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    // What cannot be near is not compared letter by letter.
    let difference = one.chars().count().abs_diff(other.chars().count());
    if difference > MAXIMUM {
        return None;
    }
    Some(damerau_levenshtein(&one, &other)).filter(|edits| *edits <= MAXIMUM)
}

/// The nearest of some names, if one is near; of equally near ones, the first.
pub fn nearest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    among
        .into_iter()
        .filter_map(|other| Some((between(name, other)?, other)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_slip_is_one_edit() {
        for slip in ["trined", "trainned", "trsined", "tarined", "trainde"] {
            assert_eq!(between(slip, "trained"), Some(1), "{slip}");
        }
        assert_eq!(between("taird", "trained"), None);
        assert_eq!(between("", "ab"), Some(2));
        assert_eq!(between("", "abc"), None);
        assert_eq!(between("é", "e"), Some(1));
    }

    #[test]
    fn the_nearest_name_is_found() {
        assert_eq!(nearest("acmee", ["acne", "acme", "zcmee"]), Some("acme"));
        assert_eq!(nearest("acmee", ["others", ""]), None);
    }
}
