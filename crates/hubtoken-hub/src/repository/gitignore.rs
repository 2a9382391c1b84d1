//! Tells a client which files it need not upload, according to `.gitignore`.
//!
//! The client queries this before each commit and skips the ignored files. Only the root file of
//! the parent commit is read, unless the client sends its own.

use git2::Oid;

use super::pattern::{Pattern, parts};
use super::tree::MAX_TEXT_BYTES;
use super::{OpenRepository, RepositoryError, RepositoryPath};

/// The patterns of one `.gitignore`.
#[derive(Debug)]
pub(crate) struct Gitignore {
    rules: Vec<Rule>,
    bytes: usize,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    /// Whether it re-includes files ignored by an earlier rule.
    is_negated: bool,
}

impl Gitignore {
    /// Parses the patterns.
    pub(crate) fn parse(text: &str) -> Self {
        Self {
            rules: lines(text).filter_map(rule).collect(),
            bytes: text.len().min(MAX_TEXT_BYTES),
        }
    }

    /// The bytes of all patterns: matching a path takes time in proportion to them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a file with this path, or one of its parent folders, is ignored.
    pub(crate) fn matches(&self, path: &RepositoryPath) -> bool {
        let path = path.as_str().as_bytes();
        let parts = parts(path);
        let mut decisions = vec![None; parts.len()];
        // For each part, the last matching rule decides.
        for rule in self.rules.iter().rev() {
            for (decision, matches) in decisions.iter_mut().zip(rule.pattern.matches(path, &parts))
            {
                if matches && decision.is_none() {
                    *decision = Some(!rule.is_negated);
                }
            }
        }
        // Files in an ignored folder cannot be re-included.
        decisions.contains(&Some(true))
    }
}

fn rule(line: &str) -> Option<Rule> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.starts_with('#') {
        return None;
    }
    let line = trim_trailing_spaces(line);
    let (pattern, is_negated) = match line.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    Some(Rule {
        pattern: Pattern::parse(pattern.as_bytes())?,
        is_negated,
    })
}

/// Strips trailing spaces, but keeps an escaped space and all spaces before it.
fn trim_trailing_spaces(line: &str) -> &str {
    let mut end = 0;
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter != ' ' {
            end = at + letter.len_utf8();
        }
        if letter == '\\' {
            match letters.next() {
                Some((at, letter)) => end = at + letter.len_utf8(),
                None => return line,
            }
        }
    }
    &line[..end]
}

/// The lines of one of git's own files, up to the maximum length.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut read = 0;
    // Git ends a line at a NUL byte.
    text.split('\n')
        .take_while(move |line| {
            read += line.len();
            read <= MAX_TEXT_BYTES
        })
        .map(|line| line.split('\0').next().unwrap_or(line))
}

impl OpenRepository {
    /// Reads a commit's ignore rules.
    pub(crate) fn gitignore(&self, commit: Oid) -> Result<Gitignore, RepositoryError> {
        let text = self.read_root_file(commit, ".gitignore")?;
        Ok(Gitignore::parse(&text.unwrap_or_default()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// Runs git on some paths in a new work tree and returns its output.
    pub(in super::super) fn asked_of_git(
        folder: &Path,
        arguments: &[&str],
        paths: &[String],
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
            // Warnings about ignored lines.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = git.stdin.take().unwrap();
        for path in paths {
            write!(input, "{path}\0").unwrap();
        }
        drop(input);
        let decisions = String::from_utf8(git.wait_with_output().unwrap().stdout).unwrap();
        decisions
            .split_terminator('\0')
            .map(str::to_owned)
            .collect()
    }

    /// Pattern fragments which, alone or combined, cover git's peculiarities.
    const PIECES: &[&str] = &[
        "a",
        "b",
        "c",
        "ab",
        ".",
        "-",
        "*",
        "**",
        "***",
        "?",
        "/",
        "/**/",
        "/**",
        "**/",
        "\\",
        "\\*",
        "\\a",
        "\\/",
        "[",
        "]",
        "[a",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "[c-a]",
        "[]]",
        "[]-a]",
        "[!]a]",
        "[a-]",
        "[\\]]",
        "[a\\-c]",
        "[[:alpha:]]",
        "[[:punct:]b]",
        "[[:foo:]]",
        "[[:]",
        "[[a]",
        "[/]",
        "[!/]",
        "!",
        "^",
        "#",
        "{",
        "}",
        "{a,b}",
        " ",
        "\\ ",
        "\t",
        "\"",
        "A",
        "B",
        "\u{e9}",
        "\r",
        "=",
        ":",
    ];

    /// The number of cases to compare with git. `PROPTEST_CASES` increases it for a long run.
    #[expect(clippy::disallowed_methods, reason = "a variable of the tests")]
    pub(in super::super) fn cases() -> ProptestConfig {
        let cases = std::env::var("PROPTEST_CASES").ok();
        ProptestConfig::with_cases(cases.and_then(|number| number.parse().ok()).unwrap_or(64))
    }

    /// Lines that look like patterns, covering git's peculiarities.
    pub(in super::super) fn some_pattern() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::collection::vec(prop::sample::select(PIECES), 1..6)
                .prop_map(|pieces| pieces.concat()),
            "!?[ab*?/.{}\\[\\]^-]{1,8}",
        ]
    }

    /// Paths that some of these patterns may match.
    pub(in super::super) fn some_paths() -> impl Strategy<Value = Vec<String>> {
        let path = prop_oneof![
            "[abc.{}-]{1,4}(/[abc.-]{1,3}){0,3}",
            "[abAB](/[abcA]{1,2}){0,3}",
            "[a\u{e9}\\[\\]!#\" \\\\^:=]{1,3}(/[ab\u{e9}*? ]{1,2}){0,2}",
        ];
        prop::collection::btree_set(path, 1..40).prop_map(|paths| {
            // `git check-ignore` would parse a leading colon as more than a path.
            let is_path =
                |path: &String| !path.starts_with(':') && RepositoryPath::parse(path).is_ok();
            paths.into_iter().filter(is_path).collect()
        })
    }

    fn ignored(patterns: &str, path: &str) -> bool {
        Gitignore::parse(patterns).matches(&RepositoryPath::parse(path).unwrap())
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
        assert!(ignored("a  \n", "a") && ignored("a\\ \n", "a ") && !ignored("a\t\n", "a"));
        assert!(ignored("\u{feff}a\r\n", "a") && ignored("\\!a\n", "!a"));
        assert!(ignored("**\n!a\n", "b") && !ignored("**\n!a\n", "a") && ignored("!\na\n", "a"));
        assert!(!ignored("", "x"));
    }

    #[test]
    fn no_file_takes_long() {
        assert!(!ignored(&("many\n".repeat(MAX_TEXT_BYTES) + "x\n"), "x"));
    }

    proptest! {
        #![proptest_config(cases())]
        #[test]
        fn git_reads_them_so(
            lines in prop::collection::vec(some_pattern(), 1..8),
            paths in some_paths(),
        ) {
            let text = lines.join("\n") + "\n";
            let git = tempfile::TempDir::new().unwrap();
            std::fs::write(git.path().join(".gitignore"), &text).unwrap();
            let decisions = asked_of_git(
                git.path(),
                &["check-ignore", "--no-index", "--stdin", "-z"],
                &paths,
            );
            for path in &paths {
                prop_assert_eq!(ignored(&text, path), decisions.contains(path), "{:?} {:?}", text, path);
            }
        }

        #[test]
        fn any_text_is_read(text in "(?s).{0,200}", path in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let _ = ignored(&text, &path);
        }
    }
}
