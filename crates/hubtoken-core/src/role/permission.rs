//! The names of the Hub's permissions, and how unlisted names are treated.
//!
//! The Hub's list is open: a later Hub may have permissions that this version does not know, and a
//! token may have them. So an unlisted name is not necessarily wrong. But a name that differs from
//! a listed one by a letter or two is most likely a typo, and an undetected typo would surface only
//! when the expensive job fails. All of hubtoken uses this one list and rule: the client, the
//! command line, the servers' middleware and the embedded Hub.

use crate::edit_distance;
use crate::error::Error;

/// The permissions of the Hub that this version knows.
pub const KNOWN: [&str; 35] = [
    "repo.content.read",
    "repo.write",
    "repo.access.read",
    "repo.content.write",
    "discussion.write",
    "post.write",
    "collection.read",
    "collection.write",
    "inference.serverless.write",
    "inference.endpoints.infer.write",
    "inference.endpoints.write",
    "job.write",
    "org.read",
    "org.write",
    "org.members.read",
    "org.members.write",
    "org.repos.read",
    "org.billing.read",
    "org.auditLog.write",
    "org.networkSecurity.read",
    "org.networkSecurity.write",
    "org.serviceAccounts.read",
    "org.serviceAccounts.write",
    "resourceGroup.write",
    "user.billing.read",
    "user.webhooks.read",
    "user.webhooks.write",
    "user.notifications.read",
    "user.notifications.write",
    "user.settings.notifications.write",
    "user.preferences.write",
    "user.papers.write",
    "user.social.likes.write",
    "user.mcp.read",
    "sql-console.embed.write",
];

/// The embedded Hub's error code for a misspelled permission. The command line reports this error
/// as wrong usage, unlike any other error in a request.
pub const MISSPELLED: &str = "MisspelledPermission";

/// How this version classifies a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// One of [`KNOWN`].
    Known,
    /// Most likely this permission, misspelled.
    Misspelled(&'static str),
    /// Well-formed, but unlike any known permission: perhaps from a later Hub.
    Unfamiliar,
}

/// Classifies a name.
///
/// ```
/// use hubtoken_core::role::permission::{Spelling, spelling};
///
/// assert_eq!(spelling("repo.write"), Spelling::Known);
/// let suggestion = Spelling::Misspelled("inference.serverless.write");
/// assert_eq!(spelling("inference.serverles.write"), suggestion);
/// // Another last word is another permission, and not a typo.
/// assert_eq!(spelling("repo.read"), Spelling::Unfamiliar);
/// ```
#[must_use]
pub fn spelling(name: &str) -> Spelling {
    if KNOWN.contains(&name) {
        return Spelling::Known;
    }
    let others = KNOWN
        .into_iter()
        .filter(|known| !only_last_word_is_another(name, known));
    edit_distance::nearest(name, others).map_or(Spelling::Unfamiliar, Spelling::Misspelled)
}

/// Whether a name can be a permission at all: words separated by dots.
#[must_use]
pub fn is_well_formed(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.contains('.') && name.len() <= 100 && name.split('.').all(is_word)
}

/// Rejects a misspelled name where no token could list it. Returns whether the name is known.
///
/// # Errors
///
/// [`Error::InvalidArgument`] for a name that is malformed or misspelled.
pub fn check(name: &str) -> Result<bool, Error> {
    if !is_well_formed(name) {
        return Err(malformed(name));
    }
    match spelling(name) {
        Spelling::Known => Ok(true),
        Spelling::Unfamiliar => Ok(false),
        Spelling::Misspelled(suggestion) => {
            Err(Error::InvalidArgument(misspelled(name, suggestion)))
        }
    }
}

/// The message for a misspelled name.
#[must_use]
pub fn misspelled(name: &str, suggestion: &str) -> String {
    let name = name.escape_debug();
    format!("`{name}` is not a permission that hubtoken knows: did you mean `{suggestion}`?")
}

