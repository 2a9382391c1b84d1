//! Backups of running, busy and stopped Hubs, and Hubs restored from them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use hubtoken_hub::{
    Hub, HubError, HubOptions, NewToken, RepositoryType, TokenRole, backup, restore,
};
use tempfile::TempDir;
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

fn start(folder: &Path) -> Hub {
    Hub::start(&HubOptions {
        data: Some(folder.to_owned()),
        ..HubOptions::default()
    })
    .unwrap()
}

/// A Hub with a user, a repository with two commits and a tag, and a token.
fn populated(folder: &Path) -> (Hub, String) {
    let hub = start(folder);
    hub.create_user("alice", "Alice", None, None).unwrap();
    hub.create_repository(RepositoryType::Model, "alice/m", true, None)
        .unwrap();
    let new = NewToken {
        name: "w".to_owned(),
        role: TokenRole::Write,
        expires_at: None,
    };
    let token = hub.create_token("alice", new).unwrap().value;
    (hub, token.reveal().to_owned())
}

fn ask(hub: &Hub, method: &str, path: &str, token: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = hub.endpoint().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn commit(hub: &Hub, token: &str, path: &str, content: &str) {
    let body = format!(
        "{{\"key\":\"header\",\"value\":{{\"summary\":\"s\"}}}}\n{{\"key\":\"file\",\"value\":{{\"path\":\"{path}\",\"content\":\"{content}\"}}}}\n"
    );
    let answer = ask(hub, "POST", "/api/models/alice/m/commit/main", token, &body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The contents of a folder, including hidden files.
fn names(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into())
        .collect()
}

#[test]
fn a_running_hub_comes_back_from_its_backup() {
    let room = TempDir::new().unwrap();
    let (hub, token) = populated(&room.path().join("data"));
    commit(&hub, &token, "a.txt", "kept");
    let tagged = ask(
        &hub,
        "POST",
        "/api/models/alice/m/tag/main",
        &token,
        "{\"tag\":\"v1\",\"message\":\"m\"}",
    );
    assert!(tagged.starts_with("HTTP/1.1 200"), "{tagged}");
    let target = room.path().join("backup.tar");
    let made = backup(&room.path().join("data"), &target, NOW).unwrap();
    assert_eq!((&made.path, made.repositories), (&target, 1));
    assert_eq!(mode(&target), 0o600);
    assert_eq!(fs::metadata(&target).unwrap().len(), made.bytes);
    let archive = fs::read(&target).unwrap();
    for secret in [token.as_str(), hub.admin_key().reveal()] {
        assert!(
            !archive
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        );
    }
    // Later changes are not in the backup.
    commit(&hub, &token, "b.txt", "later");
    hub.create_user("bob", "Bob", None, None).unwrap();

    let data = room.path().join("restored");
    let restored = restore(&target, &data).unwrap();
    assert_eq!((&restored.path, restored.repositories), (&data, 1));
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("hub.sqlite3")), 0o600);
    let again = start(&data);
    assert_ne!(again.admin_key().reveal(), hub.admin_key().reveal());
    assert_eq!(again.list_users().unwrap().len(), 1);
    for revision in ["main", "v1"] {
        let path = format!("/alice/m/resolve/{revision}/a.txt");
        assert!(ask(&again, "GET", &path, &token, "").ends_with("kept"));
    }
    assert!(
        ask(&again, "GET", "/alice/m/resolve/main/b.txt", &token, "").starts_with("HTTP/1.1 404")
    );
    commit(&again, &token, "c.txt", "goes on");
    assert_eq!(names(room.path()).len(), 3);
}

#[test]
fn a_stopped_hub_and_a_folder_for_backups() {
    let room = TempDir::new().unwrap();
    let data = room.path().join("data");
    let (hub, _) = populated(&data);
    hub.stop();
    let backups = room.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let made = backup(&data, &backups, NOW).unwrap();
    assert_eq!(made.path, backups.join("hub-2026-01-02T03-04-05-000Z.tar"));
    let second = backup(&data, &backups, NOW).unwrap_err();
    assert!(second.to_string().contains("already exists"), "{second}");
    assert_eq!(names(&backups).len(), 1);
    let nothing = backup(&backups, &room.path().join("x"), NOW).unwrap_err();
    assert!(
        nothing.to_string().contains("not a Hub's data folder"),
        "{nothing}"
    );
    let onto_it = restore(&made.path, &data).unwrap_err();
    assert!(onto_it.to_string().contains("not empty"), "{onto_it}");
    // Restores to an empty folder a backup that was made without touching a repository.
    let empty = room.path().join("empty");
    fs::create_dir(&empty).unwrap();
    restore(&made.path, &empty).unwrap();
    assert_eq!(mode(&empty), 0o700);
}

