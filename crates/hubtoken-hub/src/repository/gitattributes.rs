//! Decides which files a repository stores in LFS, according to its `.gitattributes`.
//!
//! Only the root file of the parent commit is read, and of its attributes only `filter=lfs`, set
//! directly or by a macro (`[attr]large filter=lfs`). Patterns work as in `.gitignore`, except that
//! a pattern for a folder does not apply to the folder's content.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use git2::Oid;

use super::gitignore::lines;
use super::pattern::{Pattern, parts};
use super::quoted::unquote;
use super::tree::MAX_TEXT_BYTES;
use super::{OpenRepository, RepositoryError, RepositoryPath};

/// The characters that git treats as whitespace here.
const BLANK: &[char] = &[' ', '\t', '\r', '\n'];
/// The attribute that matters.
const FILTER: &str = "filter";
/// The prefix of a macro definition.
const MACRO: &str = "[attr]";
/// Longer lines are ignored, as git does.
const MAX_LINE_BYTES: usize = 2047;

/// The LFS rules of a `.gitattributes`.
#[derive(Debug, Default)]
pub(crate) struct LfsPatterns {
    rules: Vec<(Pattern, Vec<Setting>)>,
    macros: HashMap<String, Vec<Setting>>,
    bytes: usize,
}

/// An attribute and its state.
#[derive(Clone, Debug)]
struct Setting {
    name: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Set, without a value. A macro that is set expands to its attributes.
    Set,
    Lfs,
    Other,
}

enum Line {
    Rule(Pattern, Vec<Setting>),
    Macro(String, Vec<Setting>),
}

impl OpenRepository {
    /// Reads a commit's LFS rules.
    pub(crate) fn lfs_patterns(&self, commit: Oid) -> Result<LfsPatterns, RepositoryError> {
        let text = self.read_root_file(commit, ".gitattributes")?;
        Ok(LfsPatterns::parse(&text.unwrap_or_default()))
    }
}

impl LfsPatterns {
    fn parse(text: &str) -> Self {
        let mut files = Self {
            bytes: text.len().min(MAX_TEXT_BYTES),
            ..Self::default()
        };
        for line in lines(text).filter_map(line) {
            match line {
                Line::Rule(pattern, settings) => files.rules.push((pattern, settings)),
                // The last definition of a macro wins, for earlier lines as well.
                Line::Macro(name, settings) => drop(files.macros.insert(name, settings)),
            }
        }
        let counts =
            |setting: &Setting| setting.name == FILTER || files.macros.contains_key(&setting.name);
        for (_, settings) in &mut files.rules {
            settings.retain(counts);
        }
        files.rules.retain(|(_, settings)| !settings.is_empty());
        files
    }

    /// The bytes of all rules: matching a path takes time in proportion to them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a file with this path belongs in LFS. The last matching rule decides.
    pub(crate) fn matches(&self, path: &RepositoryPath) -> bool {
        let path = path.as_str().as_bytes();
        let parts = parts(path);
        let mut seen = HashSet::new();
        for (pattern, settings) in self.rules.iter().rev() {
            if pattern.matches(path, &parts).last() == Some(&true)
                && let Some(state) = self.filter(settings, &mut seen)
            {
                return state == State::Lfs;
            }
        }
        false
    }

    /// The state of the filter after some settings. An attribute that is already known is not set
    /// again.
    fn filter<'a>(&'a self, settings: &'a [Setting], seen: &mut HashSet<&'a str>) -> Option<State> {
        // The last setting is processed first, and a macro is expanded in place.
        let mut pending: Vec<_> = settings.iter().collect();
        while let Some(setting) = pending.pop() {
            if !seen.insert(&setting.name) {
                continue;
            }
            if setting.name == FILTER {
                return Some(setting.state);
            }
            if setting.state == State::Set
                && let Some(settings) = self.macros.get(&setting.name)
            {
                pending.extend(settings);
            }
        }
        None
    }
}

/// Parses a line. Returns `None` for a line that git ignores.
fn line(line: &str) -> Option<Line> {
    if line.len() > MAX_LINE_BYTES {
        return None;
    }
    let line = line.trim_start_matches(BLANK);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, attributes) = if let Some((name, rest)) = unquote(line) {
        (Cow::Owned(name), rest)
    } else {
        let end = line.find(BLANK).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        (Cow::Borrowed(name.as_bytes()), rest)
    };
    // One invalid attribute invalidates the whole line.
    let settings = attributes
        .split(BLANK)
        .filter(|attribute| !attribute.is_empty())
        .map(setting)
        .collect::<Option<_>>()?;
    // Git ends a name at a NUL byte.
    let name = name.split(|byte| *byte == 0).next()?;
    match name.strip_prefix(MACRO.as_bytes()) {
        Some(name) if !name.is_empty() => {
            let name = str::from_utf8(name).ok()?.trim_start_matches(BLANK);
            let name = name.split(BLANK).next().filter(|name| is_name(name))?;
            Some(Line::Macro(name.to_owned(), settings))
        }
        _ if name.starts_with(b"!") => None,
        _ => Some(Line::Rule(Pattern::parse(name)?, settings)),
    }
}

fn setting(text: &str) -> Option<Setting> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let (name, state) = match (name.strip_prefix(['-', '!']), value) {
        (Some(name), _) => (name, State::Other),
        (None, None) => (name, State::Set),
        (None, Some("lfs")) => (name, State::Lfs),
        (None, Some(_)) => (name, State::Other),
    };
    is_name(name).then(|| Setting {
        name: name.to_owned(),
        state,
    })
}

