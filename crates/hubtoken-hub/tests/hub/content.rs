//! Files: uploaded, listed, downloaded, deleted.

use axum::body::Body;
use serde_json::json;

use super::support::world::{Answer, World};

pub const REPOSITORY: &str = "/api/models/alice/m";

pub fn prepared() -> (World, String) {
    let world = World::populated();
    let token = world.token("alice", "w", "write");
    assert_eq!(world.create(&token, "alice/m", true).status, 200);
    (world, token)
}

pub fn paths(answer: &Answer) -> Vec<String> {
    answer
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn there_and_back() {
    let (world, token) = prepared();
    let all_bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let done = world.commit(
        &token,
        "alice/m",
        &[
            ("a b/é.txt", b"hello"),
            ("big.bin", &all_bytes),
            ("empty", b""),
        ],
    );
    assert_eq!(done.status, 200);
    let commit = done.json()["commitOid"].as_str().unwrap().to_owned();
    assert_eq!(
        done.json()["commitUrl"],
        format!("http://127.0.0.1:8080/alice/m/commit/{commit}")
    );
    for path in [
        "/alice/m/resolve/main/a%20b/%C3%A9.txt",
        "/alice/m/resolve/main/a%20b%2F%C3%A9.txt",
        "/alice/m/raw/HEAD/a%20b/%C3%A9.txt",
    ] {
        let file = world.get(path, Some(&token));
        assert_eq!(
            (file.status, file.text().as_str()),
            (200, "hello"),
            "{path}"
        );
        assert_eq!(
            file.header("etag"),
            "\"b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0\""
        );
        assert_eq!(file.header("x-repo-commit"), commit);
        assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(
            file.header("content-disposition"),
            "inline; filename*=UTF-8''%C3%A9.txt; filename=\"_.txt\";"
        );
    }
    assert_eq!(
        world
            .get(&format!("/alice/m/resolve/{commit}/big.bin"), Some(&token))
            .body,
        all_bytes
    );
    assert_eq!(
        world
            .get("/alice/m/resolve/refs%2Fheads%2Fmain/empty", Some(&token))
            .body,
        b""
    );
    let head = world.ask(
        "HEAD",
        "/alice/m/resolve/main/big.bin",
        Some(&token),
        &[],
        Body::empty(),
    );
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "100000", 0)
    );
}

#[test]
fn ranges_and_etags() {
    let (world, token) = prepared();
    world.commit(&token, "alice/m", &[("a.txt", b"0123456789")]);
    let path = "/alice/m/resolve/main/a.txt";
    let get =
        |headers: &[(&str, &str)]| world.ask("GET", path, Some(&token), headers, Body::empty());
    let first = get(&[("range", "bytes=0-0")]);
    assert_eq!(
        (
            first.status,
            first.text().as_str(),
            first.header("content-range")
        ),
        (206, "0", "bytes 0-0/10")
    );
    assert_eq!(get(&[("range", "bytes=7-")]).text(), "789");
    assert_eq!(get(&[("range", "bytes=-2")]).text(), "89");
    let beyond = get(&[("range", "bytes=10-")]);
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, "bytes */10")
    );
    let whole = get(&[]);
    assert_eq!(
        (
            whole.header("accept-ranges"),
            whole.header("content-length")
        ),
        ("bytes", "10")
    );
    let tag = whole.header("etag").to_owned();
    let same = get(&[("if-none-match", &tag)]);
    assert_eq!(
        (same.status, same.body.len(), same.header("etag")),
        (304, 0, tag.as_str())
    );
    assert_eq!(get(&[("if-none-match", "\"other\"")]).status, 200);
    assert_eq!(
        get(&[("range", "bytes=7-"), ("if-range", "\"other\"")]).status,
        200
    );
    assert_eq!(
        get(&[("range", "bytes=7-"), ("if-range", &tag)]).status,
        206
    );
}

