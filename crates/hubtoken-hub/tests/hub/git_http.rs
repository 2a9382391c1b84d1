//! The `git` program against a complete Hub: clones, fetches, pushes, and the messages it gets.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubtoken_hub::{Hub, HubOptions, NewToken, OrganizationRole, RepositoryType, TokenRole};
use serde_json::json;
use tempfile::TempDir;

use crate::support::time::until;

/// A Hub with `alice/m`, in which alice may write, and a working folder.
pub struct Workspace {
    pub hub: Hub,
    pub folder: TempDir,
}

impl Workspace {
    pub fn new() -> Self {
        Self::with(&HubOptions::default())
    }

    pub fn with(options: &HubOptions) -> Self {
        let hub = Hub::start(options).unwrap();
        for name in ["alice", "bob"] {
            hub.create_user(name, name, None, None).unwrap();
        }
        hub.create_organization("acme", "Acme Inc").unwrap();
        hub.set_member("acme", "bob", OrganizationRole::Read)
            .unwrap();
        for id in ["alice/m", "acme/x"] {
            hub.create_repository(RepositoryType::Model, id, true, None)
                .unwrap();
        }
        let folder = TempDir::new().unwrap();
        Self { hub, folder }
    }

    pub fn token(&self, user: &str, role: TokenRole) -> String {
        let new = NewToken {
            name: "t".to_owned(),
            role,
            expires_at: None,
        };
        self.hub
            .create_token(user, new)
            .unwrap()
            .value
            .reveal()
            .to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.hub.endpoint())
    }

    /// Runs git with a password that is never passed as an argument.
    pub fn git(&self, folder: &Path, password: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .args(arguments)
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_CONFIG_COUNT", "4")
            .env("GIT_CONFIG_KEY_0", "user.name")
            .env("GIT_CONFIG_VALUE_0", "Alice")
            .env("GIT_CONFIG_KEY_1", "user.email")
            .env("GIT_CONFIG_VALUE_1", "alice@example.invalid")
            .env("GIT_CONFIG_KEY_2", "protocol.version")
            .env("GIT_CONFIG_VALUE_2", "2")
            .env("GIT_CONFIG_KEY_3", "credential.helper")
            .env(
                "GIT_CONFIG_VALUE_3",
                "!f() { test -z \"$PASSWORD\" || printf 'username=me\npassword=%s\n' \"$PASSWORD\"; }; f",
            )
            .env("PASSWORD", password);
        command.output().unwrap()
    }

    pub fn good(&self, folder: &Path, password: &str, arguments: &[&str]) -> String {
        let done = self.git(folder, password, arguments);
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "git {arguments:?}: {errors}");
        assert!(!errors.contains("warning: core."), "{errors}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub fn bad(&self, folder: &Path, password: &str, arguments: &[&str]) -> String {
        let done = self.git(folder, password, arguments);
        assert!(!done.status.success(), "git {arguments:?} did it");
        String::from_utf8(done.stderr).unwrap()
    }

    pub fn clone(&self, path: &str, password: &str) -> PathBuf {
        let target = tempfile::Builder::new()
            .tempdir_in(self.folder.path())
            .unwrap()
            .keep();
        let text = target.to_str().unwrap().to_owned();
        self.good(
            self.folder.path(),
            password,
            &["clone", "-q", &self.url(path), &text],
        );
        target
    }

    /// Commits a file in a clone.
    pub fn commit(&self, clone: &Path, name: &str, content: &[u8]) -> String {
        let path = clone.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self.good(clone, "", &["add", "-A"]);
        self.good(clone, "", &["commit", "-q", "-m", &format!("Add {name}")]);
        self.good(clone, "", &["rev-parse", "HEAD"])
    }

    /// What the API serves for a path.
    pub fn fetch(&self, password: &str, path: &str) -> (u16, Vec<u8>) {
        self.curl(password, path, "")
    }

    /// Commits a file through the API.
    pub fn upload(&self, password: &str, id: &str, path: &str, content: &str) -> u16 {
        let header = json!({ "key": "header", "value": { "summary": "Upload" } });
        let file = json!({ "key": "file", "value": { "path": path, "content": STANDARD.encode(content), "encoding": "base64" } });
        let body = self.folder.path().join(format!("{path}.ndjson"));
        std::fs::write(&body, format!("{header}\n{file}\n")).unwrap();
        let sent = format!("data-binary = \"@{}\"\n", body.display());
        self.curl(password, &format!("api/models/{id}/commit/main"), &sent)
            .0
    }

    /// Runs curl; the password is passed on its standard input, never as an argument.
    pub fn curl(&self, password: &str, path: &str, more: &str) -> (u16, Vec<u8>) {
        let mut curl = Command::new("curl")
            .args([
                "-q",
                "-sS",
                "--noproxy",
                "*",
                "-K",
                "-",
                "-w",
                "%{stderr}%{http_code}",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = format!(
            "url = \"{}\"\nheader = \"Authorization: Bearer {password}\"\n{more}",
            self.url(path)
        );
        curl.stdin
            .take()
            .unwrap()
            .write_all(asked.as_bytes())
            .unwrap();
        let done = curl.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        (
            said.trim().parse().unwrap_or_else(|_| panic!("{said}")),
            done.stdout,
        )
    }

    /// The number of pushes in progress.
    pub fn pushes(&self) -> usize {
        let folder = self.hub.data().join("git/pushes");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// The bare repository on disk.
    pub fn bare(&self) -> PathBuf {
        let models = self.hub.data().join("repositories/models");
        let id = self
            .hub
            .set_private(RepositoryType::Model, "alice/m", true)
            .unwrap()
            .id;
        models.join(format!("{id}.git"))
    }
}

#[test]
fn what_is_pushed_is_served_and_what_is_uploaded_is_fetched() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    assert!(clone.join(".gitattributes").exists());
    workspace.commit(&clone, "a b/é.txt", b"hello");
    workspace.good(&clone, &token, &["push", "-q", "origin", "main"]);
    assert_eq!(
        workspace.fetch(&token, "alice/m/resolve/main/a%20b/%C3%A9.txt"),
        (200, b"hello".to_vec())
    );
    assert_eq!(
        workspace.upload(&token, "alice/m", "new.txt", "from the API"),
        200
    );
    workspace.good(&clone, &token, &["pull", "-q"]);
    assert_eq!(
        std::fs::read(clone.join("new.txt")).unwrap(),
        b"from the API"
    );
    // Also under the other spelling.
    workspace.clone("alice/m.git", &token);
    workspace.good(&workspace.bare(), "", &["fsck", "--strict"]);
}

#[test]
fn branches_tags_force_and_shallow() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    let first = workspace.commit(&clone, "one", b"1");
    let second = workspace.commit(&clone, "two", b"2");
    workspace.good(&clone, "", &["tag", "v1", &first]);
    workspace.good(&clone, "", &["tag", "-a", "v2", "-m", "Two"]);
    workspace.good(
        &clone,
        &token,
        &["push", "-q", "origin", "main", "main:dev/x", "v1", "v2"],
    );
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/v1/one").0, 200);
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/v1/two").0, 404);
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/v2/two").0, 200);
    assert_eq!(
        workspace.fetch(&token, "alice/m/resolve/dev%2Fx/two").0,
        200
    );
    workspace.good(&clone, &token, &["push", "-q", "origin", ":dev/x"]);
    assert_eq!(
        workspace.fetch(&token, "alice/m/resolve/dev%2Fx/two").0,
        404
    );

    workspace.good(&clone, "", &["reset", "-q", "--hard", &first]);
    let other = workspace.commit(&clone, "three", b"3");
    let refused = workspace.bad(&clone, &token, &["push", "origin", "main"]);
    assert!(
        refused.contains("non-fast-forward") || refused.contains("fetch first"),
        "{refused}"
    );
    workspace.good(&clone, &token, &["push", "-q", "--force", "origin", "main"]);
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/main/two").0, 404);
    assert_eq!(
        workspace
            .fetch(&token, &format!("alice/m/resolve/{other}/three"))
            .0,
        200
    );
    assert_ne!(second, other);

    let shallow = workspace.folder.path().join("shallow");
    workspace.good(
        workspace.folder.path(),
        &token,
        &[
            "clone",
            "-q",
            "--depth",
            "1",
            &workspace.url("alice/m"),
            shallow.to_str().unwrap(),
        ],
    );
    assert_eq!(
        workspace.good(&shallow, "", &["rev-list", "--count", "HEAD"]),
        "1"
    );
    workspace.good(&shallow, &token, &["fetch", "-q", "--unshallow"]);
    assert_eq!(
        workspace.good(&shallow, "", &["rev-list", "--count", "HEAD"]),
        "3"
    );
}

