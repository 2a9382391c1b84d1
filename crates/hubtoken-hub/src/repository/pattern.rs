//! Matches a `.gitignore` or `.gitattributes` pattern exactly as git does (`dir.c`, `wildmatch.c`):
//! by bytes, and with git's quirks, since a client that has git would notice any difference.
//!
//! Pattern libraries implement only the documented syntax. Git has more: `/***` and `a/b**` cross
//! folders, `[x` matches nothing, `[[:digit:]x]` is a set, and a two-byte character is two `?`.
//! Libraries that follow git closely (`gix-glob`, libgit2) also backtrack as git does, so each
//! `**/` doubles the time, and here the client supplies both the patterns and the paths. This
//! implementation makes one pass over the pattern and tracks every position in the path that it may
//! have reached.

mod byte_set;
mod reached;

use std::ops::Range;

use byte_set::ByteSet;
use reached::Reached;

/// Bytes that do not occur in a literal part.
const SPECIAL: &[u8] = b"*?[\\";

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    /// Matches a single component, at any depth.
    is_of_names: bool,
    is_of_folders: bool,
}

#[derive(Debug, PartialEq)]
enum Step {
    Byte(u8),
    OneOf(Box<ByteSet>),
    /// Any number of bytes within one component.
    Within,
    /// Any number of bytes.
    Across,
    /// Any number of whole folders.
    Folders,
}

impl Pattern {
    /// Parses a pattern. Returns `None` for one that matches nothing.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (text, is_of_folders) = match text.strip_suffix(b"/") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let is_of_names = !text.contains(&b'/');
        let text = text.strip_prefix(b"/").unwrap_or(text);
        let plain = text.iter().position(|byte| SPECIAL.contains(byte));
        let (plain, rest) = text.split_at(plain.unwrap_or(text.len()));
        let mut steps: Vec<_> = plain.iter().copied().map(Step::Byte).collect();
        // Git compares the literal part separately, and treats what follows as the start of a
        // pattern.
        read(rest, &mut steps)?;
        (!steps.is_empty()).then_some(Self {
            steps,
            is_of_names,
            is_of_folders,
        })
    }

    /// Whether it matches each of a path's folders, from the root, and finally the file itself.
    pub(super) fn matches(&self, path: &[u8], parts: &[Range<usize>]) -> Vec<bool> {
        let mut matches: Vec<bool> = if self.is_of_names {
            let names = parts.iter().filter_map(|part| path.get(part.clone()));
            names
                .map(|name| Reached::by(&self.steps, name).includes(name.len()))
                .collect()
        } else {
            let reached = Reached::by(&self.steps, path);
            parts
                .iter()
                .map(|part| reached.includes(part.end))
                .collect()
        };
        if let Some(file) = matches.last_mut() {
            *file &= !self.is_of_folders;
        }
        matches
    }
}

/// The range of each component of a path.
pub(super) fn parts(path: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    path.split(|byte| *byte == b'/')
        .map(|name| {
            let part = start..start + name.len();
            start = part.end + 1;
            part
        })
        .collect()
}

/// Parses what follows the literal part.
fn read(pattern: &[u8], steps: &mut Vec<Step>) -> Option<()> {
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'*' => at = read_stars(pattern, at, steps),
            b'?' => {
                steps.push(Step::OneOf(Box::new(ByteSet::all().without_slash())));
                at += 1;
            }
            b'[' => {
                let (set, end) = ByteSet::read(pattern, at + 1)?;
                steps.push(Step::OneOf(Box::new(set.without_slash())));
                at = end;
            }
            b'\\' => {
                steps.push(Step::Byte(*pattern.get(at + 1)?));
                at += 2;
            }
            byte => {
                steps.push(Step::Byte(*byte));
                at += 1;
            }
        }
    }
    Some(())
}

