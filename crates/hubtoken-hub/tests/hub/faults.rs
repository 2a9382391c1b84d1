//! A database that cannot be written: which errors are reported, and that nothing is left half
//! done.

use std::path::Path;

use serde_json::json;
use sqlx::{ConnectOptions as _, Executor as _};

use super::support::browser::{Browser, populate};
use super::support::world::World;

const WHOAMI: &str = "/api/whoami-v2";

/// Locks the database as another program would, on its own thread and runtime.
struct Holder {
    runtime: tokio::runtime::Runtime,
    connection: Option<sqlx::SqliteConnection>,
}

impl Holder {
    fn new(folder: &Path, statement: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("hub.sqlite3"));
        let mut connection = runtime.block_on(options.connect()).unwrap();
        runtime.block_on(connection.execute(statement)).unwrap();
        Self {
            runtime,
            connection: Some(connection),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        use sqlx::Connection as _;
        if let Some(connection) = self.connection.take() {
            self.runtime.block_on(connection.close()).unwrap();
        }
    }
}

#[test]
fn a_locked_database_is_told_as_such_and_nothing_is_done() {
    let world = World::populated();
    let token = world.token("alice", "ci", "write");
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 200);
    let log = || world.admin("GET", "audit?act=token", None).json();
    let before = log();
    let holder = Holder::new(world.folder.path(), "BEGIN IMMEDIATE");
    for (method, path, body) in [
        ("POST", "users/alice/tokens/ci/refresh", None),
        ("DELETE", "users/alice/tokens/ci", None),
        (
            "PUT",
            "organizations/acme/policy",
            Some(json!({ "policy": "fine-grained-only" })),
        ),
    ] {
        let answer = world.admin(method, path, body);
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, "1"),
            "{path}: {}",
            answer.text()
        );
        // Clients are not told where the database is.
        assert!(answer.text().contains("busy"), "{}", answer.text());
        assert!(
            !answer
                .text()
                .contains(world.folder.path().to_str().unwrap())
        );
    }
    // Reads are not blocked.
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 200);
    assert_eq!(log(), before);
    drop(holder);
    assert_eq!(log(), before);
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 200);
    let fresh = world.admin("POST", "users/alice/tokens/ci/refresh", None);
    assert_eq!(fresh.status, 200);
    assert_eq!(world.get(WHOAMI, Some(&token)).status, 401);
}

#[test]
fn a_page_that_fails_names_the_request_and_no_cause() {
    let world = populate(World::new());
    let browser = Browser::signed_in(&world, "alice");
    drop(Holder::new(world.folder.path(), "DROP TABLE audit"));
    let page = browser.get("/settings/audit-log");
    assert_eq!(page.status, 500);
    let id = page.header("x-request-id");
    assert!(id.starts_with("Root=1-") && page.text().contains(id));
    for detail in ["audit", "sqlite", "SQL"] {
        assert!(!page.text().contains(detail), "{detail}");
    }
    assert!(page.header("content-security-policy").contains("'none'"));
}
