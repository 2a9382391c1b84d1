//! Collects large files that no commit refers to, if they came by Xet.

use std::collections::HashSet;
use std::time::SystemTime;

use git2::ObjectType;

use super::lfs::{ObjectId, POINTER_LENGTHS, Pointer};
use super::{OpenRepository, RepositoryError};

impl OpenRepository {
    /// Removes what nothing has referred to for a month; returns how many files were removed.
    pub(crate) fn collect_garbage(&self, now: SystemTime) -> Result<usize, RepositoryError> {
        let xet = self.objects.xet();
        if xet.is_empty() {
            return Ok(0);
        }
        Ok(xet.collect(&self.pointers()?, now)?)
    }

    /// The files of all pointers in git, also of those that no branch contains any more.
    fn pointers(&self) -> Result<HashSet<ObjectId>, RepositoryError> {
        let odb = self.git.odb()?;
        let mut found = HashSet::new();
        let mut failure = None;
        odb.foreach(|oid| {
            let read = || {
                let (size, kind) = odb.read_header(*oid)?;
                if kind == ObjectType::Blob && POINTER_LENGTHS.contains(&(size as u64)) {
                    return Ok(Pointer::parse(odb.read(*oid)?.data()));
                }
                Ok(None)
            };
            match read() {
                Ok(pointer) => found.extend(pointer.map(|pointer| pointer.oid)),
                Err(error) => failure = Some(error),
            }
            failure.is_none()
        })
        .or_else(|error| failure.is_some().then_some(()).ok_or(error))?;
        match failure {
            None => Ok(found),
            Some(error) => Err(RepositoryError::Git(error)),
        }
    }
}
