//! Measures how similar two names are, to suggest a correction for a misspelled one.
//!
//! Permissions, repositories and namespaces share one rule, so that suggestions are made in the
//! same cases everywhere.

use strsim::damerau_levenshtein;

/// The maximum number of edits for one name to count as a misspelling of another.
pub const MAXIMUM: usize = 2;

/// How many letters must be inserted, deleted, replaced or swapped with their neighbor to turn one
/// name into the other, ignoring case. `None` for more than [`MAXIMUM`].
///
/// ```
/// use hubtoken_core::edit_distance::between;
///
/// assert_eq!(between("trainedd", "trained"), Some(1));
/// assert_eq!(between("Trained", "trained"), Some(0));
/// assert_eq!(between("repo.read", "repo.write"), None);
/// ```
#[must_use]
pub fn between(one: &str, other: &str) -> Option<usize> {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    // Names whose lengths differ too much are not compared letter by letter.
    let difference = one.chars().count().abs_diff(other.chars().count());
    if difference > MAXIMUM {
        return None;
    }
    Some(damerau_levenshtein(&one, &other)).filter(|edits| *edits <= MAXIMUM)
}

/// The most similar of several names, if any is within [`MAXIMUM`] edits. Ties go to the first.
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
