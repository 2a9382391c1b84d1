//! The claim of who asks: a lock of the operating system on a file of its own.
//!
//! A process that dies gives the lock back, whether it wants to or not. What the lock cannot tell
//! is whether its holder still runs, so the file holds a [`Mark`] that is written anew while the
//! request is under way. The holder removes the file when it is done, so that a server that meets
//! a million tokens leaves no million files; whoever had it open meanwhile sees that the path no
//! longer leads to it, and opens it again. Who takes a claim over removes the file without having
//! its lock, and does so under a lock of the folder: of many who see at once that a claim shows
//! nothing, the slowest would otherwise remove the claim that the fastest has made since.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::identity::shared::{Claim, Lease, Mark};

/// The length of a mark in its file: two numbers in hexadecimal, a space and a line break.
const LENGTH: usize = 34;
/// How often a file that was removed while it was opened is opened again at once.
const TRIES: usize = 3;

/// A claim that is held.
struct FileLease {
    file: File,
    path: PathBuf,
    mark: Mark,
}

impl Lease for FileLease {
    fn claim(&self) -> u64 {
        self.mark.claim
    }

    fn renew(&mut self) {
        self.mark.beats += 1;
        // Who cannot write looks dead, and is taken for it: others then ask for themselves.
        let _ = write(&mut self.file, self.mark);
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        // While it is held; and not what somebody has put there who took over.
        if at(&self.path).claim == self.mark.claim {
            let _ = fs::remove_file(&self.path);
        }
        // Said aloud: a forked child has the file open as well, and would keep the lock.
        let _ = self.file.unlock();
    }
}

/// Tries to hold the claim in a file.
///
/// # Errors
///
/// Those of the operating system: there are no claims here.
pub(super) fn try_claim(path: &Path) -> io::Result<Claim> {
    for _ in 0..TRIES {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) if !leads_to(path, &file) => {}
            Ok(()) => {
                let mark = Mark {
                    claim: getrandom::u64().map_err(io::Error::other)?,
                    beats: 0,
                };
                if let Err(error) = write(&mut file, mark) {
                    // A disk that is full takes no answer either.
                    let _ = fs::remove_file(path);
                    return Err(error);
                }
                return Ok(Claim::Held(Box::new(FileLease {
                    file,
                    path: path.to_owned(),
                    mark,
                })));
            }
            Err(TryLockError::WouldBlock) => return Ok(Claim::Busy(read(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(Claim::Busy(Mark::default()))
}

/// Ends the claim in a file, if it still shows this mark.
pub(super) fn take_over(path: &Path, mark: Mark) {
    // Where a folder cannot be locked, one more request is what that may cost.
    let folder = path.parent().and_then(|folder| File::open(folder).ok());
    if let Some(folder) = &folder
        && matches!(folder.try_lock(), Err(TryLockError::WouldBlock))
    {
        // Somebody else does it right now; who asked looks again.
        return;
    }
    if at(path) == mark {
        let _ = fs::remove_file(path);
    }
    if let Some(folder) = folder {
        // Said aloud, as below.
        let _ = folder.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    // What a link points to is nobody's claim, and not to be written to.
    if path
        .symlink_metadata()
        .is_ok_and(|metadata| !metadata.is_file())
    {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether a path leads to an open file, and not to another one, or to none.
#[cfg(unix)]
fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    let (Ok(there), Ok(here)) = (path.metadata(), file.metadata()) else {
        return false;
    };
    identity(&there) == identity(&here)
}

/// Elsewhere a file cannot be told from another, and one more request is what that may cost.
#[cfg(not(unix))]
fn leads_to(path: &Path, _file: &File) -> bool {
    path.exists()
}

fn write(file: &mut File, mark: Mark) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{:016x} {:016x}\n", mark.claim, mark.beats).as_bytes())
}

fn at(path: &Path) -> Mark {
    File::open(path).map_or_else(|_| Mark::default(), |mut file| read(&mut file))
}

/// The mark in a file; a file that holds none is one that shows nothing.
fn read(file: &mut File) -> Mark {
    let mut bytes = [0; LENGTH];
    let text = file
        .read_exact(&mut bytes)
        .ok()
        .and_then(|()| str::from_utf8(&bytes).ok());
    text.and_then(parse).unwrap_or_default()
}

fn parse(text: &str) -> Option<Mark> {
    let (claim, beats) = text.trim_end().split_once(' ')?;
    Some(Mark {
        claim: u64::from_str_radix(claim, 16).ok()?,
        beats: u64::from_str_radix(beats, 16).ok()?,
    })
}
