//! Tests who gets a lock file, and when.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::owner::Owner;
use super::*;

const BOUND: Duration = Duration::from_mins(1);

fn attempt(path: &Path) -> Attempt {
    Taker::new(path.to_owned(), BOUND).try_take().unwrap()
}

fn take(path: &Path) -> ExclusiveLock {
    match attempt(path) {
        Attempt::Taken(lock) => lock,
        Attempt::Held(owner) => unreachable!("it is held by {owner:?}"),
    }
}

fn is_held(path: &Path) -> bool {
    matches!(attempt(path), Attempt::Held(_))
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Writes the record of a process that has ended.
fn dead(path: &Path) {
    let owner = Owner {
        started: "1".to_owned(),
        ..Owner::current().unwrap()
    };
    fs::write(path, owner.to_bytes()).unwrap();
}

/// Writes the record of a process of another host, whose file was last written `age` ago.
fn foreign(path: &Path, age: Duration) {
    let owner = Owner {
        host: "elsewhere.example".to_owned(),
        ..Owner::current().unwrap()
    };
    fs::write(path, owner.to_bytes()).unwrap();
    set_age(path, age);
}

fn set_age(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn a_lock_is_held_until_it_is_dropped_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let lock = take(&path);
    assert!(lock.is_held() && is_held(&path));
    assert!(Taker::new(path.clone(), BOUND).is_held().unwrap());
    // A process of this host that runs keeps its lock, however old it is.
    set_age(&path, BOUND * 1000);
    assert!(is_held(&path));
    drop(lock);
    assert!(!Taker::new(path.clone(), BOUND).is_held().unwrap());
    drop(take(&path));
    assert_eq!(files(folder.path()), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_lock_of_a_dead_process_is_taken_over_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    dead(&path);
    assert!(!Taker::new(path.clone(), BOUND).is_held().unwrap());
    drop(take(&path));
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn the_lock_of_another_host_is_taken_over_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    foreign(&path, Duration::ZERO);
    let Attempt::Held(Some(owner)) = attempt(&path) else {
        unreachable!("its owner may run");
    };
    assert_eq!(owner.host, "elsewhere.example");
    foreign(&path, BOUND * 2);
    drop(take(&path));
    assert_eq!(files(folder.path()), 0);
    // The clock was set back since.
    foreign(&path, Duration::ZERO);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + BOUND * 1000).unwrap();
    drop(take(&path));
}

#[test]
fn a_record_that_was_not_written_in_full_counts_by_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let record = Owner::current().unwrap().to_bytes();
    let long = vec![b' '; 100_000];
    for content in ["".as_bytes(), &record[..10], b"\xff", &long] {
        fs::write(&path, content).unwrap();
        assert!(is_held(&path));
        set_age(&path, BOUND * 2);
        drop(take(&path));
        assert_eq!(files(folder.path()), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn processes_that_died_while_taking_over_block_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    dead(&path);
    // Each died with the claim of the one before, the last one before it wrote its record.
    let claim_of = |path: &Path| {
        let owner = Owner::parse(&fs::read(path).unwrap()).unwrap();
        folder.path().join(format!("lock.claim-{}", owner.id))
    };
    let first = claim_of(&path);
    dead(&first);
    let second = claim_of(&first);
    dead(&second);
    let third = claim_of(&second);
    fs::write(&third, "").unwrap();
    assert!(is_held(&path));
    set_age(&third, BOUND * 2);
    let lock = take(&path);
    assert_eq!(files(folder.path()), 1);
    drop(lock);
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn the_claim_of_a_process_that_runs_is_respected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    foreign(&path, BOUND * 2);
    let owner = Owner::parse(&fs::read(&path).unwrap()).unwrap();
    let claim = folder.path().join(format!("lock.claim-{}", owner.id));
    fs::write(&claim, Owner::current().unwrap().to_bytes()).unwrap();
    assert!(is_held(&path));
    fs::remove_file(&claim).unwrap();
    take(&path);
}

#[cfg(target_os = "linux")]
#[test]
fn of_many_that_take_over_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..50 {
        dead(&path);
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    if let Attempt::Taken(lock) = attempt(&path) {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert!(lock.is_held());
                        taken.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        // Whoever came last may have found a claim that was given up in the same moment.
        drop(take(&path));
        assert_eq!(files(folder.path()), 0);
    }
    assert!(taken.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_lock_that_was_taken_over_is_not_removed_by_its_first_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let mut lock = take(&path);
    fs::remove_file(&path).unwrap();
    let second = take(&path);
    assert!(!lock.is_held());
    lock.renew().unwrap();
    drop(lock);
    assert!(second.is_held());
}

#[test]
fn a_renewed_lock_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let mut lock = take(&path);
    set_age(&path, BOUND * 2);
    let old = path.metadata().unwrap().modified().unwrap();
    lock.renew().unwrap();
    assert!(path.metadata().unwrap().modified().unwrap() > old + BOUND);
    assert!(lock.is_held());
}

#[test]
fn what_is_not_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    fs::create_dir(&path).unwrap();
    assert!(Taker::new(path.clone(), BOUND).try_take().is_err());
    let missing = folder.path().join("missing/lock");
    assert!(Taker::new(missing, BOUND).try_take().is_err());
}

#[cfg(unix)]
#[test]
fn what_is_refused_is_told_from_what_failed() {
    use rustix::io::Errno;
    let is = |error: Errno| is_refused(&io::Error::from_raw_os_error(error.raw_os_error()));
    for error in [
        Errno::NOSYS,
        Errno::NOTSUP,
        Errno::NOLCK,
        Errno::INVAL,
        Errno::PERM,
    ] {
        assert!(is(error), "{error}");
    }
    for error in [
        Errno::IO,
        Errno::NOSPC,
        Errno::INTR,
        Errno::BADF,
        Errno::AGAIN,
    ] {
        assert!(!is(error), "{error}");
    }
}
