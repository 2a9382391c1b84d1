//! Which files a client need not upload: what a `.gitignore` says.
//!
//! The client asks before each commit and leaves out what it is told to. Only the file at the top counts, as of the
//! commit that is built on, unless the client has one of its own.

use std::path::Path;

use git2::Oid;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::tree::LONGEST_TEXT;
use super::{Content, GitFault, RepositoryPath};

/// The patterns of one `.gitignore`.
#[derive(Debug)]
pub(crate) struct IgnoredFiles(Gitignore);

impl IgnoredFiles {
    /// Reads the patterns.
    pub(crate) fn parse(text: &str) -> Self {
        Self(patterns(text.lines()))
    }

    /// Whether a file of this name, or a folder that it is in, is ignored.
    pub(crate) fn contain(&self, path: &RepositoryPath) -> bool {
        let path = path.as_str();
        let is_ignored = |path, is_folder| self.0.matched(Path::new(path), is_folder).is_ignore();
        // What is in an ignored folder cannot be taken out again.
        path.match_indices('/')
            .any(|(end, _)| is_ignored(&path[..end], true))
            || is_ignored(path, false)
    }
}

/// The patterns of some lines; one that is none is passed over, as git does, and so are those after too many.
pub(super) fn patterns(lines: impl Iterator<Item = impl AsRef<str>>) -> Gitignore {
    let mut patterns = GitignoreBuilder::new("");
    let mut read = 0;
    for line in lines {
        let line = line.as_ref();
        read += line.len();
        if read > LONGEST_TEXT {
            break;
        }
        let _ = patterns.add_line(None, &without_choices(line));
    }
    patterns.build().unwrap_or_else(|_| Gitignore::empty())
}

/// Braces are letters to git, and a choice to the library.
fn without_choices(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend([letter].into_iter().chain(letters.next())),
            '{' | '}' => plain.extend(['\\', letter]),
            _ => plain.push(letter),
        }
    }
    plain
}

impl Content {
    /// What a commit says about files to ignore.
    pub(crate) fn ignored_files(&self, commit: Oid) -> Result<IgnoredFiles, GitFault> {
        let text = self.top_text(commit, ".gitignore")?;
        Ok(IgnoredFiles::parse(&text.unwrap_or_default()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What git itself says of some paths in a new work tree.
    pub(in super::super) fn asked_of_git(
        folder: &Path,
        arguments: &[&str],
        paths: &[&String],
    ) -> Vec<String> {
        git2::Repository::init(folder).unwrap();
        let mut git = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = git.stdin.take().unwrap();
        for path in paths {
            write!(input, "{path}\0").unwrap();
        }
        drop(input);
        let said = String::from_utf8(git.wait_with_output().unwrap().stdout).unwrap();
        said.split_terminator('\0').map(str::to_owned).collect()
    }

    fn ignored(patterns: &str, path: &str) -> bool {
        IgnoredFiles::parse(patterns).contain(&RepositoryPath::parse(path).unwrap())
    }

    #[test]
    fn patterns_are_gits_own() {
        assert!(ignored("nested/*\n", "nested/file.bin"));
        assert!(ignored("nested/\n", "nested/deep/file.bin"));
        assert!(ignored("*.log\n!keep.log\n", "a/b.log"));
        assert!(!ignored("*.log\n!keep.log\n", "a/keep.log"));
        assert!(ignored("/top.txt\n", "top.txt"));
        assert!(!ignored("/top.txt\n", "a/top.txt"));
        assert!(ignored("# not a pattern\n\n[\nx\n", "x"));
        assert!(!ignored("{a,b}\n", "a") && ignored("{a,b}\n", "{a,b}"));
        assert!(!ignored("*/\n", "x") && ignored("*/\n", "a/x"));
        assert!(ignored("a\n!a/b\n", "a/b"));
        assert!(!ignored("", "x"));
    }

    #[test]
    fn no_file_takes_long() {
        assert!(!ignored(&("many\n".repeat(LONGEST_TEXT) + "x\n"), "x"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn git_reads_them_so(
            lines in prop::collection::vec("!?[ab*?/.{}\\[\\]^-]{1,8}", 1..8),
            paths in prop::collection::btree_set("[abc.{}-]{1,4}(/[abc.-]{1,3}){0,3}", 1..40),
        ) {
            let text = lines.join("\n") + "\n";
            let paths: Vec<_> = paths.iter().filter(|path| RepositoryPath::parse(path).is_ok()).collect();
            let git = tempfile::TempDir::new().unwrap();
            std::fs::write(git.path().join(".gitignore"), &text).unwrap();
            let said = asked_of_git(
                git.path(),
                &["check-ignore", "--no-index", "--stdin", "-z"],
                &paths,
            );
            for path in paths {
                prop_assert_eq!(ignored(&text, path), said.contains(path), "{:?} {}", text, path);
            }
        }

        #[test]
        fn any_text_is_read(text in "(?s).{0,200}", path in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let _ = ignored(&text, &path);
        }
    }
}