#[test]
fn what_may_not_be_pushed_is_told_in_words() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    let head = workspace.commit(&clone, "one", b"1");
    for (target, said) in [
        (":main".to_owned(), "default branch cannot be deleted"),
        ("main:refs/pr/1".to_owned(), "Only branches and tags"),
        ("main:refs/notes/x".to_owned(), "Only branches and tags"),
        (format!("main:refs/heads/{head}"), "hash of a commit"),
    ] {
        let errors = workspace.bad(&clone, &token, &["push", "origin", &target]);
        assert!(
            errors.contains("remote: ") && errors.contains(said),
            "{target}: {errors}"
        );
    }
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/main/one").0, 404);
    assert_eq!(
        workspace
            .good(&clone, &token, &["ls-remote", "--symref", "origin", "HEAD"])
            .lines()
            .next(),
        Some("ref: refs/heads/main\tHEAD")
    );
}

#[test]
fn git_shows_why_a_push_is_refused() {
    let workspace = Workspace::new();
    let write = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &write);
    workspace.commit(&clone, "one", b"1");
    let push = |password: &str, path: &str| {
        workspace.bad(&clone, password, &["push", &workspace.url(path), "main"])
    };
    let read = push(&workspace.token("alice", TokenRole::Read), "alice/m");
    assert!(
        read.contains("remote: You are not authorized to push to this repo."),
        "{read}"
    );
    assert!(
        read.contains("The token in use has the role `read`"),
        "{read}"
    );
    let member = push(&workspace.token("bob", TokenRole::Write), "acme/x");
    assert!(
        member.contains("bob has the role `read` in the organization acme"),
        "{member}"
    );
    let stranger = push(&workspace.token("bob", TokenRole::Write), "alice/m");
    assert!(stranger.contains("not found"), "{stranger}");
    let nobody = push("", "alice/m");
    assert!(
        nobody.contains("could not read Username") || nobody.contains("Authentication failed"),
        "{nobody}"
    );
    let password = push("correct horse battery", "alice/m");
    assert!(
        password.contains("remote: Password authentication in git is no longer supported."),
        "{password}"
    );
    assert_eq!(workspace.fetch(&write, "alice/m/resolve/main/one").0, 404);
}

