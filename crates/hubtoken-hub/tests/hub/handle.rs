//! Complete Hubs: started, called over loopback, stopped, and started again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use hubtoken_hub::{
    Gate, Hub, HubError, HubOptions, NewToken, OrganizationRole, RepositoryType, Scope, Secret,
    TokenRole,
};
use tempfile::TempDir;

use super::support::world::World;
use crate::support::time::until;

fn in_folder(path: &Path) -> HubOptions {
    HubOptions {
        data: Some(path.to_owned()),
        ..HubOptions::default()
    }
}

fn write_token(hub: &Hub, user: &str, name: &str) -> Secret {
    hub.create_token(
        user,
        NewToken {
            name: name.to_owned(),
            role: TokenRole::Write,
            expires_at: None,
        },
    )
    .unwrap()
    .value
}

/// Sends one request over a real connection; returns the whole response as text.
fn request(hub: &Hub, request: &str) -> String {
    let mut stream = TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(hub: &Hub, path: &str, token: &Secret) -> String {
    let token = token.reveal();
    request(
        hub,
        &format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        ),
    )
}

#[test]
fn everything_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(&in_folder(folder.path())).unwrap();
    hub.create_user(
        "alice",
        "Alice Doe",
        None,
        Some(Secret::new("correct horse".to_owned())),
    )
    .unwrap();
    hub.create_organization("acme", "Acme").unwrap();
    hub.set_member("acme", "alice", OrganizationRole::Write)
        .unwrap();
    let token = write_token(&hub, "alice", "w");
    hub.create_repository(RepositoryType::Model, "alice/m", true, Some(Gate::Auto))
        .unwrap();
    let body = "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n{\"key\":\"file\",\"value\":{\"path\":\"a\",\"content\":\"kept\"}}\n";
    // Chunked, as some clients send it.
    let answer = request(
        &hub,
        &format!(
            "POST /api/models/alice/m/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            token.reveal(),
            body.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let key = hub.admin_key().clone();
    hub.stop();
    hub.stop();
    assert!(matches!(hub.list_users(), Err(HubError::Stopped)));
    assert!(!folder.path().join("hub.json").exists());

    let hub = Hub::start(&in_folder(folder.path())).unwrap();
    assert_eq!(hub.admin_key().reveal(), key.reveal());
    assert!(get(&hub, "/api/whoami-v2", &token).contains("\"roleInOrg\":\"write\""));
    assert!(get(&hub, "/alice/m/resolve/main/a", &token).ends_with("kept"));
    let new = hub.refresh_token("alice", "w").unwrap().value;
    assert!(get(&hub, "/api/whoami-v2", &token).starts_with("HTTP/1.1 401"));
    assert!(get(&hub, "/api/whoami-v2", &new).starts_with("HTTP/1.1 200"));
    assert_eq!(hub.request_count(Some("/api/whoami-v2")).unwrap(), 3);
    assert_eq!(hub.request_count(None).unwrap(), 4);
}

#[test]
fn no_secret_is_stored_but_the_admin_key_in_its_file() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(&in_folder(folder.path())).unwrap();
    hub.create_user(
        "alice",
        "Alice",
        None,
        Some(Secret::new("correct horse".to_owned())),
    )
    .unwrap();
    let old = write_token(&hub, "alice", "w");
    let new = hub.refresh_token("alice", "w").unwrap().value;
    for token in [&old, &new] {
        get(&hub, "/api/whoami-v2", token);
    }
    let key = hub.admin_key().clone();
    let secrets = [old.reveal(), new.reveal(), key.reveal(), "correct horse"];
    let look = || {
        let mut found = Vec::new();
        visit(folder.path(), &mut |path, content| {
            for secret in secrets {
                if content
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes())
                {
                    found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
                }
            }
        });
        found
    };
    assert_eq!(look(), ["admin-key"]);
    hub.stop();
    assert_eq!(look(), ["admin-key"]);
    let shown = format!("{hub:?}");
    assert!(
        secrets.iter().all(|secret| !shown.contains(secret)),
        "{shown}"
    );
}

