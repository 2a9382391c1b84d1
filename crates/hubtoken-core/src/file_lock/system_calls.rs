//! The system calls that some file systems refuse.

use std::fs::{File, TryLockError};
use std::io;

/// The system calls that some file systems refuse. A test refuses them where the disk does not.
pub trait SystemCalls: Send + Sync {
    /// Locks a file for this process alone. Does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError`].
    fn try_lock(&self, file: &File) -> Result<(), TryLockError> {
        file.try_lock()
    }

    /// Locks a file together with others that do the same. Does not wait.
    ///
    /// # Errors
    ///
    /// [`TryLockError`].
    fn try_lock_shared(&self, file: &File) -> Result<(), TryLockError> {
        file.try_lock_shared()
    }

    /// Syncs a file or a folder to disk.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Whether users other than the owner have access to a file. Always `false` where files have no
    /// mode.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn is_exposed(&self, file: &File) -> io::Result<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            Ok(false)
        }
    }

    /// Gives a file mode 0600.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn make_private(&self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            Ok(())
        }
    }
}

/// The system calls themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperatingSystem;

impl SystemCalls for OperatingSystem {}