#[test]
fn symlinks_and_odd_names_are_content() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    std::os::unix::fs::symlink("/etc/passwd", clone.join("link")).unwrap();
    std::os::unix::fs::symlink("../../../hub.sqlite3", clone.join("up")).unwrap();
    workspace.commit(&clone, "back\\slash", b"1");
    workspace.commit(&clone, "line\nbreak", b"2");
    workspace.commit(&clone, "-option", b"3");
    workspace.good(&clone, &token, &["push", "-q", "origin", "main"]);
    let served = |path: &str| workspace.fetch(&token, &format!("alice/m/resolve/main/{path}"));
    assert_eq!(served("link"), (200, b"/etc/passwd".to_vec()));
    assert_eq!(served("up"), (200, b"../../../hub.sqlite3".to_vec()));
    assert_eq!(served("back%5Cslash"), (200, b"1".to_vec()));
    assert_eq!(served("line%0Abreak"), (200, b"2".to_vec()));
    assert_eq!(served("-option"), (200, b"3".to_vec()));
    assert_eq!(served("link/x").0, 404);
    assert_eq!(served("..%2F..%2Fhub.sqlite3").0, 400);
}

#[test]
fn a_commit_and_a_push_never_undo_each_other() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let mut lost = 0;
    for round in 0..6 {
        let clone = workspace.clone("alice/m", &token);
        workspace.commit(&clone, &format!("git-{round}"), b"git");
        let (pushed, uploaded) = std::thread::scope(|scope| {
            let push = scope.spawn(|| {
                workspace
                    .git(&clone, &token, &["push", "-q", "origin", "main"])
                    .status
                    .success()
            });
            let upload = workspace.upload(&token, "alice/m", &format!("api-{round}"), "api");
            (push.join().unwrap(), upload == 200)
        });
        for (name, acknowledged) in [("git", pushed), ("api", uploaded)] {
            let (status, _) =
                workspace.fetch(&token, &format!("alice/m/resolve/main/{name}-{round}"));
            assert_eq!(status == 200, acknowledged, "{name}-{round}");
            lost += u32::from(!acknowledged);
        }
        assert!(pushed || uploaded);
    }
    assert!(lost <= 6);
    workspace.good(&workspace.bare(), "", &["fsck", "--strict"]);
}

