#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;

fn key(number: usize) -> CacheKey {
    CacheKey {
        token: format!("{number:032x}"),
        hub: "00".to_owned(),
    }
}

#[test]
fn the_folder_is_bounded_and_rejections_evict_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("a/b"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    for number in 0..200 {
        disk.put(&key(number), RecordKind::Rejection, b"{}");
    }
    let rejections = disk.folder.entries().count() - 1;
    assert!(rejections <= 64 + 16 && rejections > 32, "{rejections}");
    assert!(disk.get(&key(0), RecordKind::Identity).is_some());
    assert!(disk.get(&key(199), RecordKind::Rejection).is_some());
}

#[test]
fn only_one_holds_the_lock_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().to_owned());
    let held = disk.try_lease(&key(0));
    assert!(matches!(held, TryLease::Acquired(_)));
    assert!(matches!(disk.try_lease(&key(0)), TryLease::HeldBy(_)));
    assert!(matches!(disk.try_lease(&key(1)), TryLease::Acquired(_)));
    assert!(disk.is_leased(&key(0)) && !disk.is_leased(&key(1)));
    drop(held);
    assert!(!disk.is_leased(&key(0)));
    assert_eq!(disk.folder.entries().count(), 0);
    assert!(matches!(disk.try_lease(&key(0)), TryLease::Acquired(_)));
}

#[test]
fn a_disk_that_does_not_work_is_an_empty_cache() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Not even root can create a folder inside a file or in `/proc`. A full disk fails in the same
    // way.
    for broken in [file.join("below"), "/proc/hubtoken/identities".into()] {
        let disk = DiskCache::new(broken);
        disk.put(&key(0), RecordKind::Identity, b"{}");
        assert!(disk.get(&key(0), RecordKind::Identity).is_none());
        assert!(matches!(disk.try_lease(&key(0)), TryLease::Unsupported));
        disk.invalidate(None, None);
    }
}

#[test]
fn a_lease_shows_that_its_holder_lives() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().to_owned());
    let TryLease::Acquired(mut lease) = disk.try_lease(&key(0)) else {
        unreachable!("the lease is free");
    };
    let heartbeat = || match disk.try_lease(&key(0)) {
        TryLease::HeldBy(heartbeat) => heartbeat,
        _ => unreachable!("it is held"),
    };
    let first = heartbeat();
    assert_eq!(first.lease_id, lease.id());
    assert_eq!(heartbeat(), first);
    lease.renew();
    let second = heartbeat();
    assert_eq!((second.lease_id, second.count), (first.lease_id, 1));
    // A lease that was renewed since is left alone.
    disk.break_stale(&key(0), first);
    assert_eq!(heartbeat(), second);
    disk.break_stale(&key(0), second);
    let TryLease::Acquired(other) = disk.try_lease(&key(0)) else {
        unreachable!("it was taken over");
    };
    assert_ne!(other.id(), first.lease_id);
    // The first holder resumes, and removes nothing when it finishes.
    lease.renew();
    drop(lease);
    assert_eq!(heartbeat().lease_id, other.id());
    drop(other);
    assert_eq!(disk.folder.entries().count(), 0);
}

#[cfg(unix)]
#[test]
fn stale_leases_are_broken_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().to_owned());
    let TryLease::Acquired(_lease) = disk.try_lease(&key(0)) else {
        unreachable!("the lease is free");
    };
    let TryLease::HeldBy(heartbeat) = disk.try_lease(&key(0)) else {
        unreachable!("it is held");
    };
    // Another process is about to break the lease, and has not yet compared the mark.
    let other = std::fs::File::open(folder.path()).unwrap();
    other.lock().unwrap();
    disk.break_stale(&key(0), heartbeat);
    assert!(matches!(disk.try_lease(&key(0)), TryLease::HeldBy(_)));
    other.unlock().unwrap();
    disk.break_stale(&key(0), heartbeat);
    assert!(matches!(disk.try_lease(&key(0)), TryLease::Acquired(_)));
}

#[test]
fn a_lease_that_shows_nothing_at_all_can_be_broken() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().to_owned());
    for content in ["", "zz", &"z".repeat(34), &"0".repeat(10_000)] {
        let path = disk.path(&key(0), LOCK);
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        file.lock().unwrap();
        let TryLease::HeldBy(heartbeat) = disk.try_lease(&key(0)) else {
            unreachable!("it is locked");
        };
        assert_eq!(heartbeat, Heartbeat::default());
        disk.break_stale(&key(0), heartbeat);
        assert!(matches!(disk.try_lease(&key(0)), TryLease::Acquired(_)));
    }
    assert_eq!(disk.folder.entries().count(), 0);
}

#[test]
fn what_stands_where_a_file_should_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("identities"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    for suffix in [".json", LOCK] {
        let path = disk.path(&key(1), suffix);
        std::fs::create_dir(&path).unwrap();
        disk.put(&key(1), RecordKind::Identity, b"{}");
        assert!(disk.get(&key(1), RecordKind::Identity).is_none());
        disk.remove(&key(1), RecordKind::Identity);
        assert!(path.is_dir());
    }
    assert!(matches!(disk.try_lease(&key(1)), TryLease::Unsupported));
    // Too large, or not text.
    for content in [vec![b' '; 300_000], vec![0xff]] {
        std::fs::write(disk.path(&key(2), ".json"), content).unwrap();
        assert!(disk.get(&key(2), RecordKind::Identity).is_none());
    }
}

