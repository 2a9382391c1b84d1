//! A lock that needs nothing of the file system but that it creates a file exclusively.
//!
//! The file's existence is the lock, and it holds a record of its owner. Nobody releases the lock
//! of a process that dies, so others take it over: at once if the owner was a process of this host
//! that has ended, and otherwise, if that cannot be determined, once the file has reached a certain
//! age. A process of this host that runs keeps its lock.
//!
//! Ages are measured by the file system's own clock, which is that of the server for a network file
//! system, so it does not matter whether the clocks of two hosts agree.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::claim::{Claim, Seen, create};
use super::owner::{Liveness, Owner};

/// The result of an attempt to take the lock.
pub enum Attempt {
    /// This process has the lock.
    Taken(ExclusiveLock),
    /// Another process has it, or is about to take it; its owner if that is known.
    Held(Option<Owner>),
}

/// Takes the lock of one file.
pub struct Taker {
    path: PathBuf,
    bound: Duration,
    clock: Option<FileSystemClock>,
}

/// The time of a file system, as it was at some moment of this process.
#[derive(Clone, Copy)]
struct FileSystemClock {
    time: SystemTime,
    at: Instant,
}

impl Taker {
    /// For a lock at a path, which is taken over once it is older than `bound`, unless its owner is
    /// known to run.
    #[must_use]
    pub fn new(path: PathBuf, bound: Duration) -> Self {
        Self {
            path,
            bound,
            clock: None,
        }
    }

    /// Tries to take the lock. Does not wait.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn try_take(&mut self) -> io::Result<Attempt> {
        if let Some(lock) = self.create()? {
            return Ok(Attempt::Taken(lock));
        }
        let Some(seen) = Seen::read(&self.path)? else {
            return Ok(Attempt::Held(None));
        };
        if self.is_stale(&seen)?
            && self.remove(&seen)?
            && let Some(lock) = self.create()?
        {
            return Ok(Attempt::Taken(lock));
        }
        Ok(Attempt::Held(seen.owner))
    }

    /// Whether the lock is held, without taking it.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn is_held(&mut self) -> io::Result<bool> {
        match Seen::read(&self.path)? {
            Some(seen) => self.is_stale(&seen).map(|stale| !stale),
            None => Ok(false),
        }
    }

    fn create(&self) -> io::Result<Option<ExclusiveLock>> {
        let owner = Owner::current()?;
        let Some(file) = create(&self.path, &owner)? else {
            return Ok(None);
        };
        let lock = ExclusiveLock {
            file,
            path: self.path.clone(),
            owner,
            bound: self.bound,
        };
        if lock.is_held() {
            return Ok(Some(lock));
        }
        // It took so long to write the record that another process has taken over.
        Ok(None)
    }

    fn is_stale(&mut self, seen: &Seen) -> io::Result<bool> {
        match seen.owner.as_ref().map(Owner::liveness) {
            Some(Liveness::Ended) => Ok(true),
            Some(Liveness::Running) => Ok(false),
            Some(Liveness::Unknown) | None => Ok(self.age(seen.modified)? > self.bound),
        }
    }

    /// The age of a file. A time in the future means that the clock was set back, and counts like
    /// one in the past.
    fn age(&mut self, modified: SystemTime) -> io::Result<Duration> {
        let clock = match self.clock {
            Some(clock) => clock,
            None => *self.clock.insert(FileSystemClock::read(&self.path)?),
        };
        let now = clock.time + clock.at.elapsed();
        Ok(now
            .duration_since(modified)
            .unwrap_or_else(|error| error.duration()))
    }

    /// Removes a stale lock; `false` if another process does.
    fn remove(&mut self, seen: &Seen) -> io::Result<bool> {
        let path = self.path.clone();
        let Some(_claim) = Claim::take(&path, seen, |claim| self.is_stale(claim))? else {
            return Ok(false);
        };
        if !seen.is_at(&path)? {
            return Ok(false);
        }
        fs::remove_file(&path)?;
        Ok(true)
    }
}

impl FileSystemClock {
    /// Reads the time of a file's file system from a new file beside it.
    fn read(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".hubtoken-time-")
            .tempfile_in(folder)?;
        Ok(Self {
            time: file.as_file().metadata()?.modified()?,
            at: Instant::now(),
        })
    }
}

/// A lock that is held. Released on drop, by the process that took it.
#[derive(Debug)]
pub struct ExclusiveLock {
    file: File,
    path: PathBuf,
    owner: Owner,
    bound: Duration,
}

impl ExclusiveLock {
    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was not taken over by another process.
    #[must_use]
    pub fn is_held(&self) -> bool {
        Seen::read(&self.path)
            .ok()
            .flatten()
            .and_then(|seen| seen.owner)
            .is_some_and(|owner| owner == self.owner)
    }

    /// Makes the lock young again.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn renew(&mut self) -> io::Result<()> {
        // The file that was created, even if its path leads to another one by now.
        self.file.rewind()?;
        self.file.write_all(&self.owner.to_bytes())
    }

    fn release(&self) -> io::Result<()> {
        let Some(seen) = Seen::read(&self.path)? else {
            return Ok(());
        };
        if seen.owner.as_ref() != Some(&self.owner) {
            return Ok(());
        }
        let mut taker = Taker::new(self.path.clone(), self.bound);
        // Without a claim, such as on a full disk, it must be removed all the same: others would wait
        // for it as long as this process runs.
        let claim = Claim::take(&self.path, &seen, |claim| taker.is_stale(claim));
        let another_takes_over = matches!(claim, Ok(None));
        if another_takes_over || !seen.is_at(&self.path)? {
            return Ok(());
        }
        fs::remove_file(&self.path)
    }
}

impl Drop for ExclusiveLock {
    fn drop(&mut self) {
        // A forked child has a copy of its parent's lock.
        if self.owner.pid == std::process::id() {
            // What cannot be removed is taken over when this process ends.
            let _ = self.release();
        }
    }
}