/// The error for a malformed name, which may be a misspelled one as well: `repo-write`.
pub(super) fn malformed(name: &str) -> Error {
    Error::InvalidArgument(match spelling(name) {
        Spelling::Misspelled(suggestion) => misspelled(name, suggestion),
        Spelling::Known | Spelling::Unfamiliar => {
            "a permission consists of words separated by dots, such as \"repo.write\" or \
             \"inference.serverless.write\""
                .to_owned()
        }
    })
}

/// `repo.read` next to `repo.write` is intentional, not a typo.
fn only_last_word_is_another(name: &str, known: &str) -> bool {
    let (Some((stem, last)), Some((known_stem, _))) =
        (name.rsplit_once('.'), known.rsplit_once('.'))
    else {
        return false;
    };
    stem == known_stem
        && KNOWN
            .iter()
            .any(|other| other.rsplit('.').next() == Some(last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_known_name_is_well_formed_and_there_once() {
        assert_eq!(BTreeSet::from(KNOWN).len(), KNOWN.len());
        for name in KNOWN {
            assert!(is_well_formed(name), "{name}");
            assert_eq!(spelling(name), Spelling::Known, "{name}");
            assert_eq!(check(name).ok(), Some(true), "{name}");
        }
    }

    #[test]
    fn every_single_slip_in_every_known_name_is_a_misspelling() {
        for name in KNOWN {
            for at in 0..name.len() {
                let (before, after) = name.split_at(at);
                let deleted = format!("{before}{}", &after[1..]);
                let doubled = format!("{before}{}{after}", &after[..1]);
                let exchanged = format!("{before}q{}", &after[1..]);
                for slip in [deleted, doubled, exchanged] {
                    if KNOWN.contains(&slip.as_str()) {
                        continue;
                    }
                    assert!(
                        matches!(spelling(&slip), Spelling::Misspelled(_)),
                        "{slip} for {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        for (slip, meant) in [
            ("inference.serverles.write", "inference.serverless.write"),
            ("inference.severless.wirte", "inference.serverless.write"),
            ("repo.wirte", "repo.write"),
            ("repo.writ", "repo.write"),
            ("repos.write", "repo.write"),
            ("Repo.Write", "repo.write"),
            ("org.auditlog.write", "org.auditLog.write"),
            ("repo.content.reed", "repo.content.read"),
            ("orgs.members.write", "org.members.write"),
            ("jobs.write", "job.write"),
            // These are not even well-formed.
            ("repowrite", "repo.write"),
            ("repo-write", "repo.write"),
            ("repo:write", "repo.write"),
            ("repo..write", "repo.write"),
            (" repo.write", "repo.write"),
            ("repo.write.", "repo.write"),
            ("rep\u{f6}.write", "repo.write"),
            ("jobwrite", "job.write"),
        ] {
            assert_eq!(spelling(slip), Spelling::Misspelled(meant), "{slip}");
            let message = check(slip).map_err(|error| error.to_string());
            assert!(
                message.is_err_and(|message| message.contains(&format!("did you mean `{meant}`?"))),
                "{slip}"
            );
        }
    }

    #[test]
    fn another_last_word_and_a_new_name_are_unfamiliar() {
        for name in [
            "repo.read",
            "job.read",
            "inference.serverless.read",
            "inference.serverless.infer",
            "repo.access.write",
            "quantum.entangle",
            "space.secrets.write",
        ] {
            assert_eq!(spelling(name), Spelling::Unfamiliar, "{name}");
            assert_eq!(check(name).ok(), Some(false), "{name}");
        }
    }

    #[test]
    fn what_is_not_words_with_dots_is_not_a_permission() {
        for name in [
            "",
            "write",
            "repo",
            "repo.",
            ".write",
            "repo..write",
            "repo write",
            "repo.wr\u{e9}te",
            "repo.write\n",
            "a long text that cannot be a permission",
        ] {
            assert!(!is_well_formed(name) && check(name).is_err(), "{name:?}");
        }
        assert!(!is_well_formed(&format!("{}b", "a.".repeat(60))));
        assert!(is_well_formed("sql-console.embed.write") && is_well_formed("new_thing.read"));
    }
}