/// Writers continue during the backup: commits, new repositories, deletions, tokens.
#[test]
fn a_backup_under_load_is_a_hub() {
    let room = TempDir::new().unwrap();
    let data = room.path().join("data");
    let (hub, token) = populated(&data);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                commit(&hub, &token, &format!("{number}.txt"), &"x".repeat(5_000));
            }
        });
        scope.spawn(|| {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("alice/{number}");
                hub.create_repository(RepositoryType::Dataset, &id, false, None)
                    .unwrap();
                hub.delete_repository(RepositoryType::Dataset, &id).unwrap();
            }
        });
        for round in 0..8 {
            let target = room.path().join(format!("{round}.tar"));
            match backup(&data, &target, NOW) {
                Ok(made) => {
                    let restored = room.path().join(format!("restored-{round}"));
                    let again = restore(&made.path, &restored).unwrap();
                    assert_eq!(again.repositories, made.repositories);
                    let hub = start(&restored);
                    assert_eq!(hub.list_tokens("alice").unwrap().len(), 1);
                    let list = ask(&hub, "GET", "/api/models/alice/m/tree/main", &token, "");
                    assert!(list.starts_with("HTTP/1.1 200"), "{list}");
                }
                // If a repository is deleted during the backup, it fails with an error and leaves
                // nothing behind.
                Err(HubError::Backup { reason }) => {
                    assert!(reason.contains("try again"), "{reason}");
                    assert!(!target.exists());
                }
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(
        names(room.path())
            .iter()
            .all(|name| !name.to_string_lossy().starts_with('.'))
    );
}

#[test]
fn an_archive_that_was_cut_or_changed_is_refused_and_leaves_nothing() {
    let room = TempDir::new().unwrap();
    let (hub, token) = populated(&room.path().join("data"));
    commit(&hub, &token, "a.txt", "kept");
    hub.stop();
    let whole = room.path().join("whole.tar");
    backup(&room.path().join("data"), &whole, NOW).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let broken = room.path().join("broken.tar");
    let data = room.path().join("restored");
    let refuse = |bytes: &[u8], what: &str| {
        fs::write(&broken, bytes).unwrap();
        let error = restore(&broken, &data).expect_err(what);
        assert!(matches!(error, HubError::Restore { .. }), "{what}: {error}");
        assert!(!data.exists());
    };
    refuse(b"", "nothing");
    refuse(b"this is no archive", "text");
    // Cut off at every record boundary and in between: not every reader of tar rejects a truncated
    // file.
    let end = bytes.len() - 1024;
    for length in (0..end).step_by(512).chain([1, 700, end - 1]) {
        refuse(&bytes[..length], &format!("cut at {length}"));
    }
    // Every flipped byte in the content or in a relevant header field is detected.
    let mut accepted = HashSet::new();
    for place in (0..end).step_by(977) {
        let mut changed = bytes.clone();
        changed[place] ^= 0x40;
        fs::write(&broken, &changed).unwrap();
        if restore(&broken, &data).is_ok() {
            accepted.insert(place % 512);
            fs::remove_dir_all(&data).unwrap();
        }
    }
    // Only padding and file-owner fields may differ.
    assert!(accepted.len() < 40, "{accepted:?}");
    assert!(
        names(room.path())
            .iter()
            .all(|name| !name.to_string_lossy().starts_with('.'))
    );
}

#[test]
fn an_archive_without_an_object_is_refused() {
    let room = TempDir::new().unwrap();
    let data = room.path().join("data");
    let (hub, token) = populated(&data);
    commit(&hub, &token, "a.txt", "kept");
    hub.stop();
    // The disk has lost an object.
    let models = data.join("repositories/models");
    let objects = models.join(&names(&models)[0]).join("objects");
    let lost = names(&objects)
        .into_iter()
        .find(|name| name.as_os_str().len() == 2)
        .unwrap();
    fs::remove_dir_all(objects.join(lost)).unwrap();
    let error = backup(&data, &room.path().join("x.tar"), NOW).unwrap_err();
    assert!(
        error.to_string().contains("is missing or damaged"),
        "{error}"
    );
    assert_eq!(names(room.path()), [PathBuf::from("data")]);
}
