//! Commits are atomic and applied one after the other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::body::Body;
use serde_json::{Value, json};

use super::content::{REPOSITORY, paths, prepared};

fn header() -> Value {
    json!({ "key": "header", "value": { "summary": "s" } })
}

#[test]
fn a_folder_is_deleted_where_the_client_left_it_open() {
    let (world, token) = prepared();
    world.commit(
        &token,
        "alice/m",
        &[("d/x", b"1"), ("d/e/y", b"1"), ("dx", b"1")],
    );
    let lines = [
        header(),
        json!({ "key": "deletedFile", "value": { "path": "d" } }),
    ];
    assert_eq!(world.commit_lines(&token, "alice/m", &lines).status, 200);
    let tree = format!("{REPOSITORY}/tree/main?recursive=True");
    assert_eq!(
        paths(&world.get(&tree, Some(&token))),
        [".gitattributes", "dx"]
    );
}

#[test]
fn one_commit_many_operations_or_none() {
    let (world, token) = prepared();
    world.commit(
        &token,
        "alice/m",
        &[("a", b"1"), ("d/x", b"1"), ("d/e/y", b"1")],
    );
    let file = |path: &str| json!({ "key": "file", "value": { "content": "plain", "path": path, "encoding": "utf-8" } });
    let mixed = [
        header(),
        file("b"),
        json!({ "key": "deletedFile", "value": { "path": "a" } }),
        json!({ "key": "deletedFolder", "value": { "path": "d/e/" } }),
    ];
    assert_eq!(world.commit_lines(&token, "alice/m", &mixed).status, 200);
    let tree = format!("{REPOSITORY}/tree/main?recursive=True");
    assert_eq!(
        paths(&world.get(&tree, Some(&token))),
        [".gitattributes", "b", "d", "d/x"]
    );
    assert_eq!(
        world.get("/alice/m/resolve/main/b", Some(&token)).text(),
        "plain"
    );
    // The second operation fails, so the first one is not applied either.
    let failing = [
        header(),
        file("c"),
        json!({ "key": "deletedFile", "value": { "path": "gone" } }),
    ];
    assert_eq!(
        world.commit_lines(&token, "alice/m", &failing).verdict().1,
        "EntryNotFound"
    );
    assert_eq!(
        world.get("/alice/m/resolve/main/c", Some(&token)).status,
        404
    );
    // A file replaces a folder, and vice versa.
    assert_eq!(
        world
            .commit_lines(&token, "alice/m", &[header(), file("d")])
            .status,
        200
    );
    assert_eq!(
        world
            .commit_lines(&token, "alice/m", &[header(), file("d/z/w")])
            .status,
        200
    );
    assert_eq!(
        paths(&world.get(&tree, Some(&token))),
        [".gitattributes", "b", "d", "d/z", "d/z/w"]
    );
    assert_eq!(
        paths(&world.get(&format!("{REPOSITORY}/tree/main/d"), Some(&token))),
        ["d/z"]
    );
}

#[test]
fn malformed_commits_change_nothing() {
    let (world, token) = prepared();
    let send = |body: &str| {
        world.ask(
            "POST",
            &format!("{REPOSITORY}/commit/main"),
            Some(&token),
            &[],
            Body::from(body.to_owned()),
        )
    };
    let before = world.get(REPOSITORY, Some(&token)).json()["sha"].clone();
    let header = header().to_string();
    for (body, status) in [
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("[]".to_owned(), 400),
        (format!("{header}\n{header}"), 400),
        (
            format!(
                "{header}\n{{\"key\":\"file\",\"value\":{{\"path\":\"a\",\"content\":\"!\",\"encoding\":\"base64\"}}}}"
            ),
            400,
        ),
        (
            format!("{header}\n{{\"key\":\"file\",\"value\":{{\"path\":\"a\"}}}}"),
            400,
        ),
        (
            format!("{header}\n{{\"key\":\"lfsFile\",\"value\":{{\"path\":\"a\"}}}}"),
            400,
        ),
        (
            format!("{header}\n{{\"key\":\"bomb\",\"value\":{{}}}}"),
            400,
        ),
        (
            json!({ "key": "header", "value": { "summary": "s", "parentCommit": "0".repeat(40) } })
                .to_string(),
            412,
        ),
    ] {
        assert_eq!(send(&body).status, status, "{body}");
    }
    assert_eq!(world.get(REPOSITORY, Some(&token)).json()["sha"], before);
    let elsewhere = world.ask(
        "POST",
        &format!("{REPOSITORY}/commit/nope"),
        Some(&token),
        &[],
        Body::from(header),
    );
    assert_eq!(elsewhere.verdict().1, "RevisionNotFound");
}

