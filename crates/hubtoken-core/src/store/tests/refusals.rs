//! Tests a file system that refuses locks, syncs and modes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::file_lock::{OperatingSystem, Owner, SystemCalls};
use crate::folder::HomeUser;
use crate::store::lock::Lock;

fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// Every lock and sync fails with one error.
struct Refusing(rustix::io::Errno);

impl SystemCalls for Refusing {
    fn try_lock(&self, _file: &File) -> Result<(), TryLockError> {
        Err(TryLockError::Error(error(self.0.raw_os_error())))
    }

    fn sync(&self, _file: &File) -> io::Result<()> {
        Err(error(self.0.raw_os_error()))
    }
}

static UNSUPPORTED: [Refusing; 5] = [
    Refusing(rustix::io::Errno::NOSYS),
    Refusing(rustix::io::Errno::NOTSUP),
    Refusing(rustix::io::Errno::NOLCK),
    Refusing(rustix::io::Errno::INVAL),
    Refusing(rustix::io::Errno::PERM),
];
static BROKEN: [Refusing; 2] = [
    Refusing(rustix::io::Errno::IO),
    Refusing(rustix::io::Errno::NOSPC),
];

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn store_with(home: &Path, calls: &'static dyn SystemCalls) -> TokenStore<'static> {
    let mut token_store = token_store(home);
    token_store.lock_timeout = Duration::ZERO;
    token_store.calls = calls;
    token_store
}

#[test]
fn every_verb_works_without_locks_and_syncs() {
    for calls in &UNSUPPORTED {
        let folder = tempfile::tempdir().unwrap();
        let token_store = store_with(folder.path(), calls);
        let saved = token_store
            .save("ci", &token("A"), &record(HUB, "alice"), false)
            .unwrap();
        let all = [
            saved.warnings,
            token_store.switch("ci").unwrap().warnings,
            token_store.rename("ci", "new").unwrap().warnings,
            token_store.remove("new").unwrap().warnings,
            token_store.remove_active().unwrap().warnings,
            token_store.remove_all().unwrap().warnings,
        ];
        for warnings in all {
            let [warning] = warnings.as_slice() else {
                unreachable!("{} warnings", warnings.len());
            };
            assert!(warning.contains("does not support locks"), "{warning}");
            assert!(warning.contains("stored_tokens.lock.owner"), "{warning}");
            assert!(!warning.contains("owner, its mode"), "{warning}");
        }
        // Nothing is left behind.
        assert_eq!(files(folder.path()), ["stored_tokens.lock"]);
    }
}

#[test]
fn a_lock_or_a_sync_that_fails_is_an_error() {
    for calls in &BROKEN {
        let folder = tempfile::tempdir().unwrap();
        let token_store = store_with(folder.path(), calls);
        let saved = token_store.save("ci", &token("A"), &record(HUB, "alice"), false);
        assert!(matches!(saved, Err(Error::Store(_))));
        assert!(!folder.path().join("token").exists());
    }
}

fn take(path: &Path) -> Result<Lock, Error> {
    Lock::take(
        path,
        None,
        Duration::ZERO,
        &HomeUser::default(),
        &NeverInterrupted,
        &UNSUPPORTED[0],
    )
}

#[test]
fn the_lock_file_keeps_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = store_with(folder.path(), &UNSUPPORTED[0]);
    save(&token_store, "ci", "A", HUB);
    let held = take(token_store.path().unwrap()).unwrap();
    let Err(Error::Store(problem)) = token_store.switch("ci") else {
        unreachable!("the lock was taken twice");
    };
    assert!(problem.contains("another process"), "{problem}");
    // Reading needs no lock.
    assert_eq!(names(&token_store), [("ci".to_owned(), true)]);
    drop(held);
    token_store.switch("ci").unwrap();
}

#[test]
fn a_process_whose_lock_was_taken_over_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = store_with(folder.path(), &UNSUPPORTED[0]);
    save(&token_store, "ci", "A", HUB);
    let before = fs::read(folder.path().join("stored_tokens")).unwrap();
    let held = take(token_store.path().unwrap()).unwrap();
    held.check().unwrap();
    let lock_file = folder.path().join("stored_tokens.lock.owner");
    fs::write(&lock_file, Owner::current().unwrap().to_bytes()).unwrap();
    let Err(Error::Store(problem)) = held.check() else {
        unreachable!("it is another's lock");
    };
    assert!(problem.contains("took over"), "{problem}");
    drop(held);
    assert!(lock_file.exists(), "it is not removed with the old lock");
    assert_eq!(
        fs::read(folder.path().join("stored_tokens")).unwrap(),
        before
    );
}

/// A file system whose files have a fixed mode: `chmod` fails, or has no effect.
struct WideOpen {
    refusal: Option<i32>,
    asked: AtomicU32,
}

impl SystemCalls for WideOpen {
    fn is_exposed(&self, _file: &File) -> io::Result<bool> {
        Ok(true)
    }

    fn make_private(&self, _file: &File) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.refusal.map_or(Ok(()), |number| Err(error(number)))
    }
}

#[test]
fn a_refused_mode_is_told_once() {
    static REFUSED: WideOpen = WideOpen {
        refusal: Some(rustix::io::Errno::PERM.raw_os_error()),
        asked: AtomicU32::new(0),
    };
    static IGNORED: WideOpen = WideOpen {
        refusal: None,
        asked: AtomicU32::new(0),
    };
    for calls in [&REFUSED, &IGNORED] {
        let folder = tempfile::tempdir().unwrap();
        let token_store = store_with(folder.path(), calls);
        let saved = token_store
            .save("ci", &token("A"), &record(HUB, "alice"), false)
            .unwrap();
        let [warning] = saved.warnings.as_slice() else {
            unreachable!("{} warnings", saved.warnings.len());
        };
        assert!(warning.contains("can read"), "{warning}");
        for name in ["token", "stored_tokens"] {
            let path = folder.path().join(name);
            assert!(warning.contains(path.to_str().unwrap()), "{warning}");
        }
        assert!(calls.asked.load(Ordering::Relaxed) > 0);
        assert_eq!(names(&token_store), [("ci".to_owned(), true)]);
        // Removing writes no token.
        assert!(token_store.remove_all().unwrap().warnings.is_empty());
    }
}

#[test]
fn a_mode_that_the_file_system_ignored_at_first_is_set_afterwards() {
    /// The first look finds the mode that the file system gave.
    struct Late;
    impl SystemCalls for Late {
        fn is_exposed(&self, file: &File) -> io::Result<bool> {
            if file.metadata()?.len() == 0 && file.metadata()?.permissions().mode() & 0o777 == 0o600
            {
                file.set_permissions(fs::Permissions::from_mode(0o644))?;
                return Ok(true);
            }
            OperatingSystem.is_exposed(file)
        }

        fn make_private(&self, file: &File) -> io::Result<()> {
            file.set_permissions(fs::Permissions::from_mode(0o400))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let token_store = store_with(folder.path(), &Late);
    let saved = token_store.save("ci", &token("A"), &record(HUB, "alice"), false);
    assert_eq!(saved.unwrap().warnings, [""; 0]);
    let metadata = folder.path().join("token").metadata().unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o400);
}