/// Parses asterisks, and returns where they end.
fn read_stars(pattern: &[u8], start: usize, steps: &mut Vec<Step>) -> usize {
    let count = pattern[start..]
        .iter()
        .take_while(|byte| **byte == b'*')
        .count();
    let end = start + count;
    let rest = &pattern[end..];
    let begins = start == 0 || pattern[start - 1] == b'/';
    let ends = rest.is_empty() || rest.starts_with(b"/") || rest.starts_with(b"\\/");
    let (step, end) = match (count > 1 && begins && ends, rest.first()) {
        (true, Some(b'/')) => (Step::Folders, end + 1),
        (true, _) => (Step::Across, end),
        (false, _) => (Step::Within, end),
    };
    // Repeating the same step is redundant.
    if steps.last() != Some(&step) {
        steps.push(step);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let path = path.as_bytes();
        Pattern::parse(pattern.as_bytes())
            .is_some_and(|pattern| pattern.matches(path, &parts(path)).last() == Some(&true))
    }

    #[test]
    fn what_git_documents_and_what_it_does_besides() {
        for (pattern, path, expected) in [
            // More than two asterisks count as two.
            ("/***", "a/a", true),
            ("/***", "a", true),
            ("***", "a/a", true),
            ("a/***/b", "a/x/y/b", true),
            ("a/***/b", "a/b", true),
            // Anywhere but between slashes they count as one, ...
            ("a/*b**", "a/xb/c", false),
            ("a/**b", "a/x/b", false),
            ("?/a**", "x/ab", true),
            ("?/a**", "x/ab/c", false),
            // ... but for git, that position begins after the literal part.
            ("a/b**", "a/bc/d", true),
            ("a/b**/c", "a/b/x/c", true),
            ("a/b**/c", "a/bc", true),
            ("/**/", "a", false),
            ("**/", "a", false),
            ("/", "a", false),
            ("//", "a", false),
            ("", "a", false),
            // An escaped slash also terminates them, and nothing else matches it.
            ("?/**\\/b", "a/x/b", true),
            ("?/**\\/b", "a/b", false),
            // Escapes.
            ("\\a", "a", true),
            ("a\\", "a", false),
            ("a\\", "a\\", false),
            ("\\!a", "!a", true),
            ("\\#a", "#a", true),
            ("\\[a]", "[a]", true),
            // Brackets.
            ("[x", "[x", false),
            ("[x", "x", false),
            ("a[", "a[", false),
            ("[]", "]", false),
            ("[]]", "]", true),
            ("[]-a]", "^", true),
            ("[!]]", "]", false),
            ("[^a]", "b", true),
            ("[a-]", "-", true),
            ("[a-c-e]", "d", false),
            ("[a-c-e]", "-", true),
            ("[c-a]", "b", false),
            ("[\\]]", "]", true),
            ("[a-\\c]", "b", true),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "x", true),
            ("[[:digit:]-z]", "-", true),
            ("[[:digits:]]", "7", false),
            ("[[:digit]", ":", true),
            ("[[:]", "[", true),
            ("[[x]", "[", true),
            ("a[/]b", "a/b", false),
            ("a?b", "a/b", false),
            ("[!x]", "\u{e9}", false),
            ("[!x]?", "\u{e9}", true),
            ("?", "\u{e9}", false),
            ("??", "\u{e9}", true),
            // Case, and characters that git does not treat as letters.
            ("A", "a", false),
            ("{a,b}", "{a,b}", true),
            ("{a,b}", "a", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_may_have_any_number_of_asterisks() {
        let folders = "a/".repeat(100);
        for (part, end) in [("**/a/", "b"), ("**/", "b"), ("*a", "b"), ("**/*a*/", "b")] {
            let pattern = format!("/{}{end}", part.repeat(100));
            assert!(!matches(&pattern, &format!("{folders}c")), "{part}");
        }
        for (part, path) in [
            ("**/a/", format!("{folders}c")),
            ("*a", format!("{}c", "a".repeat(100))),
        ] {
            assert!(matches(&format!("/{}c", part.repeat(100)), &path), "{part}");
        }
    }

    #[test]
    fn folders_on_the_way_are_told_apart_from_the_file() {
        for (pattern, expected) in [
            ("a", [true, false, true]),
            ("a/", [true, false, false]),
            ("/a", [true, false, false]),
            ("a/b", [false, true, false]),
            ("a/**", [false, true, true]),
            ("**", [true, true, true]),
            ("*/", [true, true, false]),
        ] {
            let path = b"a/b/a";
            let pattern = Pattern::parse(pattern.as_bytes()).unwrap();
            assert_eq!(pattern.matches(path, &parts(path)), expected, "{pattern:?}");
        }
    }
}