/// A push as git sends it, built by hand so that it can be stopped halfway.
fn push_body(workspace: &Workspace, clone: &Path, old: &str, new: &str) -> Vec<u8> {
    let command = format!("{old} {new} refs/heads/main\0report-status side-band-64k");
    let mut body = format!("{:04x}{command}0000", command.len() + 4).into_bytes();
    let mut pack = Command::new("git")
        .args(["pack-objects", "--stdout", "--revs", "-q"])
        .current_dir(clone)
        .env("HOME", workspace.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let wanted = format!("{new}\n^{old}\n");
    pack.stdin
        .take()
        .unwrap()
        .write_all(wanted.as_bytes())
        .unwrap();
    body.extend(pack.wait_with_output().unwrap().stdout);
    body
}

/// Sends half of a push, and returns once git is processing it.
fn begin_push(workspace: &Workspace, token: &str, body: &[u8]) -> TcpStream {
    let host = workspace.hub.endpoint().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /alice/m.git/git-receive-pack HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-git-receive-pack-request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body[..body.len() / 2]).unwrap();
    until(|| workspace.pushes() > 0);
    stream
}

#[test]
fn a_client_that_goes_away_takes_git_with_it() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    let old = workspace.good(&clone, "", &["rev-parse", "HEAD"]);
    let new = workspace.commit(&clone, "one", &vec![7; 1 << 20]);
    let body = push_body(&workspace, &clone, &old, &new);
    drop(begin_push(&workspace, &token, &body));
    until(|| workspace.pushes() == 0);
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/main/one").0, 404);
    workspace.good(&clone, &token, &["push", "-q", "origin", "main"]);
    assert_eq!(workspace.fetch(&token, "alice/m/resolve/main/one").0, 200);
}

#[test]
fn rights_that_end_during_a_push_end_the_push() {
    let workspace = Workspace::new();
    let token = workspace.token("alice", TokenRole::Write);
    let other = workspace.token("alice", TokenRole::Write);
    let clone = workspace.clone("alice/m", &token);
    let old = workspace.good(&clone, "", &["rev-parse", "HEAD"]);
    let new = workspace.commit(&clone, "one", b"1");
    let body = push_body(&workspace, &clone, &old, &new);
    for (deleted, said) in [(true, "Invalid credentials"), (false, "ok refs/heads/main")] {
        let used = if deleted { &other } else { &token };
        let mut stream = begin_push(&workspace, used, &body);
        if deleted {
            let tokens = workspace.hub.list_tokens("alice").unwrap();
            workspace.hub.delete_token("alice", &tokens[1].id).unwrap();
        }
        stream.write_all(&body[body.len() / 2..]).unwrap();
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(said), "{answer}");
        let expected = if deleted { 404 } else { 200 };
        assert_eq!(
            workspace.fetch(&token, "alice/m/resolve/main/one").0,
            expected
        );
    }
}

#[test]
fn without_git_the_rest_works() {
    let empty = TempDir::new().unwrap();
    let workspace = Workspace::with(&HubOptions {
        search_path: Some(empty.path().into()),
        ..HubOptions::default()
    });
    let token = workspace.token("alice", TokenRole::Write);
    assert_eq!(workspace.upload(&token, "alice/m", "a", "1"), 200);
    let (status, text) = workspace.fetch(&token, "alice/m/info/refs?service=git-upload-pack");
    assert_eq!(status, 501);
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("is not installed")
    );
}
