//! Commits as the API shows them: a revision's log, and the last commit that changed a path.

use std::path::Path;

use git2::{Commit, Oid, Sort};
use time::OffsetDateTime;

use super::{Entry, OpenRepository, RepositoryError};

/// A commit in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub id: Oid,
    pub title: String,
    pub message: String,
    pub author: String,
    pub date: OffsetDateTime,
}

impl OpenRepository {
    /// A single commit.
    pub(crate) fn commit_info(&self, id: Oid) -> Result<LogEntry, RepositoryError> {
        Ok(log_entry(&self.git.find_commit(id)?))
    }

    /// The history of a revision, newest first: at most `limit` commits after skipping `skip`, and
    /// the total number of commits.
    pub(crate) fn log(
        &self,
        from: Oid,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<LogEntry>, usize), RepositoryError> {
        let mut walk = self.git.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL)?;
        walk.push(from)?;
        let ids = walk.collect::<Result<Vec<_>, _>>()?;
        let total = ids.len();
        let page = ids
            .into_iter()
            .skip(skip)
            .take(limit)
            .map(|id| self.commit_info(id));
        Ok((page.collect::<Result<Vec<_>, _>>()?, total))
    }

    /// For each entry, the commit that last changed it: the first one, going back in history, whose
    /// parent has something else at that path.
    pub(crate) fn last_commits(
        &self,
        from: Oid,
        entries: &[Entry],
    ) -> Result<Vec<LogEntry>, RepositoryError> {
        let mut commit = self.git.find_commit(from)?;
        let mut found: Vec<Option<LogEntry>> = vec![None; entries.len()];
        while found.iter().any(Option::is_none) {
            let parent = commit.parent(0).ok();
            let parent_tree = parent.as_ref().map(Commit::tree).transpose()?;
            for (entry, slot) in entries.iter().zip(&mut found) {
                if slot.is_some() {
                    continue;
                }
                let before = parent_tree
                    .as_ref()
                    .and_then(|tree| tree.get_path(Path::new(&entry.path)).ok());
                if before.is_none_or(|before| before.id() != entry.oid) {
                    *slot = Some(log_entry(&commit));
                }
            }
            match parent {
                Some(parent) => commit = parent,
                None => break,
            }
        }
        let oldest = log_entry(&commit);
        Ok(found
            .into_iter()
            .map(|slot| slot.unwrap_or_else(|| oldest.clone()))
            .collect())
    }
}

fn log_entry(commit: &Commit<'_>) -> LogEntry {
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    let (title, rest) = message.split_once('\n').unwrap_or((&message, ""));
    LogEntry {
        id: commit.id(),
        title: title.to_owned(),
        message: rest.trim().to_owned(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        date: OffsetDateTime::from_unix_timestamp(commit.time().seconds())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH),
    }
}
