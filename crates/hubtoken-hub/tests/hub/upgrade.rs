//! A data folder from an earlier version: upgraded once, after a copy was made.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubtoken_hub::{Hub, HubOptions};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tempfile::TempDir;

use super::support::browser::{Browser, COOKIE, HOST};
use super::support::world::World;

/// A data folder of an earlier version, one for each past schema. `tests/fixtures/data_folders`
/// explains how they are made.
fn packed(schema: i64) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(format!("tests/fixtures/data_folders/schema-{schema}.json"));
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn unpack(schema: i64, folder: &Path) -> Value {
    let packed = packed(schema);
    for (name, content) in packed["files"].as_object().unwrap() {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, STANDARD.decode(content.as_str().unwrap()).unwrap()).unwrap();
    }
    for name in packed["folders"].as_array().unwrap() {
        std::fs::create_dir_all(folder.join(name.as_str().unwrap())).unwrap();
    }
    let lines = packed["sql"].as_array().unwrap().iter();
    let lines: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    with_database(&folder.join("hub.sqlite3"), async |database| {
        let statements = sqlx::AssertSqlSafe(lines.join("\n"));
        database.execute(sqlx::raw_sql(statements)).await.unwrap();
    });
    packed
}

fn with_database<T>(path: &Path, work: impl AsyncFnOnce(&mut sqlx::SqliteConnection) -> T) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path)
                // The packed tables are ordered by name.
                .foreign_keys(false)
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

/// The newest schema, which a new folder has.
fn newest() -> i64 {
    let folder = TempDir::new().unwrap();
    drop(start(folder.path()));
    schema(&folder.path().join("hub.sqlite3"))
}

/// The database's schema, and the results of its integrity checks.
fn shape(path: &Path) -> (Vec<String>, Vec<String>) {
    with_database(path, async |database| {
        let mut read = async |question: &'static str| -> Vec<String> {
            let rows = sqlx::query(question).fetch_all(&mut *database).await;
            let texts = rows.unwrap();
            // Indentation in a migration makes no difference.
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            texts.iter().map(|row| plain(row.get(0))).collect()
        };
        let made = read(
            "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1",
        )
        .await;
        let mut wrong = read("SELECT \"table\" FROM pragma_foreign_key_check").await;
        wrong.extend(read("PRAGMA integrity_check").await);
        (made, wrong)
    })
}

/// The existing copies.
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
fn what_every_earlier_version_left_is_there_and_works() {
    let newest = newest();
    let fresh = TempDir::new().unwrap();
    drop(start(fresh.path()));
    let (made, _) = shape(&fresh.path().join("hub.sqlite3"));
    for earlier in 1..newest {
        let folder = TempDir::new().unwrap();
        let packed = unpack(earlier, folder.path());
        let database = folder.path().join("hub.sqlite3");
        assert_eq!(schema(&database), earlier);
        let now = packed["packedAt"].as_i64().unwrap() + 60;
        let mut world = World::found(folder, now);
        // The second time, the folder already has the newest version.
        for _ in 0..2 {
            everything_works(&world, &packed, earlier);
            world = World::found(world.into_folder(), now);
        }
        let folder = world.into_folder();
        assert_eq!(schema(&database), newest);
        let (same, wrong) = shape(&database);
        assert_eq!(same, made, "from schema {earlier}");
        assert_eq!(wrong, ["ok"], "from schema {earlier}");
        let copy = format!("hub.sqlite3.before-{newest}");
        assert_eq!(copies(folder.path()), [copy.as_str()]);
        let copy = folder.path().join(copy);
        assert_eq!(schema(&copy), earlier);
        assert_eq!(shape(&copy).1, ["ok"], "the copy of schema {earlier}");
    }
}

