//! Validates paths inside a repository at the boundary, so that no later code handles a path that
//! escapes it.

use super::RepositoryError;

/// A valid, non-empty path inside a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RepositoryPath(String);

const MAX_PATH_BYTES: usize = 4096;

impl RepositoryPath {
    pub(crate) fn parse(path: &str) -> Result<Self, RepositoryError> {
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.len() > MAX_PATH_BYTES {
            "it is too long"
        } else if path.starts_with('/') {
            "it is absolute"
        } else if path.contains('\\') {
            "it contains a backslash"
        } else if path.chars().any(char::is_control) {
            "it contains a control character"
        } else if let Some(reason) = path.split('/').find_map(bad_component) {
            reason
        } else {
            return Ok(Self(path.to_owned()));
        };
        let shown: String = path.escape_debug().take(200).collect();
        Err(RepositoryError::Rejected(format!(
            "Invalid path `{shown}`: {reason}"
        )))
    }

    /// Parses a path that is only looked up. Pushed files may have names that the API would reject,
    /// and no name can escape a git tree.
    pub(crate) fn parse_existing(path: &str) -> Result<Self, RepositoryError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_plain = |part: &str| {
            !part.contains('\0') && (part.len() > 255 || bad_component(part).is_none())
        };
        if path.len() <= MAX_PATH_BYTES && path.split('/').all(is_plain) {
            Ok(Self(path.to_owned()))
        } else {
            Self::parse(path)
        }
    }

    /// Parses a folder's path, which may end with `/`.
    pub(crate) fn parse_folder(path: &str) -> Result<Self, RepositoryError> {
        Self::parse(path.strip_suffix('/').unwrap_or(path))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub(crate) fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

fn bad_component(component: &str) -> Option<&'static str> {
    // Some file systems treat all of these as `.git`, so checking out such a name would overwrite
    // the clone's configuration.
    let folded = component.to_ascii_lowercase();
    let plain = folded
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches(['.', ' ']);
    match component {
        "" => Some("it has an empty component"),
        "." | ".." => Some("`.` and `..` are not allowed"),
        _ if plain == ".git" || plain == "git~1" => Some("`.git` is not allowed"),
        _ if component.len() > 255 => Some("a component has more than 255 bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_people_use() {
        for path in [
            "a.txt",
            "dir/b c.txt",
            "München/é ü.json",
            ".gitattributes",
            ".github/x",
            "a%2Fb",
            "...",
            "a..b",
        ] {
            assert_eq!(RepositoryPath::parse(path).unwrap().as_str(), path);
        }
        assert_eq!(
            RepositoryPath::parse_folder("dir/").unwrap().as_str(),
            "dir"
        );
        assert_eq!(
            RepositoryPath::parse("a/b.txt").unwrap().file_name(),
            "b.txt"
        );
    }

    #[test]
    fn ways_out() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "../x",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "a\0b",
            ".git",
            ".git/config",
            "a/.GIT/hooks/x",
            ".git.",
            ".git ",
            ".git::$INDEX_ALLOCATION",
            "git~1",
            "a\nb",
        ] {
            assert!(RepositoryPath::parse(path).is_err(), "{path:?}");
        }
        assert!(RepositoryPath::parse(&"a/".repeat(3000)).is_err());
        assert!(RepositoryPath::parse(&"a".repeat(256)).is_err());
    }

    #[test]
    fn what_is_there_can_have_any_name() {
        for path in [
            "a\\b",
            "line\nbreak",
            "-x",
            "folder/",
            "a".repeat(300).as_str(),
        ] {
            assert!(RepositoryPath::parse_existing(path).is_ok(), "{path:?}");
        }
        for path in [
            "",
            "/",
            "..",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a\0b",
            "./a",
            ".git/config",
        ] {
            assert!(RepositoryPath::parse_existing(path).is_err(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_inside(path in "\\PC{0,40}|[./a\\\\]{0,12}") {
            if let Ok(parsed) = RepositoryPath::parse(&path) {
                let inside = std::path::Path::new(parsed.as_str())
                    .components()
                    .all(|component| matches!(component, std::path::Component::Normal(_)));
                prop_assert!(inside);
            }
        }
    }
}
