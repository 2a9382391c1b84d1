//! Which files a repository keeps in LFS: what its `.gitattributes` say.
//!
//! Only the file at the top counts, as of the commit that is built on, and only `filter=lfs` in it. Its patterns are
//! those of `.gitignore`, but that one of a folder says nothing about what is in it.

use std::path::Path;

use git2::Oid;
use ignore::gitignore::Gitignore;

use super::ignored::patterns;
use super::{Content, GitFault, RepositoryPath};

/// What stands in `.gitattributes` about LFS.
#[derive(Debug)]
pub(crate) struct LargeFiles(Gitignore);

impl Content {
    /// What a commit says about LFS.
    pub(crate) fn large_files(&self, commit: Oid) -> Result<LargeFiles, GitFault> {
        let text = self.top_text(commit, ".gitattributes")?;
        Ok(LargeFiles::parse(&text.unwrap_or_default()))
    }
}

impl LargeFiles {
    fn parse(text: &str) -> Self {
        Self(patterns(text.lines().filter_map(pattern)))
    }

    /// Whether a file of this name belongs in LFS; the last line that is about it decides.
    pub(crate) fn contain(&self, path: &RepositoryPath) -> bool {
        self.0.matched(Path::new(path.as_str()), false).is_ignore()
    }
}

/// The pattern of a line that says anything about `filter`; with `!` before it if that is not LFS.
fn pattern(line: &str) -> Option<String> {
    let line = line.trim();
    let (pattern, attributes) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once(char::is_whitespace)?,
    };
    if pattern.starts_with(['#', '!']) {
        return None;
    }
    let is_large = attributes
        .split_whitespace()
        .filter_map(|attribute| match attribute {
            "filter=lfs" => Some(true),
            "filter" | "-filter" | "!filter" => Some(false),
            other => other.starts_with("filter=").then_some(false),
        })
        .next_back()?;
    Some(if is_large {
        pattern.to_owned()
    } else {
        format!("!{pattern}")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ignored::tests::asked_of_git;
    use super::*;

    const FILTERS: &[&str] = &["filter=lfs", "filter=lfs -text", "-filter", "text"];

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
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn git_reads_them_so(
            lines in prop::collection::vec(("[ab*?/.{}\\[\\]!^-]{1,8}", prop::sample::select(FILTERS)), 1..8),
            paths in prop::collection::btree_set("[abc.{}-]{1,4}(/[abc.-]{1,3}){0,3}", 1..40),
        ) {
            let lines: Vec<_> = lines.iter().map(|(pattern, filter)| format!("{pattern} {filter}\n")).collect();
            let text = lines.concat();
            let paths: Vec<_> = paths.iter().filter(|path| RepositoryPath::parse(path).is_ok()).collect();
            let git = tempfile::TempDir::new().unwrap();
            std::fs::write(git.path().join(".gitattributes"), &text).unwrap();
            let said = asked_of_git(git.path(), &["check-attr", "--stdin", "-z", "filter"], &paths);
            for (path, said) in paths.iter().zip(said.chunks_exact(3)) {
                prop_assert_eq!(contain(&text, path), said[2] == "lfs", "{:?} {}", text, path);
            }
        }
    }
}