#[test]
fn a_body_that_is_cut_off_is_no_commit() {
    let (world, token) = prepared();
    let lines = format!(
        "{}\n{}\n",
        header(),
        json!({ "key": "file", "value": { "content": "", "path": "half" } })
    );
    let path = format!("{REPOSITORY}/commit/main");
    let cut = Body::new(CutOff(Some(lines.into_bytes())));
    assert_eq!(world.ask("POST", &path, Some(&token), &[], cut).status, 400);
    assert_eq!(
        world.get("/alice/m/resolve/main/half", Some(&token)).status,
        404
    );
}

/// A body that fails after its first chunk, as if the connection broke.
struct CutOff(Option<Vec<u8>>);

impl axum::body::HttpBody for CutOff {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(Some(match self.0.take() {
            Some(data) => Ok(hyper::body::Frame::data(data.into())),
            None => Err(std::io::ErrorKind::ConnectionReset.into()),
        }))
    }
}

#[test]
fn parallel_commits_lose_nothing() {
    let (world, token) = prepared();
    let world = Arc::new(world);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let (world, token) = (Arc::clone(&world), token.clone());
            std::thread::spawn(move || {
                for number in 0..5 {
                    let path = format!("{thread}/{number}");
                    assert_eq!(
                        world.commit(&token, "alice/m", &[(&path, b"x")]).status,
                        200
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let listed = world.get(
        &format!("{REPOSITORY}/tree/main?recursive=true"),
        Some(&token),
    );
    assert_eq!(
        paths(&listed)
            .iter()
            .filter(|path| path.contains('/'))
            .count(),
        40
    );
    let log = world.get(&format!("{REPOSITORY}/commits/main"), Some(&token));
    assert_eq!(log.header("x-total-count"), "41");
}

/// A body that pauses halfway while something else happens.
struct Interrupted(Option<(Vec<u8>, Sender<()>, Receiver<()>)>);

impl axum::body::HttpBody for Interrupted {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|(data, begin, happened)| {
            begin.send(()).unwrap();
            happened.recv().unwrap();
            Ok(hyper::body::Frame::data(data.into()))
        }))
    }
}

#[test]
fn a_token_that_dies_during_an_upload_commits_nothing() {
    let (world, token) = prepared();
    let world = Arc::new(world);
    let lines = format!(
        "{}\n{}\n",
        header(),
        json!({ "key": "file", "value": { "content": "", "path": "late" } })
    );
    let (begin, started) = channel();
    let (happen, happened) = channel();
    let body = Body::new(Interrupted(Some((lines.into_bytes(), begin, happened))));
    let (uploading, path) = (Arc::clone(&world), format!("{REPOSITORY}/commit/main"));
    let used = token.clone();
    let upload = std::thread::spawn(move || uploading.ask("POST", &path, Some(&used), &[], body));
    started.recv().unwrap();
    assert_eq!(
        world.admin("DELETE", "users/alice/tokens/w", None).status,
        204
    );
    happen.send(()).unwrap();
    assert_eq!(upload.join().unwrap().status, 401);
    let other = world.token("alice", "other", "read");
    assert_eq!(
        world.get("/alice/m/resolve/main/late", Some(&other)).status,
        404
    );
}