fn visit(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_temporary_hub_leaves_nothing() {
    let hub = Hub::start(&HubOptions::default()).unwrap();
    let data = hub.data().to_owned();
    assert!(data.join("hub.json").exists());
    let address = hub.endpoint().strip_prefix("http://").unwrap().to_owned();
    drop(hub);
    assert!(!data.exists());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn clear_errors_at_start() {
    let folder = TempDir::new().unwrap();
    let first = Hub::start(&in_folder(folder.path())).unwrap();
    let second = Hub::start(&in_folder(folder.path())).unwrap_err();
    assert!(
        matches!(&second, HubError::FolderLocked { endpoint: Some(endpoint), .. } if endpoint == first.endpoint())
    );
    let port = first
        .endpoint()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let taken = Hub::start(&HubOptions {
        port,
        ..HubOptions::default()
    })
    .unwrap_err();
    assert!(matches!(taken, HubError::PortTaken { .. }), "{taken}");
    let outside = Hub::start(&HubOptions {
        host: "0.0.0.0".to_owned(),
        ..HubOptions::default()
    })
    .unwrap_err();
    assert!(matches!(outside, HubError::NotLoopback { .. }), "{outside}");
}

#[test]
fn a_damaged_database_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("hub.sqlite3");
    std::fs::write(
        &database,
        "this is no database, but somebody's only copy of something",
    )
    .unwrap();
    let error = Hub::start(&in_folder(folder.path())).unwrap_err();
    assert!(matches!(error, HubError::DatabaseCorrupt { .. }), "{error}");
    assert!(
        std::fs::read_to_string(&database)
            .unwrap()
            .starts_with("this is no database")
    );
    // The folder is unlocked again.
    std::fs::remove_file(&database).unwrap();
    Hub::start(&in_folder(folder.path())).unwrap();
}

#[test]
fn a_hub_can_be_used_from_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let hub = Hub::start(&HubOptions::default()).unwrap();
        hub.create_user("alice", "Alice", None, None).unwrap();
        assert_eq!(hub.list_users().unwrap().len(), 1);
    });
}

#[test]
fn clear_errors_for_deeds() {
    let hub = Hub::start(&HubOptions {
        host: "localhost".to_owned(),
        ..HubOptions::default()
    })
    .unwrap();
    assert!(hub.endpoint().starts_with("http://localhost:"));
    hub.create_user("alice", "Alice", None, None).unwrap();
    let new = |name: &str, role| NewToken {
        name: name.to_owned(),
        role,
        expires_at: None,
    };
    let fine = |entity: &str| TokenRole::FineGrained {
        scopes: vec![Scope {
            entity: entity.to_owned(),
            permissions: vec!["repo.write".to_owned()],
        }],
        global: vec![],
        can_read_gated_repos: false,
    };
    assert!(matches!(
        hub.create_user("Alice", "", None, None),
        Err(HubError::NameTaken { .. })
    ));
    assert!(matches!(
        hub.create_organization("alice", ""),
        Err(HubError::NameTaken { .. })
    ));
    assert!(matches!(
        hub.create_token("bob", new("x", TokenRole::Read)),
        Err(HubError::UnknownUser { .. })
    ));
    assert!(matches!(
        hub.create_token("alice", new("\n", TokenRole::Read)),
        Err(HubError::InvalidName { .. })
    ));
    assert!(matches!(
        hub.create_token("alice", new("x", fine("bob"))),
        Err(HubError::UnknownNamespace { .. })
    ));
    assert!(matches!(
        hub.create_token("alice", new("x", fine("datasets/alice/x"))),
        Err(HubError::UnknownRepository { .. })
    ));
    assert!(matches!(
        hub.set_member("acme", "alice", OrganizationRole::Read),
        Err(HubError::UnknownOrganization { .. })
    ));
    assert!(matches!(
        hub.delete_token("alice", "x"),
        Err(HubError::UnknownToken { .. })
    ));
    for _ in 0..2 {
        hub.create_token("alice", new("x", TokenRole::Read))
            .unwrap();
    }
    assert!(
        matches!(hub.refresh_token("alice", "x"), Err(HubError::AmbiguousToken { ids, .. }) if ids.len() == 2)
    );
    let create = |id: &str| hub.create_repository(RepositoryType::Space, id, false, None);
    assert!(matches!(create("x"), Err(HubError::InvalidName { .. })));
    assert!(matches!(
        create("bob/x"),
        Err(HubError::UnknownNamespace { .. })
    ));
    create("alice/x").unwrap();
    assert!(
        matches!(create("alice/X"), Err(HubError::RepositoryExists { id, .. }) if id == "alice/x")
    );
    assert!(matches!(
        hub.grant_access(RepositoryType::Model, "alice/x", "alice"),
        Err(HubError::UnknownRepository { .. })
    ));
}