/// Whether git accepts a text as an attribute name.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(fits)
        && !text.starts_with("builtin_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gitignore::tests::{asked_of_git, cases, some_paths, some_pattern};
    use super::*;

    const ATTRIBUTES: &[&str] = &[
        "filter=lfs",
        "filter=lfs",
        "filter=lfs",
        "filter=lfs -text",
        "-filter",
        "!filter",
        "filter",
        "filter=lfs -filter=lfs",
        "filter=other filter=lfs",
        "filter=lfs --text",
        "filter=lfs a,b",
        "filter=lfs builtin_x",
        "text",
        "large",
        "large -filter",
        "-filter large",
        "-large",
        "large=x",
        "huge",
        "\tfilter=lfs\r",
        "",
    ];
    const MACROS: &[&str] = &[
        "[attr]large filter=lfs -text",
        "[attr]large filter=other",
        "[attr]large huge",
        "[attr]huge large filter=lfs",
        "[attr]huge filter=lfs -large",
        "[attr] large filter=lfs",
        "\"[attr] large\" filter=lfs",
        "[attr]",
        "[attr]-x filter=lfs",
        "[attr]filter large",
        "[attr]binary filter=lfs",
        "*a binary",
        "# * filter=lfs",
        "  *b filter=lfs",
        "\"a b\" filter=lfs",
        "\"a\\142\"filter=lfs",
        "\"*.a\\000x\" filter=lfs",
        "\"*c filter=lfs",
        "",
    ];

    fn some_line() -> impl Strategy<Value = String> {
        let rule = (some_pattern(), prop::sample::select(ATTRIBUTES));
        prop_oneof![
            4 => rule.prop_map(|(pattern, attributes)| format!("{pattern} {attributes}")),
            1 => prop::sample::select(MACROS).prop_map(str::to_owned),
        ]
    }

    fn matches(text: &str, path: &str) -> bool {
        LfsPatterns::parse(text).matches(&RepositoryPath::parse(path).unwrap())
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
            assert!(matches(&text, path), "{path}");
        }
        for path in [
            "README.md",
            "bin",
            "model.binary",
            "a.safetensors/x",
            "x/saved_model/a",
            "config.json",
        ] {
            assert!(!matches(&text, path), "{path}");
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
            ("/***", "a/a", true),
            ("a/b**", "a/bc/d", true),
            ("[x", "[x", false),
            ("!x", "x", false),
            ("\\!x", "!x", true),
            ("\"a\\142\"", "ab", true),
        ] {
            assert_eq!(
                matches(&format!("{pattern} filter=lfs"), path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn the_last_rule_decides() {
        let text = "*.bin filter=lfs diff=lfs\n# *.txt filter=lfs\nsmall.bin -filter\n*.x text\nother.bin filter=other";
        assert!(matches(text, "a.bin"));
        for path in ["small.bin", "a.txt", "a.x", "other.bin"] {
            assert!(!matches(text, path), "{path}");
        }
    }

    #[test]
    fn a_macro_counts_as_what_it_stands_for() {
        for (text, expected) in [
            ("[attr]large filter=lfs\n*.a large", true),
            ("*.a large\n[attr]large filter=lfs", true),
            ("[attr]large huge\n[attr]huge filter=lfs\n*.a large", true),
            ("[attr]large large filter=lfs\n*.a large", true),
            // If a later line sets the macro itself, the macro is not expanded.
            ("[attr]large filter=lfs\n*.a large\nx.a -large", false),
            ("[attr]large filter=lfs\n*.a large=x", false),
            (
                "[attr]large filter=lfs\n[attr]large -text\n*.a large",
                false,
            ),
            ("[attr]large filter=lfs\n*.a -filter large", true),
            ("[attr]large filter=lfs\n*.a large -filter", false),
            // With a space, it is a pattern.
            ("[attr] large filter=lfs\n*.a large", false),
        ] {
            assert_eq!(matches(text, "x.a"), expected, "{text}");
        }
    }

    #[test]
    fn a_line_with_a_mistake_says_nothing() {
        let long = format!("{} filter=lfs", "*".repeat(2_100));
        for line in [
            "* filter=lfs --x",
            "* filter=lfs a,b",
            "* filter=lfs =x",
            "!* filter=lfs",
            &long,
        ] {
            assert!(!matches(line, "x"), "{line}");
        }
    }

    #[test]
    fn no_chain_of_macros_is_too_long() {
        let chain: Vec<String> = (0..3_000)
            .map(|number| format!("[attr]m{number} m{}\n", number + 1))
            .collect();
        let chain = chain.concat();
        assert!(matches(
            &format!("* m0\n{chain}[attr]m3000 filter=lfs\n"),
            "x"
        ));
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "*a".repeat(500);
        assert!(!matches(
            &format!("{pattern}b filter=lfs"),
            &"a".repeat(250)
        ));
    }

    proptest! {
        #![proptest_config(cases())]
        #[test]
        fn git_reads_them_so(
            lines in prop::collection::vec(some_line(), 1..8),
            paths in some_paths(),
        ) {
            let text = lines.join("\n") + "\n";
            let git = tempfile::TempDir::new().unwrap();
            std::fs::write(git.path().join(".gitattributes"), &text).unwrap();
            let said = asked_of_git(git.path(), &["check-attr", "--stdin", "-z", "filter"], &paths);
            for (path, said) in paths.iter().zip(said.chunks_exact(3)) {
                prop_assert_eq!(matches(&text, path), said[2] == "lfs", "{:?} {:?}", text, path);
            }
        }
    }
}
