//! Fuzzes paths and revisions of a repository, and `.gitignore`: no path leads out of it or to
//! git's own files, a revision is a name or a hash and never an expression, and a line with a
//! file's own name ignores that file, whatever precedes it.
#![no_main]

use std::path::{Component, Path};

use hubtoken_hub::fuzzing::{COMMITTED, folder_path, ignored, new_path, old_path, resolved};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (patterns, path) = input;
    for kept in [new_path(path), old_path(path), folder_path(path)]
        .into_iter()
        .flatten()
    {
        assert!(path == kept || path.strip_suffix('/') == Some(&kept));
        assert!(!kept.is_empty() && !kept.contains('\0'));
        let is_inside = |part| matches!(part, Component::Normal(_));
        assert!(Path::new(&kept).components().all(is_inside));
        let is_plain =
            |part: &str| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git");
        assert!(kept.split('/').all(is_plain));
    }
    if let Some(new) = new_path(path) {
        assert!(new == path && !new.contains(['\\', '\n', '\r']));
        assert_eq!(old_path(path), Some(new));
        let own: String = path.chars().flat_map(escaped).collect();
        assert_eq!(ignored(&format!("{patterns}\n/{own}"), path), Some(true));
        assert_eq!(
            ignored(&format!("{patterns}\n/{own}\n!/{own}"), path),
            Some(false)
        );
        assert_eq!(ignored("", path), Some(false));
    }
    let (commit, found) = resolved(path).expect("a repository");
    if let Some(found) = found {
        let is_hash = path.len() >= 7 && commit.starts_with(&path.to_ascii_lowercase());
        assert!(COMMITTED.contains(&path) || is_hash);
        assert_eq!(found, commit);
    }
});

/// A character that stands for itself in a pattern.
fn escaped(letter: char) -> impl Iterator<Item = char> {
    let is_special = letter.is_ascii_punctuation() && letter != '/' || letter == ' ';
    is_special.then_some('\\').into_iter().chain([letter])
}
