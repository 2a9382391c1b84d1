//! Tests paths that are not regular files: devices, FIFOs, sockets and folders.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::store::metadata_file;

/// The tokens of a home whose token file is at `path`.
fn token_store_at(path: &Path) -> TokenStore<'static> {
    let environment = StaticEnvironment::from([
        ("HOME", "/nowhere"),
        ("HF_TOKEN_PATH", path.to_str().unwrap()),
    ]);
    TokenStore::new(
        &Paths::new(&environment),
        Endpoint::parse(HUB).unwrap(),
        &NeverInterrupted,
    )
}

/// Creates one file of each special type, and symbolic links to some of them.
fn specials(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let fifo = folder.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let socket = folder.join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let directory = folder.join("directory");
    fs::create_dir(&directory).unwrap();
    let null = folder.join("null");
    symlink("/dev/null", &null).unwrap();
    let twice = folder.join("twice");
    symlink("fifo", &twice).unwrap();
    vec![
        ("a FIFO", fifo),
        ("a socket", socket),
        ("a directory", directory),
        ("a device", null),
        ("a FIFO", twice),
    ]
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every operation that changes something.
fn writes(token_store: &TokenStore) -> [Result<(), Error>; 6] {
    [
        token_store
            .save("ci", &token("A"), &record(HUB, "alice"), false)
            .map(drop),
        token_store
            .save("ci", &token("A"), &record(TEAM, "alice"), false)
            .map(drop),
        token_store.remove_active().map(drop),
        token_store.remove_all().map(drop),
        token_store.switch("known").map(drop),
        token_store.remove("known").map(drop),
    ]
}

/// Asserts that operations were rejected because of what is at a path.
fn assert_refused(writes: &[Result<(), Error>], kind: &str, what: &str) {
    for write in writes {
        match write {
            Err(Error::Store(message)) => {
                assert!(message.contains(kind), "{what}: {message}");
                assert!(message.contains("regular files only"), "{what}: {message}");
            }
            // There is no stored token with that name.
            Err(Error::TokenNotFound { .. }) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_file_is_not_replaced_and_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, path) in specials(folder.path()) {
        let before = names_in(folder.path());
        let types = path.symlink_metadata().unwrap().file_type();
        assert_refused(
            &writes(&token_store_at(&path)),
            kind,
            &path.display().to_string(),
        );
        assert_eq!(path.symlink_metadata().unwrap().file_type(), types);
        assert_eq!(names_in(folder.path()), before, "{}", path.display());
    }
}

#[test]
fn no_file_is_made_beside_a_device() {
    for path in ["/dev/null", "/dev/fd/0", "/proc/self/fd/0"] {
        let (read, _write) = std::io::pipe().unwrap();
        let path = if path == "/dev/null" {
            PathBuf::from(path)
        } else {
            use std::os::fd::AsRawFd as _;
            Path::new(path).with_file_name(read.as_raw_fd().to_string())
        };
        let kind = if path.ends_with("null") {
            "a device"
        } else {
            "a FIFO"
        };
        assert_refused(
            &writes(&token_store_at(&path)),
            kind,
            &path.display().to_string(),
        );
    }
    assert!(
        Path::new("/dev/null")
            .metadata()
            .unwrap()
            .file_type()
            .is_char_device()
    );
    for name in ["null.hubtoken-new", "stored_tokens", "stored_tokens.lock"] {
        assert!(!Path::new("/dev").join(name).exists(), "{name}");
    }
}

#[test]
fn the_other_files_are_as_safe_as_the_token_file() {
    for name in [
        "stored_tokens",
        "stored_tokens.lock",
        "hubtoken_endpoints.json",
        "token",
        "token.hubtoken-new",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let token_store = token_store(folder.path());
        let saved = token_store.save("ci", &token("A"), &record(TEAM, "alice"), false);
        let message = saved.unwrap_err().to_string();
        assert!(message.contains("a FIFO"), "{name}: {message}");
        assert!(path.metadata().unwrap().file_type().is_fifo(), "{name}");
    }
}

#[test]
fn a_link_to_a_regular_file_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (link, file) = (folder.path().join("token"), folder.path().join("elsewhere"));
    fs::write(&file, "old").unwrap();
    symlink(&file, &link).unwrap();
    let token_store = token_store(folder.path());
    save(&token_store, "ci", "A", HUB);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), token("A").expose());
    assert!(metadata_file::path(token_store.path().unwrap()).exists());
    token_store.remove_active().unwrap();
    assert!(!file.exists());
}

#[cfg(unix)]
#[test]
fn a_new_home_is_private_also_around_a_folder_of_tokens() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home");
    let folder = home.join("secrets");
    let lock = crate::store::lock::Lock::take(
        &folder.join("stored_tokens"),
        Some(&home),
        std::time::Duration::ZERO,
        &crate::folder::HomeUser::default(),
        &crate::interrupt::NeverInterrupted,
        &crate::file_lock::OperatingSystem,
    );
    assert!(lock.is_ok());
    for folder in [home, folder] {
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_in_the_place_of_a_prepared_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("token");
    let new = root.path().join("token.hubtoken-new");
    let made = std::process::Command::new("mkfifo").arg(&new).status();
    assert!(made.unwrap().success());
    let lock = crate::store::lock::Lock::take(
        &root.path().join("stored_tokens"),
        None,
        std::time::Duration::ZERO,
        &crate::folder::HomeUser::default(),
        &crate::interrupt::NeverInterrupted,
        &crate::file_lock::OperatingSystem,
    )
    .unwrap();
    let Err(error) = crate::store::atomic_write::StagedFile::new(&path, "", &lock) else {
        panic!("it was written");
    };
    let message = error.to_string();
    assert!(message.contains("token.hubtoken-new is a"), "{message}");
}
