//! Parses the hook's request, which has one line per reference update, and rejects updates that are
//! never allowed.

use std::io::{self, ErrorKind};

use git2::Oid;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::repository::{DEFAULT_BRANCH, invalid_name_reason};

/// The maximum length of a request: more references than a push can reasonably update.
const MAX_UPDATES_BYTES: usize = 4 << 20;

/// A reference update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub new: Oid,
    pub reference: String,
}

/// Reads a request to its end.
pub(super) async fn read_updates(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<Update>> {
    let malformed = || io::Error::other("git's hook sent a malformed request");
    let mut text = Vec::new();
    // The only empty line that the hook sends is the one that ends the request.
    while !text.ends_with(b"\n\n") {
        if pipe.read_buf(&mut text).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if text.len() > MAX_UPDATES_BYTES {
            return Err(io::Error::other("too many references at once"));
        }
    }
    let text = String::from_utf8(text)
        .map_err(|_| io::Error::other("the name of a reference is not UTF-8"))?;
    let lines = text.strip_suffix("\n\n").ok_or_else(malformed)?;
    lines
        .split('\n')
        .map(|line| update(line).ok_or_else(malformed))
        .collect()
}

fn update(line: &str) -> Option<Update> {
    let mut words = line.splitn(3, ' ');
    // libgit2 would also accept an abbreviated hash.
    let mut hash = || {
        let word = words.next().filter(|word| word.len() == 40)?;
        Oid::from_str(word).ok()
    };
    let (_old, new) = (hash()?, hash()?);
    let reference = words.next().filter(|name| !name.is_empty())?;
    Some(Update {
        new,
        reference: reference.to_owned(),
    })
}

/// Rejects updates that are not allowed whatever the user's rights. Returns the first reason.
pub(super) fn check(updates: &[Update]) -> Result<(), String> {
    updates.iter().try_for_each(|update| {
        let shown: String = update.reference.escape_debug().take(200).collect();
        let Some(name) = ["refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|prefix| update.reference.strip_prefix(prefix))
        else {
            return Err(format!(
                "Only branches and tags can be pushed to this Hub, and `{shown}` is neither."
            ));
        };
        if update.new.is_zero() {
            return if update.reference == format!("refs/heads/{DEFAULT_BRANCH}") {
                Err("The default branch cannot be deleted.".to_owned())
            } else {
                Ok(())
            };
        }
        if let Some(reason) = invalid_name_reason(name) {
            return Err(format!("`{shown}` cannot be pushed: {reason}."));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        check(&[update(line).unwrap()])
    }

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const ONE: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn branches_and_tags_come_and_go() {
        for reference in [
            "refs/heads/main",
            "refs/heads/a/b",
            "refs/tags/v1",
            "refs/heads/é",
        ] {
            assert_eq!(checked(&format!("{ZERO} {ONE} {reference}")), Ok(()));
        }
        assert_eq!(checked(&format!("{ONE} {ZERO} refs/heads/a")), Ok(()));
    }

    #[test]
    fn nothing_else_does() {
        for reference in [
            "HEAD",
            "refs/pr/1",
            "refs/headsx/a",
            "refs/notes/commits",
            &format!("refs/heads/{ONE}"),
            "refs/tags/-x",
        ] {
            assert!(
                checked(&format!("{ZERO} {ONE} {reference}")).is_err(),
                "{reference}"
            );
        }
        assert!(checked(&format!("{ONE} {ZERO} refs/heads/main")).is_err());
        assert!(checked(&format!("{ONE} {ZERO} refs/pr/1")).is_err());
    }

    #[tokio::test]
    async fn a_question_is_read_whole_or_not_at_all() {
        let first = format!("{ZERO} {ONE} refs/heads/a");
        let second = format!("{ONE} {ZERO} refs/tags/b c\r");
        let whole = format!("{first}\n{second}\n\n");
        let updates = read_updates(&mut whole.as_bytes()).await.unwrap();
        assert_eq!(updates[0].reference, "refs/heads/a");
        assert_eq!(updates[1].reference, "refs/tags/b c\r");
        assert!(updates[1].new.is_zero() && updates.len() == 2);
        for text in [
            String::new(),
            "\n\n".to_owned(),
            format!("{first}\n"),
            format!("{first}\n\n{second}\n\n"),
            format!("\n{first}\n\n"),
            format!("{ZERO} {} refs/heads/a\n\n", &ONE[..39]),
            format!("{ZERO} {ONE} \n\n"),
            format!("{ZERO} {ONE}\n\n"),
        ] {
            assert!(
                read_updates(&mut text.as_bytes()).await.is_err(),
                "{text:?}"
            );
        }
    }
}
