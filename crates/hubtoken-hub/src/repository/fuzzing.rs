//! Fuzzing entry points for paths, revisions and `.gitignore`, and a repository for the targets
//! that need one; see `hub/fuzzing.rs`.

use std::cell::RefCell;

use git2::Oid;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::lfs::Objects;
use super::{Author, Gitignore, OpenRepository, RepositoryError, RepositoryPath, Store};
use crate::registry::{Repository, RepositoryType};

/// How often a repository is reused before it is replaced: everything written to it stays there and
/// takes up disk space.
const USES: u32 = 10_000;

/// The revisions that resolve to the only commit of a new repository.
pub const COMMITTED: [&str; 3] = ["HEAD", "main", "refs/heads/main"];

struct Fixture {
    repo: OpenRepository,
    commit: Oid,
    uses: u32,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Result<Self, RepositoryError> {
        let author = Author {
            name: "alice".to_owned(),
            email: "a@b".to_owned(),
            when: OffsetDateTime::UNIX_EPOCH,
        };
        let folder = TempDir::new()?;
        let objects = Objects::new(folder.path());
        let store = Store::new(folder.path().join("repositories"), objects);
        store.create(RepositoryType::Model, "d1", &author)?;
        let repo = store.open(&Repository::example("d1"))?;
        Ok(Self {
            commit: repo.resolve("HEAD")?,
            repo,
            uses: 0,
            _folder: folder,
        })
    }
}

fn with_fixture<T>(work: impl FnOnce(&Fixture) -> Result<T, RepositoryError>) -> Result<T, String> {
    thread_local! {
        // Thread-local, so that it is removed when the process exits.
        static FIXTURE: RefCell<Option<Fixture>> = const { RefCell::new(None) };
    }
    FIXTURE.with_borrow_mut(|fixture| {
        let text = |error: RepositoryError| error.to_string();
        if fixture.as_ref().is_none_or(|fixture| fixture.uses == USES) {
            *fixture = Some(Fixture::new().map_err(text)?);
        }
        let fixture = fixture
            .as_mut()
            .ok_or_else(|| text(RepositoryError::ContentMissing))?;
        fixture.uses += 1;
        work(fixture).map_err(text)
    })
}

/// Runs a function on a temporary repository.
pub(crate) fn with_repo<T>(
    work: impl FnOnce(&OpenRepository) -> Result<T, RepositoryError>,
) -> Result<T, String> {
    with_fixture(|fixture| work(&fixture.repo))
}

/// Returns the only commit of a new repository, and the commit that a revision resolves to there,
/// if any.
///
/// # Errors
///
/// If there is no repository.
pub fn resolved(revision: &str) -> Result<(String, Option<String>), String> {
    with_fixture(|fixture| {
        let found = match fixture.repo.resolve(revision) {
            Err(RepositoryError::RevisionNotFound(_)) => None,
            found => Some(found?.to_string()),
        };
        Ok((fixture.commit.to_string(), found))
    })
}

/// Parses a path to write to.
#[must_use]
pub fn new_path(path: &str) -> Option<String> {
    path_text(RepositoryPath::parse(path))
}

/// Parses a path that is only looked up.
#[must_use]
pub fn old_path(path: &str) -> Option<String> {
    path_text(RepositoryPath::parse_existing(path))
}

/// Parses the path of a folder to write to.
#[must_use]
pub fn folder_path(path: &str) -> Option<String> {
    path_text(RepositoryPath::parse_folder(path))
}

fn path_text(path: Result<RepositoryPath, RepositoryError>) -> Option<String> {
    path.ok().map(|path| path.as_str().to_owned())
}

/// Whether a `.gitignore` ignores a file. `None` if the path is not valid.
#[must_use]
pub fn ignored(patterns: &str, path: &str) -> Option<bool> {
    let path = RepositoryPath::parse(path).ok()?;
    Some(Gitignore::parse(patterns).matches(&path))
}