#[test]
fn what_is_missing() {
    let (world, token) = prepared();
    let head = world.get(REPOSITORY, Some(&token)).json()["sha"]
        .as_str()
        .unwrap()
        .to_owned();
    let entry = world.get("/alice/m/resolve/main/nope", Some(&token));
    assert_eq!(entry.verdict(), (404, "EntryNotFound", "Entry not found"));
    assert_eq!(
        (entry.header("x-repo-commit"), entry.text().as_str()),
        (head.as_str(), "Entry not found")
    );
    let folder = world.get(&format!("{REPOSITORY}/tree/main/nope"), Some(&token));
    assert_eq!(
        (folder.status, folder.header("x-error-code")),
        (404, "EntryNotFound")
    );
    for revision in [
        "x",
        "refs%2Fpr%2F1",
        "main~0",
        "main%3A.gitattributes",
        "deadbeef",
        "..",
        "%40%7Bu%7D",
    ] {
        for path in [
            format!("{REPOSITORY}/revision/{revision}"),
            format!("/alice/m/resolve/{revision}/a"),
        ] {
            let answer = world.get(&path, Some(&token));
            assert_eq!(
                (answer.status, answer.header("x-error-code")),
                (404, "RevisionNotFound"),
                "{path}"
            );
        }
    }
    assert_eq!(
        world
            .get(&format!("{REPOSITORY}/revision/x"), Some(&token))
            .verdict()
            .2,
        "Invalid rev id: x"
    );
    assert_eq!(
        world
            .get(
                &format!("{REPOSITORY}/revision/{}", &head[..8]),
                Some(&token)
            )
            .json()["sha"],
        head
    );
}

#[test]
fn paths_that_lead_out_are_refused() {
    let (world, token) = prepared();
    for path in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        ".git/config",
        "a\\b",
        "a//b",
        "",
        "a\u{0}b",
        "x/.GIT/y",
    ] {
        assert_eq!(
            world.commit(&token, "alice/m", &[(path, b"x")]).status,
            400,
            "{path:?}"
        );
        let preupload = json!({ "files": [{ "path": path }] });
        assert_eq!(
            world
                .post(
                    &format!("{REPOSITORY}/preupload/main"),
                    Some(&token),
                    &preupload
                )
                .status,
            400,
            "{path:?}"
        );
    }
    for path in [
        "..%2Fx",
        "a/..%2f..%2fx",
        "%2Fetc%2Fpasswd",
        "a%00b",
        ".git%2Fconfig",
    ] {
        assert_eq!(
            world
                .get(&format!("/alice/m/resolve/main/{path}"), Some(&token))
                .status,
            400,
            "{path}"
        );
    }
    // A pushed file may have a backslash in its name, and is looked up under exactly that name.
    let odd = world.get("/alice/m/resolve/main/a%5Cb", Some(&token));
    assert_eq!(odd.status, 404);
}