fn everything_works(world: &World, packed: &Value, earlier: i64) {
    let value = |name: &str| packed["values"][name].as_str().unwrap().to_owned();
    for name in packed["values"].as_object().unwrap().keys() {
        let answer = world.get("/api/whoami-v2", Some(&value(name)));
        assert_eq!(answer.status, 200, "{earlier}: {name}: {}", answer.text());
        let whose = if ["live", "refreshed"].contains(&name.as_str()) {
            "alice"
        } else {
            "bob"
        };
        let answer = answer.json();
        assert_eq!(answer["name"], whose, "{earlier}: {name}");
        assert_eq!(answer["auth"]["accessToken"]["displayName"], **name);
    }
    for (name, value) in packed["dead"].as_object().unwrap() {
        let answer = world.get("/api/whoami-v2", value.as_str());
        assert_eq!(answer.status, 401, "{earlier}: {name}");
    }
    let names = |user: &str| -> Vec<String> {
        let listed = world
            .admin("GET", &format!("users/{user}/tokens"), None)
            .json();
        let listed = listed.as_array().unwrap().iter();
        let mut names: Vec<String> = listed
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("alice"), ["live", "refreshed"]);
    let his = ["approved", "denied", "expiring", "pending", "revoked"];
    assert_eq!(names("bob"), his);

    // Members, grants, and the content of repositories.
    let members = world.admin("GET", "organizations/acme/members", None);
    assert_eq!(members.json().as_array().unwrap().len(), 2, "{earlier}");
    let grants = world.admin("GET", "repositories/model/acme/gated/grants", None);
    assert!(grants.text().contains("carol"), "{}", grants.text());
    for (path, content) in packed["content"].as_object().unwrap() {
        // Since policies exist, acme only allows tokens that it approved, and that is one of the
        // two.
        let (reader, repositories) = if earlier < 2 {
            ("live", &["acme/m", "acme/gated"][..])
        } else {
            ("approved", &["acme/m"][..])
        };
        for repository in repositories {
            let file = format!("/{repository}/resolve/main/{path}");
            let answer = world.get(&file, Some(&value(reader)));
            assert_eq!(
                answer.text(),
                content.as_str().unwrap(),
                "{earlier}: {file}"
            );
        }
    }
    assert_eq!(
        world.get("/acme/m/resolve/main/README.md", None).status,
        401
    );

    // The policy and the approvals: tokens used before policies existed have not requested
    // approval.
    let policy = world.admin("GET", "organizations/acme/policy", None).json();
    let expected = if earlier < 2 {
        "allow-all"
    } else {
        "require-approval"
    };
    assert_eq!(policy, json!({ "policy": expected }), "{earlier}");
    for name in ["pending", "approved", "denied", "revoked"] {
        let answer = world.get("/acme/m/resolve/main/README.md", Some(&value(name)));
        let is_let_in = earlier < 2 || name == "approved";
        let expected = if is_let_in { 200 } else { 403 };
        assert_eq!(
            answer.status,
            expected,
            "{earlier}: {name}: {}",
            answer.text()
        );
    }
    let approvals = world
        .admin("GET", "organizations/acme/approvals", None)
        .json();
    let approvals = approvals.as_array().unwrap();
    assert_eq!(approvals.len(), if earlier < 2 { 0 } else { 4 });
    for asked in approvals {
        assert_eq!(asked["status"], asked["name"], "{earlier}");
    }
    let log = world
        .admin("GET", "audit?limit=1000&act=token.refresh", None)
        .json();
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), usize::from(earlier >= 2), "{log}");

    // Existing sessions stay valid, and users with a password can sign in.
    let browser = Browser::new(world);
    if let Some(session) = packed["session"].as_str() {
        let cookie = format!("{COOKIE}={session}");
        let headers = [("host", HOST), ("cookie", cookie.as_str())];
        let page = world.ask("GET", "/settings/tokens", None, &headers, Body::empty());
        assert_eq!(page.status, 200, "{earlier}: {}", page.text());
        assert!(page.text().contains("carol"), "{}", page.text());
    } else {
        assert!(earlier < 3);
    }
    let signed_in = browser.sign_in("carol", packed["password"].as_str().unwrap());
    assert_eq!(signed_in.status, 303, "{earlier}: {}", signed_in.text());
}

#[test]
fn an_upgraded_folder_is_written_to() {
    for earlier in 1..newest() {
        let folder = TempDir::new().unwrap();
        let packed = unpack(earlier, folder.path());
        let value = |name: &str| packed["values"][name].as_str().unwrap();
        let world = World::found(folder, packed["packedAt"].as_i64().unwrap() + 60);
        let fresh = world.admin("POST", "users/alice/tokens/live/refresh", None);
        let fresh = fresh.json()["token"].as_str().unwrap().to_owned();
        let status = |token: &str| world.get("/api/whoami-v2", Some(token)).status;
        assert_eq!((status(value("live")), status(&fresh)), (401, 200));
        let set = |policy: &str| {
            let body = json!({ "policy": policy });
            let answer = world.admin("PUT", "organizations/acme/policy", Some(body));
            assert!(answer.status < 300, "{}", answer.text());
        };
        set("allow-all");
        let committed = world.commit(&fresh, "acme/m", &[("new.txt", b"new")]);
        assert_eq!(committed.status, 200, "{earlier}: {}", committed.text());
        set("fine-grained-only");
        let read = world.get("/acme/m/resolve/main/new.txt", Some(&fresh));
        assert_eq!(read.status, 403);
        let read = world.get("/acme/m/resolve/main/new.txt", Some(value("approved")));
        assert_eq!(read.text(), "new", "{earlier}");
    }
}

#[test]
fn an_old_folder_is_brought_up_to_date_once_and_copied_first() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("hub.sqlite3");
    unpack(1, folder.path());
    let newest = newest();
    assert!(newest > 1);
    // Left behind by a Hub that was killed while copying.
    for ending in ["new", "new-journal"] {
        let name = format!("hub.sqlite3.before-{newest}.{ending}");
        std::fs::write(folder.path().join(name), "half").unwrap();
    }

    let hub = start(folder.path());
    assert_eq!(hub.list_tokens("alice").unwrap()[0].name, "live");
    hub.create_user("dave", "Dave", None, None).unwrap();
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

    // The second start has nothing to do and leaves the copy as it is.
    let written = std::fs::metadata(&copy).unwrap().modified().unwrap();
    let hub = start(folder.path());
    assert_eq!(hub.list_users().unwrap().len(), 4);
    drop(hub);
    assert_eq!(
        std::fs::metadata(&copy).unwrap().modified().unwrap(),
        written
    );

    // The copy is usable as a data folder's database by itself.
    let back = TempDir::new().unwrap();
    std::fs::copy(&copy, back.path().join("hub.sqlite3")).unwrap();
    assert_eq!(start(back.path()).list_users().unwrap().len(), 3);
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
    unpack(1, folder.path());
    with_database(&database, async |database| {
        // Conflicts with a migration step.
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
