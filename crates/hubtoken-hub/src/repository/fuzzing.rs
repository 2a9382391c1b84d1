//! Fuzzing entry points for paths, revisions and `.gitignore`, and a repository for the targets
//! that need one; see `hub/fuzzing.rs`.

use std::cell::RefCell;

use git2::Oid;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::lfs::Objects;
use super::{Author, Content, GitFault, IgnoredFiles, RepositoryPath, Store};
use crate::registry::{Repository, RepositoryType};

/// How often a repository is reused before it is replaced: everything written to it stays there and
/// takes up disk space.
const USES: u32 = 10_000;

/// The revisions that resolve to the only commit of a new repository.
pub const COMMITTED: [&str; 3] = ["HEAD", "main", "refs/heads/main"];

struct Workplace {
    content: Content,
    commit: Oid,
    uses: u32,
    _folder: TempDir,
}

impl Workplace {
    fn new() -> Result<Self, GitFault> {
        let author = Author {
            name: "alice".to_owned(),
            email: "a@b".to_owned(),
            when: OffsetDateTime::UNIX_EPOCH,
        };
        let folder = TempDir::new()?;
        let objects = Objects::new(folder.path());
        let store = Store::new(folder.path().join("repositories"), objects);
        store.create(RepositoryType::Model, "d1", &author)?;
        let content = store.open(&Repository::example("d1"))?;
        Ok(Self {
            commit: content.resolve("HEAD")?,
            content,
            uses: 0,
            _folder: folder,
        })
    }
}

fn with_workplace<T>(work: impl FnOnce(&Workplace) -> Result<T, GitFault>) -> Result<T, String> {
    thread_local! {
        // Thread-local, so that it is removed when the process exits.
        static PLACE: RefCell<Option<Workplace>> = const { RefCell::new(None) };
    }
    PLACE.with_borrow_mut(|place| {
        let text = |fault: GitFault| fault.to_string();
        if place.as_ref().is_none_or(|place| place.uses == USES) {
            *place = Some(Workplace::new().map_err(text)?);
        }
        let place = place
            .as_mut()
            .ok_or_else(|| text(GitFault::ContentMissing))?;
        place.uses += 1;
        work(place).map_err(text)
    })
}

/// Runs a function on a temporary repository.
pub(crate) fn with_content<T>(
    work: impl FnOnce(&Content) -> Result<T, GitFault>,
) -> Result<T, String> {
    with_workplace(|place| work(&place.content))
}

/// Returns the only commit of a new repository, and the commit that a revision resolves to there,
/// if any.
///
/// # Errors
///
/// If there is no repository.
pub fn resolved(revision: &str) -> Result<(String, Option<String>), String> {
    with_workplace(|place| {
        let found = match place.content.resolve(revision) {
            Err(GitFault::RevisionNotFound(_)) => None,
            found => Some(found?.to_string()),
        };
        Ok((place.commit.to_string(), found))
    })
}

/// Parses a path to write to.
#[must_use]
pub fn new_path(path: &str) -> Option<String> {
    told(RepositoryPath::parse(path))
}

/// Parses a path that is only looked up.
#[must_use]
pub fn old_path(path: &str) -> Option<String> {
    told(RepositoryPath::parse_existing(path))
}

/// Parses the path of a folder to write to.
#[must_use]
pub fn folder_path(path: &str) -> Option<String> {
    told(RepositoryPath::parse_folder(path))
}

fn told(path: Result<RepositoryPath, GitFault>) -> Option<String> {
    path.ok().map(|path| path.as_str().to_owned())
}

/// Whether a `.gitignore` ignores a file. `None` if the path is not valid.
#[must_use]
pub fn ignored(patterns: &str, path: &str) -> Option<bool> {
    let path = RepositoryPath::parse(path).ok()?;
    Some(IgnoredFiles::parse(patterns).contain(&path))
}
