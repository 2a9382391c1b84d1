//! A data folder of the version before: brought up to date once, after a copy.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hubtoken::hub::{Hub, HubOptions};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;

/// The schema that version 0.1.0 wrote first, with a user and a token in it.
const SCHEMA_1: &str = "
    CREATE TABLE namespaces (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('user', 'org')), name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE, fullname TEXT NOT NULL, email TEXT, password_hash TEXT,
        created_at INTEGER NOT NULL) STRICT;
    CREATE TABLE members (
        organization_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
        role TEXT NOT NULL CHECK (role IN ('admin', 'write', 'contributor', 'read', 'no_access')),
        PRIMARY KEY (organization_id, user_id)) STRICT, WITHOUT ROWID;
    CREATE INDEX members_by_user ON members (user_id);
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
        name TEXT NOT NULL, role TEXT NOT NULL CHECK (role IN ('read', 'write', 'fineGrained')), fine_grained TEXT,
        digest BLOB NOT NULL UNIQUE, last4 TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER,
        expires_at INTEGER) STRICT;
    CREATE INDEX tokens_by_user ON tokens (user_id, name);
    CREATE TABLE repositories (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('model', 'dataset', 'space')),
        namespace_id TEXT NOT NULL REFERENCES namespaces (id), name TEXT NOT NULL, name_key TEXT NOT NULL,
        creator_id TEXT NOT NULL, private INTEGER NOT NULL, gated TEXT CHECK (gated IN ('auto', 'manual')),
        disabled INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
        UNIQUE (kind, namespace_id, name_key)) STRICT;
    CREATE TABLE access_grants (
        repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE, granted_at INTEGER NOT NULL,
        PRIMARY KEY (repository_id, user_id)) STRICT, WITHOUT ROWID;
    INSERT INTO namespaces VALUES ('000000000000000000000001', 'user', 'alice', 'alice', 'Alice', NULL, NULL, 1);
    INSERT INTO tokens VALUES ('000000000000000000000002', '000000000000000000000001', 'old', 'read', NULL,
        x'0000000000000000000000000000000000000000000000000000000000000001', 'abcd', 2, NULL, NULL);
    PRAGMA user_version = 1;
";

fn with_database<T>(path: &Path, work: impl AsyncFnOnce(&mut sqlx::SqliteConnection) -> T) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true);
            let mut connection = options.connect().await.unwrap();
            work(&mut connection).await
        })
}

fn schema(path: &Path) -> i64 {
    with_database(path, async |database| {
        let row = sqlx::query("PRAGMA user_version").fetch_one(database).await;
        row.unwrap().get(0)
    })
}

fn start(folder: &Path) -> Hub {
    Hub::start(&HubOptions {
        data: Some(folder.to_owned()),
        ..HubOptions::default()
    })
    .unwrap()
}

/// The copies that are there.
fn copies(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".before-"))
        .collect();
    names.sort();
    names
}

#[test]
fn an_old_folder_is_brought_up_to_date_once_and_copied_first() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("hub.sqlite3");
    with_database(&database, async |database| {
        database.execute(SCHEMA_1).await.unwrap();
    });
    let newest = {
        let other = TempDir::new().unwrap();
        drop(start(other.path()));
        schema(&other.path().join("hub.sqlite3"))
    };
    assert!(newest > 1);
    // What a Hub left behind that was killed while it copied.
    for ending in ["new", "new-journal"] {
        let name = format!("hub.sqlite3.before-{newest}.{ending}");
        std::fs::write(folder.path().join(name), "half").unwrap();
    }

    let hub = start(folder.path());
    assert_eq!(hub.list_tokens("alice").unwrap()[0].name, "old");
    hub.create_user("bob", "Bob", None, None).unwrap();
    drop(hub);
    assert_eq!(schema(&database), newest);
    let copy = format!("hub.sqlite3.before-{newest}");
    assert_eq!(copies(folder.path()), [copy.as_str()]);
    let copy = folder.path().join(copy);
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(schema(&copy), 1);

    // The second start has nothing to do, and leaves the copy as it was.
    let written = std::fs::metadata(&copy).unwrap().modified().unwrap();
    let hub = start(folder.path());
    assert_eq!(hub.list_users().unwrap().len(), 2);
    drop(hub);
    assert_eq!(
        std::fs::metadata(&copy).unwrap().modified().unwrap(),
        written
    );

    // The copy is a data folder's database by itself.
    let back = TempDir::new().unwrap();
    std::fs::copy(&copy, back.path().join("hub.sqlite3")).unwrap();
    assert_eq!(start(back.path()).list_users().unwrap().len(), 1);
}

#[test]
fn a_new_folder_has_nothing_to_copy() {
    let folder = TempDir::new().unwrap();
    drop(start(folder.path()));
    assert!(copies(folder.path()).is_empty());
}

#[test]
fn what_cannot_be_brought_up_to_date_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("hub.sqlite3");
    with_database(&database, async |database| {
        database.execute(SCHEMA_1).await.unwrap();
        // In the way of a step.
        database
            .execute("CREATE TABLE administrators (x INTEGER) STRICT")
            .await
            .unwrap();
    });
    let options = HubOptions {
        data: Some(folder.path().to_owned()),
        ..HubOptions::default()
    };
    for _ in 0..2 {
        assert!(Hub::start(&options).is_err());
        assert_eq!(schema(&database), 1);
        assert_eq!(copies(folder.path()).len(), 1);
    }
}