#[test]
fn preupload_says_what_is_ignored() {
    let (world, token) = prepared();
    world.commit(&token, "alice/m", &[(".gitignore", b"nested/*\n*.log\n")]);
    let ignored = |own: Option<&str>| {
        let files: Vec<_> = ["nested/file.bin", "a/b.log", "a.txt"]
            .map(|path| json!({ "path": path, "sample": "", "size": 1 }))
            .into();
        let mut body = json!({ "files": files });
        if let Some(own) = own {
            body["gitIgnore"] = json!(own);
        }
        let path = format!("{REPOSITORY}/preupload/main");
        let answer = world.post(&path, Some(&token), &body).json();
        let files = answer["files"].as_array().unwrap().clone();
        files
            .iter()
            .map(|file| file["shouldIgnore"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ignored(None), [true, true, false]);
    assert_eq!(ignored(Some("a.txt\n")), [false, false, true]);
}

#[test]
fn preupload_limits_the_time_that_patterns_take() {
    let (world, token) = prepared();
    let status = |files: usize, path: usize, patterns: usize| {
        let files: Vec<_> = (0..files)
            .map(|number| json!({ "path": format!("{}/{number:0path$}", "d".repeat(50)), "sample": "", "size": 1 }))
            .collect();
        let body = json!({ "files": files, "gitIgnore": "x".repeat(patterns) });
        let path = format!("{REPOSITORY}/preupload/main");
        let answer = world.post(&path, Some(&token), &body);
        (answer.status, answer.text())
    };
    assert_eq!(status(1000, 4, 10).0, 200);
    let (refused, message) = status(1001, 4, 10);
    assert_eq!(refused, 400, "{message}");
    assert!(message.contains("send at most 1000"), "{message}");
    // The time is the product of the two.
    assert_eq!(status(256, 190, 1000).0, 200);
    assert_eq!(status(256, 190, 64 << 10).0, 200);
    let (refused, message) = status(256, 220, 64 << 10);
    assert_eq!(refused, 400, "{message}");
    assert!(message.contains("send fewer"), "{message}");
    // What is beyond the longest .gitignore is not read, so it does not count.
    assert_eq!(status(256, 190, 1 << 20).0, 200);
}

#[test]
fn preupload_says_what_is_there() {
    let (world, token) = prepared();
    world.commit(&token, "alice/m", &[("a.txt", b"hello"), ("dir/b", b"x")]);
    let body = json!({ "files": [{ "path": "a.txt", "sample": "", "size": 5 }, { "path": "new" }, { "path": "dir" }] });
    let answer = world
        .post(&format!("{REPOSITORY}/preupload/main"), Some(&token), &body)
        .json();
    assert_eq!(
        answer["files"],
        json!([
            { "path": "a.txt", "uploadMode": "regular", "shouldIgnore": false, "oid": "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0" },
            { "path": "new", "uploadMode": "regular", "shouldIgnore": false },
            { "path": "dir", "uploadMode": "regular", "shouldIgnore": false },
        ])
    );
    assert_eq!(answer["commitOid"].as_str().unwrap().len(), 40);
}

#[test]
fn branches_tags_and_the_log() {
    let (world, token) = prepared();
    let first = world.get(REPOSITORY, Some(&token)).json()["sha"].clone();
    world.commit(&token, "alice/m", &[("a", b"1")]);
    let branch = format!("{REPOSITORY}/branch/dev%2Fx");
    assert_eq!(
        world
            .post(&branch, Some(&token), &json!({ "startingPoint": first }))
            .status,
        200
    );
    // A branch with this name would make the commit with that hash unreachable.
    let hash = format!("{REPOSITORY}/branch/{}", "ab".repeat(20));
    assert_eq!(world.post(&hash, Some(&token), &json!({})).status, 400);
    assert_eq!(world.post(&branch, Some(&token), &json!({})).status, 409);
    assert_eq!(
        world
            .post(
                &format!("{REPOSITORY}/tag/main"),
                Some(&token),
                &json!({ "tag": "v1" })
            )
            .status,
        200
    );
    assert_eq!(
        world
            .post(
                &format!("{REPOSITORY}/tag/main"),
                Some(&token),
                &json!({ "tag": "a b" })
            )
            .status,
        400
    );
    let refs = world
        .get(&format!("{REPOSITORY}/refs"), Some(&token))
        .json();
    assert_eq!(
        refs["branches"][0],
        json!({ "name": "dev/x", "ref": "refs/heads/dev/x", "targetCommit": first })
    );
    assert_eq!(refs["tags"][0]["ref"], "refs/tags/v1");
    assert_eq!(world.get("/alice/m/resolve/v1/a", Some(&token)).status, 200);
    assert_eq!(
        world.get("/alice/m/resolve/dev%2Fx/a", Some(&token)).status,
        404
    );
    let log = world.get(&format!("{REPOSITORY}/commits/v1?limit=1"), Some(&token));
    assert_eq!(
        (&log.json()[0]["title"], log.header("x-total-count")),
        (&json!("Upload"), "2")
    );
    assert!(log.header("link").contains("p=1&limit=1>; rel=\"next\""));
    let delete = |path: &str| {
        world.ask(
            "DELETE",
            &format!("{REPOSITORY}/{path}"),
            Some(&token),
            &[],
            Body::empty(),
        )
    };
    assert_eq!(delete("branch/dev%2Fx").status, 200);
    assert_eq!(delete("branch/dev%2Fx").status, 404);
    assert_eq!(delete("branch/main").status, 400);
    assert_eq!(delete("tag/v1").status, 200);
}

#[test]
fn paths_info_and_last_commits() {
    let (world, token) = prepared();
    world.commit(&token, "alice/m", &[("old", b"1"), ("d/x", b"1")]);
    let newest = world.commit(&token, "alice/m", &[("d/x", b"2")]).json()["commitOid"].clone();
    let ask = |body: &str| {
        world.ask(
            "POST",
            &format!("{REPOSITORY}/paths-info/main"),
            Some(&token),
            &[],
            Body::from(body.to_owned()),
        )
    };
    let form = ask("paths=old&paths=d&paths=missing&expand=True").json();
    assert_eq!(
        (
            &form[0]["path"],
            &form[1]["type"],
            form.as_array().unwrap().len()
        ),
        (&json!("old"), &json!("directory"), 2)
    );
    assert_eq!(form[1]["lastCommit"]["id"], newest);
    assert_ne!(form[0]["lastCommit"]["id"], newest);
    assert_eq!(ask("{\"paths\":[\"old\"]}").json()[0]["size"], 1);
    assert_eq!(ask("paths=..%2Fx").status, 400);
}
