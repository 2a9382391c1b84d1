//! Which files a repository keeps in LFS: what its `.gitattributes` say.
//!
//! Only the file at the top counts, as of the commit that is built on, and only `filter=lfs` in it. Patterns are git's
//! own; a name is compared with one in time that grows with the length of both, whatever the pattern is.

use git2::Oid;

use super::{Content, GitFault, RepositoryPath};

/// What stands in `.gitattributes` about LFS, in the order of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LargeFiles(Vec<Rule>);

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    pattern: Vec<Token>,
    /// Whether it is compared with the whole path, or with the name alone.
    whole: bool,
    lfs: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Letter(u8),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**` at the end.
    Everything,
    /// `**/`: any folders, or none.
    Folders,
    /// `[a-z]`, and whether it means all others.
    Class(Vec<(u8, u8)>, bool),
}

impl Content {
    /// What a commit says about LFS.
    pub(crate) fn large_files(&self, commit: Oid) -> Result<LargeFiles, GitFault> {
        let text = self.top_text(commit, ".gitattributes")?;
        Ok(LargeFiles::parse(&text.unwrap_or_default()))
    }
}

impl LargeFiles {
    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(Rule::parse).collect())
    }

    /// Whether a file of this name belongs in LFS; the last rule that is about it decides.
    pub(crate) fn contain(&self, path: &RepositoryPath) -> bool {
        self.0
            .iter()
            .rev()
            .find(|rule| rule.is_about(path))
            .is_some_and(|rule| rule.lfs)
    }
}

impl Rule {
    /// The rule in a line, if it says anything about `filter`.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (pattern, attributes) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => line.split_once(char::is_whitespace)?,
        };
        if pattern.starts_with(['#', '!']) || pattern.ends_with('/') {
            return None;
        }
        let lfs = attributes
            .split_whitespace()
            .filter_map(|attribute| match attribute {
                "filter=lfs" => Some(true),
                "filter" | "-filter" | "!filter" => Some(false),
                other => other.starts_with("filter=").then_some(false),
            })
            .next_back()?;
        let whole = pattern.contains('/');
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        Some(Self {
            pattern: tokens(pattern.as_bytes()),
            whole,
            lfs,
        })
    }

    fn is_about(&self, path: &RepositoryPath) -> bool {
        let text = if self.whole {
            path.as_str()
        } else {
            path.file_name()
        };
        matches(&self.pattern, text.as_bytes())
    }
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        let rest = &pattern[at..];
        let begins_part = at == 0 || pattern[at - 1] == b'/';
        let (token, length) = match byte {
            b'*' if begins_part && rest.starts_with(b"**/") => (Token::Folders, 3),
            b'*' if begins_part && rest == b"**" => (Token::Everything, 2),
            b'*' => (
                Token::Some,
                rest.iter().take_while(|each| **each == b'*').count(),
            ),
            b'?' => (Token::One, 1),
            b'\\' if rest.len() > 1 => (Token::Letter(rest[1]), 2),
            b'[' => class(rest).unwrap_or((Token::Letter(b'['), 1)),
            other => (Token::Letter(*other), 1),
        };
        found.push(token);
        at += length;
    }
    found
}

/// A class, and how long it is in the pattern.
fn class(pattern: &[u8]) -> Option<(Token, usize)> {
    let others = matches!(pattern.get(1), Some(b'!' | b'^'));
    let begin = if others { 2 } else { 1 };
    let mut at = begin;
    let mut ranges = Vec::new();
    loop {
        let first = *pattern.get(at)?;
        if first == b']' && at > begin {
            return Some((Token::Class(ranges, others), at + 1));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(last)) if *last != b']' => {
                ranges.push((first, *last));
                at += 3;
            }
            _ => {
                ranges.push((first, first));
                at += 1;
            }
        }
    }
}

/// Follows the pattern with all places at once at which it may stand in the text.
fn matches(pattern: &[Token], text: &[u8]) -> bool {
    let mut places = vec![false; text.len() + 1];
    places[0] = true;
    for token in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut passing = false;
        for at in 0..=text.len() {
            let byte = text.get(at).copied();
            let here = places[at];
            match token {
                Token::Some => {
                    passing = here || (passing && text[at - 1] != b'/');
                    next[at] = passing;
                }
                Token::Everything => {
                    passing |= here;
                    next[at] = passing;
                }
                Token::Folders => {
                    next[at] = here || (passing && text[at - 1] == b'/');
                    passing |= here;
                }
                single => {
                    if here && byte.is_some_and(|byte| single.is(byte)) {
                        next[at + 1] = true;
                    }
                }
            }
        }
        places = next;
    }
    places[text.len()]
}

impl Token {
    fn is(&self, byte: u8) -> bool {
        match self {
            Self::Letter(letter) => *letter == byte,
            Self::One => byte != b'/',
            Self::Class(ranges, others) => {
                let within = ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&byte));
                byte != b'/' && within != *others
            }
            Self::Some | Self::Everything | Self::Folders => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(text: &str, path: &str) -> bool {
        LargeFiles::parse(text).contain(&RepositoryPath::parse(path).unwrap())
    }

    #[test]
    fn the_hubs_own_file() {
        let text = String::from_utf8_lossy(super::super::GITATTRIBUTES);
        for path in [
            "model.safetensors",
            "a/b/pytorch_model.bin",
            "saved_model/x",
            "saved_model/a/b",
            "events.out.tfevents.1",
            "data.tar.gz",
            "x.lfs.y",
            "a b.parquet",
        ] {
            assert!(contain(&text, path), "{path}");
        }
        for path in [
            "README.md",
            "bin",
            "model.binary",
            "a.safetensors/x",
            "x/saved_model/a",
            "config.json",
        ] {
            assert!(!contain(&text, path), "{path}");
        }
    }

    #[test]
    fn patterns_as_git_reads_them() {
        for (pattern, path, expected) in [
            ("*.bin", "a.bin", true),
            ("/*.bin", "x/a.bin", false),
            ("/*.bin", "a.bin", true),
            ("x/*", "x/a/b", false),
            ("x/**", "x/a/b", true),
            ("**/x", "a/b/x", true),
            ("**/x", "x", true),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**/x", "ab/x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("\"a b\"", "a b", true),
            ("a*b*c", "a-b-b-c", true),
            ("x/", "x", false),
        ] {
            assert_eq!(
                contain(&format!("{pattern} filter=lfs"), path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn the_last_rule_decides() {
        let text = "*.bin filter=lfs diff=lfs\n# *.txt filter=lfs\nsmall.bin -filter\n*.x text\nother.bin filter=other";
        assert!(contain(text, "a.bin"));
        for path in ["small.bin", "a.txt", "a.x", "other.bin"] {
            assert!(!contain(text, path), "{path}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "*a".repeat(500);
        assert!(!contain(
            &format!("{pattern}b filter=lfs"),
            &"a".repeat(250)
        ));
    }
}