#[cfg(unix)]
#[test]
fn no_link_is_written_through_and_no_pipe_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("identities"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    let precious = folder.path().join("precious");
    std::fs::write(&precious, "mine").unwrap();
    for suffix in [".json", LOCK] {
        std::os::unix::fs::symlink(&precious, disk.path(&key(1), suffix)).unwrap();
    }
    assert!(matches!(disk.try_lease(&key(1)), TryLease::Unsupported));
    disk.put(&key(1), RecordKind::Identity, b"{}");
    assert_eq!(disk.get(&key(1), RecordKind::Identity).unwrap(), b"{}");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
    // A dangling link: nothing is created at its target.
    let nowhere = folder.path().join("nowhere");
    std::os::unix::fs::symlink(&nowhere, disk.path(&key(2), LOCK)).unwrap();
    assert!(matches!(disk.try_lease(&key(2)), TryLease::Unsupported));
    assert!(!nowhere.exists());
    let path = disk.path(&key(3), ".json");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert!(disk.get(&key(3), RecordKind::Identity).is_none());
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_in_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("identities"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    let set_mode = |mode| {
        std::fs::set_permissions(disk.folder.path(), PermissionsExt::from_mode(mode)).unwrap();
    };
    for mode in [0o720, 0o702, 0o777, 0o1777] {
        set_mode(mode);
        assert!(
            disk.get(&key(0), RecordKind::Identity).is_none(),
            "{mode:o}"
        );
        assert!(matches!(disk.try_lease(&key(0)), TryLease::Unsupported));
        disk.put(&key(1), RecordKind::Identity, b"{}");
        disk.remove(&key(0), RecordKind::Identity);
        disk.invalidate(None, None);
    }
    for mode in [0o700, 0o755] {
        set_mode(mode);
        assert!(
            disk.get(&key(0), RecordKind::Identity).is_some(),
            "{mode:o}"
        );
        assert!(disk.get(&key(1), RecordKind::Identity).is_none());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_of_somebody_else_is_not_believed() {
    use std::os::unix::fs::MetadataExt as _;
    // For an ordinary user, the root folder belongs to someone else. Root creates a folder and
    // gives it away.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identities");
    DiskCache::new(path.clone()).put(&key(0), RecordKind::Identity, b"{}");
    let foreign = if path.metadata().unwrap().uid() == 0 {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        path
    } else {
        "/".into()
    };
    let disk = DiskCache::new(foreign);
    assert!(disk.get(&key(0), RecordKind::Identity).is_none());
    assert!(matches!(disk.try_lease(&key(0)), TryLease::Unsupported));
    assert_eq!(disk.folder.entries().count(), 0);
}

#[test]
fn a_folder_that_vanishes_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("home/hubtoken/identities"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    let held = disk.try_lease(&key(0));
    std::fs::remove_dir_all(folder.path().join("home")).unwrap();
    assert!(disk.get(&key(0), RecordKind::Identity).is_none());
    drop(held);
    assert!(matches!(disk.try_lease(&key(0)), TryLease::Acquired(_)));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    assert!(disk.get(&key(0), RecordKind::Identity).is_some());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache::new(folder.path().join("home/hubtoken/identities"));
    disk.put(&key(0), RecordKind::Identity, b"{}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(disk.folder.path()), 0o700);
    assert_eq!(mode(&disk.path(&key(0), ".json")), 0o600);
}

/// Every lock fails.
#[cfg(unix)]
struct NoLocks;

#[cfg(unix)]
impl SystemCalls for NoLocks {
    fn try_lock(&self, _file: &fs::File) -> Result<(), fs::TryLockError> {
        let error = rustix::io::Errno::NOLCK.raw_os_error();
        Err(fs::TryLockError::Error(std::io::Error::from_raw_os_error(
            error,
        )))
    }
}

#[cfg(unix)]
#[test]
fn without_locks_one_holds_the_lease_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskCache {
        calls: &NoLocks,
        ..DiskCache::new(folder.path().to_owned())
    };
    let TryLease::Acquired(mut lease) = disk.try_lease(&key(0)) else {
        unreachable!("the lease is free");
    };
    assert!(disk.is_leased(&key(0)) && !disk.is_leased(&key(1)));
    lease.renew();
    let TryLease::HeldBy(heartbeat) = disk.try_lease(&key(0)) else {
        unreachable!("it is held");
    };
    assert_eq!((heartbeat.lease_id, heartbeat.count), (lease.id(), 1));
    disk.invalidate(None, None);
    assert!(disk.is_leased(&key(0)));
    // The holder seems to be dead.
    disk.break_stale(&key(0), heartbeat);
    let TryLease::Acquired(other) = disk.try_lease(&key(0)) else {
        unreachable!("it was broken");
    };
    drop(lease);
    assert!(disk.is_leased(&key(0)));
    drop(other);
    assert_eq!(disk.folder.entries().count(), 0);
}

#[cfg(unix)]
#[test]
fn what_root_keeps_in_a_users_home_is_that_users() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    const USER: u32 = 12_345;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(USER), Some(USER)).unwrap();
    for home_user in [
        HomeUser {
            sudo: Some(USER),
            home: None,
        },
        HomeUser {
            sudo: None,
            home: Some(folder.path().to_owned()),
        },
    ] {
        let identities = folder.path().join("huggingface/hubtoken/identities");
        let disk = DiskCache::new(identities.clone()).in_home_of(&home_user);
        disk.put(&key(0), RecordKind::Identity, b"{}");
        assert!(disk.get(&key(0), RecordKind::Identity).is_some());
        let lease = disk.try_lease(&key(0));
        assert!(matches!(lease, TryLease::Acquired(_)));
        for path in identities
            .ancestors()
            .take(3)
            .map(Path::to_owned)
            .chain([disk.path(&key(0), ".json"), disk.path(&key(0), LOCK)])
        {
            assert_eq!(path.metadata().unwrap().uid(), USER, "{}", path.display());
        }
        drop(lease);
        fs::remove_dir_all(folder.path().join("huggingface")).unwrap();
    }
}