#[test]
fn folders_and_registry_are_reconciled_at_start() {
    let folder = TempDir::new().unwrap();
    let hub = Hub::start(&in_folder(folder.path())).unwrap();
    hub.create_user("alice", "Alice", None, None).unwrap();
    let kept = hub
        .create_repository(RepositoryType::Model, "alice/kept", false, None)
        .unwrap();
    hub.stop();
    let models = folder.path().join("repositories/models");
    let settled = models.join(format!("{}.git", kept.id));
    let (orphan, unknown) = (
        models.join("aaaaaaaaaaaaaaaaaaaaaaaa.git"),
        models.join("bbbbbbbbbbbbbbbbbbbbbbbb.git"),
    );
    for path in [&orphan, &unknown] {
        std::fs::create_dir(path).unwrap();
    }
    for half_done in [
        "cccccccccccccccccccccccc.new",
        "dddddddddddddddddddddddd.deleted",
    ] {
        std::fs::create_dir(models.join(half_done)).unwrap();
    }
    // What git leaves behind when it is killed during a commit.
    std::fs::write(settled.join("refs/heads/main.lock"), "").unwrap();
    for path in [&settled, &orphan] {
        std::fs::write(path.join("hubtoken-unsettled"), "").unwrap();
    }
    let hub = Hub::start(&in_folder(folder.path())).unwrap();
    assert!(settled.join("HEAD").exists() && !settled.join("hubtoken-unsettled").exists());
    assert!(!orphan.exists());
    assert!(unknown.exists());
    assert_eq!(std::fs::read_dir(&models).unwrap().count(), 2);
    let token = write_token(&hub, "alice", "w");
    let body = "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}";
    let answer = request(
        &hub,
        &format!(
            "POST /api/models/alice/kept/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            token.reveal(),
            body.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_repository_without_its_content_says_so_and_can_be_deleted() {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    world.create(&token, "alice/m", false);
    let models = world.folder.path().join("repositories/models");
    for entry in std::fs::read_dir(models).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let answer = world.get("/alice/m/resolve/main/a", Some(&token));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (
            500,
            "the content of this repository is missing on the server"
        )
    );
    assert_eq!(
        world
            .admin("DELETE", "repositories/model/alice/m", None)
            .status,
        204
    );
}

/// Modifies the database of a stopped Hub, as another program would.
fn meddle(
    folder: &Path,
    statement: &'static str,
) -> (tokio::runtime::Runtime, sqlx::SqliteConnection) {
    use sqlx::{ConnectOptions as _, Executor as _};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("hub.sqlite3"));
    let mut connection = runtime.block_on(options.connect()).unwrap();
    runtime.block_on(connection.execute(statement)).unwrap();
    (runtime, connection)
}

#[test]
fn a_newer_schema_and_a_locked_database() {
    let folder = TempDir::new().unwrap();
    drop(Hub::start(&in_folder(folder.path())).unwrap());
    let holder = meddle(folder.path(), "BEGIN EXCLUSIVE");
    let locked = Hub::start(&in_folder(folder.path())).unwrap_err();
    assert!(
        matches!(locked, HubError::DatabaseLocked { .. }),
        "{locked}"
    );
    drop(holder);
    drop(Hub::start(&in_folder(folder.path())).unwrap());
    drop(meddle(folder.path(), "PRAGMA user_version = 99"));
    let newer = Hub::start(&in_folder(folder.path())).unwrap_err();
    assert!(
        matches!(newer, HubError::NewerSchema { found: 99, .. }),
        "{newer}"
    );
}

#[test]
fn a_read_only_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.path().join("probe"), "").is_ok() {
        // The superuser can write everywhere, so there is nothing to test.
        return;
    }
    let error = Hub::start(&in_folder(folder.path())).unwrap_err();
    assert!(matches!(error, HubError::ReadOnly { .. }), "{error}");
}

#[test]
fn an_open_connection_does_not_hold_up_the_stop() {
    let hub = Hub::start(&HubOptions {
        grace_seconds: 3600,
        ..HubOptions::default()
    })
    .unwrap();
    let mut idle = TcpStream::connect(hub.endpoint().strip_prefix("http://").unwrap()).unwrap();
    idle.write_all(b"GET /api/agent-harnesses HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut buffer = [0; 64];
    assert!(idle.read(&mut buffer).unwrap() > 0);
    let stopping = std::thread::spawn(move || hub.stop());
    // Without the hour of grace that a request in progress would get.
    until(|| stopping.is_finished());
    stopping.join().unwrap();
}

#[test]
fn many_clients_at_once() {
    let hub = std::sync::Arc::new(Hub::start(&HubOptions::default()).unwrap());
    hub.create_user("alice", "Alice", None, None).unwrap();
    let token = write_token(&hub, "alice", "w");
    let threads: Vec<_> = (0..16)
        .map(|thread| {
            let (hub, token) = (std::sync::Arc::clone(&hub), token.clone());
            std::thread::spawn(move || {
                for number in 0..10 {
                    assert!(get(&hub, "/api/whoami-v2", &token).starts_with("HTTP/1.1 200"));
                    write_token(&hub, "alice", &format!("{thread}-{number}"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(hub.list_tokens("alice").unwrap().len(), 161);
    assert_eq!(hub.request_count(None).unwrap(), 160);
}
