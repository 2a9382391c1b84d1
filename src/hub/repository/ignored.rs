//! Which files a client need not upload: what a `.gitignore` says.
//!
//! The client asks before each commit and leaves out what it is told to. Only the file at the top counts, as of the
//! commit that is built on, unless the client has one of its own.

use std::path::Path;

use git2::Oid;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Content, GitFault, RepositoryPath};

/// The patterns of one `.gitignore`.
#[derive(Debug)]
pub(crate) struct IgnoredFiles(Gitignore);

impl IgnoredFiles {
    /// Reads the patterns; a line that is none is passed over, as git does.
    pub(crate) fn parse(text: &str) -> Self {
        let mut patterns = GitignoreBuilder::new("");
        for line in text.lines() {
            let _ = patterns.add_line(None, line);
        }
        Self(patterns.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// Whether a file of this name, or a folder that it is in, is ignored.
    pub(crate) fn contain(&self, path: &RepositoryPath) -> bool {
        self.0
            .matched_path_or_any_parents(Path::new(path.as_str()), false)
            .is_ignore()
    }
}

impl Content {
    /// What a commit says about files to ignore.
    pub(crate) fn ignored_files(&self, commit: Oid) -> Result<IgnoredFiles, GitFault> {
        let text = self.top_text(commit, ".gitignore")?;
        Ok(IgnoredFiles::parse(&text.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        assert!(!ignored("", "x"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}", path in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let _ = ignored(&text, &path);
        }
    }
}
