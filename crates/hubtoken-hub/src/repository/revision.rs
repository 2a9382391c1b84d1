//! Revisions: resolves branches, tags and hashes to commits, and creates and deletes branches and
//! tags.
//!
//! Git's own revision syntax (`main~1`, `:path`, `@{u}`) is not supported: the Hub accepts only
//! names and hashes.

use git2::{ErrorCode, ObjectType, Oid};

use super::commit::retry_while_locked;
use super::{OpenRepository, RepositoryError};

/// The branch that every repository has.
pub(crate) const DEFAULT_BRANCH: &str = "main";

/// A branch or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Short name, such as `main`.
    pub name: String,
    /// Full name, such as `refs/heads/main`.
    pub full_name: String,
    /// The commit it points to.
    pub target: Oid,
}

/// Why a branch or tag must not have this name, although git would accept it.
pub(crate) fn invalid_name_reason(name: &str) -> Option<&'static str> {
    if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        // A revision of that form always refers to a commit.
        Some("it would look like the hash of a commit")
    } else if name.starts_with('-') {
        Some("it would look like a git option")
    } else {
        None
    }
}

impl OpenRepository {
    /// The commit that a revision refers to.
    pub(crate) fn resolve(&self, revision: &str) -> Result<Oid, RepositoryError> {
        let unknown =
            || RepositoryError::RevisionNotFound(revision.escape_debug().take(200).collect());
        let named = if revision == "HEAD" {
            self.target("refs/heads/main")?
        } else if revision.starts_with("refs/") {
            self.target(revision)?
        } else {
            match self.target(&format!("refs/heads/{revision}"))? {
                Some(commit) => Some(commit),
                None => self.target(&format!("refs/tags/{revision}"))?,
            }
        };
        if let Some(commit) = named {
            return Ok(commit);
        }
        let is_hash = (7..=40).contains(&revision.len())
            && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            return Err(unknown());
        }
        let found = self.git.find_commit_by_prefix(revision);
        found.map(|commit| commit.id()).map_err(|_| unknown())
    }

    fn target(&self, full_name: &str) -> Result<Option<Oid>, RepositoryError> {
        if !git2::Reference::is_valid_name(full_name) {
            return Ok(None);
        }
        match self.git.find_reference(full_name) {
            Ok(reference) => Ok(reference
                .peel(ObjectType::Commit)
                .ok()
                .map(|object| object.id())),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The full name of an existing branch, given as `main` or `refs/heads/main`.
    pub(super) fn branch(&self, revision: &str) -> Result<(String, Oid), RepositoryError> {
        let full_name = if revision.starts_with("refs/heads/") {
            revision.to_owned()
        } else {
            format!("refs/heads/{revision}")
        };
        match self.target(&full_name)? {
            Some(commit) => Ok((full_name, commit)),
            None => Err(RepositoryError::RevisionNotFound(
                revision.escape_debug().take(200).collect(),
            )),
        }
    }

    /// All branches (`refs/heads/`) or all tags (`refs/tags/`).
    pub(crate) fn references(&self, prefix: &str) -> Result<Vec<Reference>, RepositoryError> {
        let mut all = Vec::new();
        for reference in self.git.references_glob(&format!("{prefix}*"))? {
            let reference = reference?;
            let (Ok(full_name), Ok(commit)) =
                (reference.name(), reference.peel(ObjectType::Commit))
            else {
                continue;
            };
            let name = full_name
                .strip_prefix(prefix)
                .unwrap_or(full_name)
                .to_owned();
            all.push(Reference {
                name,
                full_name: full_name.to_owned(),
                target: commit.id(),
            });
        }
        all.sort_by(|left, right| left.full_name.cmp(&right.full_name));
        Ok(all)
    }

    /// Creates a branch or a tag at a revision.
    pub(crate) fn create_reference(
        &self,
        prefix: &str,
        name: &str,
        revision: &str,
    ) -> Result<(), RepositoryError> {
        let full_name = format!("{prefix}{name}");
        let reason = if git2::Reference::is_valid_name(&full_name) {
            invalid_name_reason(name)
        } else {
            Some("git does not allow it")
        };
        if let Some(reason) = reason {
            let name: String = name.escape_debug().take(200).collect();
            return Err(RepositoryError::Rejected(format!(
                "Invalid reference name `{name}`: {reason}"
            )));
        }
        let commit = self.resolve(revision)?;
        let created = retry_while_locked(|| {
            self.git
                .reference(&full_name, commit, false, "created")
                .map(drop)
        });
        match created {
            Ok(()) => Ok(()),
            Err(error) if error.code() == ErrorCode::Exists => {
                Err(RepositoryError::ReferenceExists(full_name))
            }
            // `a` and `a/b` cannot both be references: one is a file, and the other needs a folder
            // in its place.
            Err(error) if error.class() == git2::ErrorClass::Reference => {
                Err(RepositoryError::Rejected(format!(
                    "Reference `{full_name}` conflicts with another one"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a branch or a tag, but not the default branch.
    pub(crate) fn delete_reference(&self, prefix: &str, name: &str) -> Result<(), RepositoryError> {
        if prefix == "refs/heads/" && name == DEFAULT_BRANCH {
            return Err(RepositoryError::Rejected(format!(
                "Cannot delete {prefix}{name}: it is the default branch"
            )));
        }
        let full_name = format!("{prefix}{name}");
        if self.target(&full_name)?.is_none() {
            return Err(RepositoryError::RevisionNotFound(
                name.escape_debug().take(200).collect(),
            ));
        }
        Ok(retry_while_locked(|| {
            self.git.find_reference(&full_name)?.delete()
        })?)
    }
}
