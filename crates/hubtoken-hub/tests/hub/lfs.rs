//! Git LFS in-process: batches, links, which uploads are accepted, and what commits make of them.

use std::fmt::Write as _;

use axum::body::Body;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::content::{REPOSITORY, prepared};
use super::support::world::{Answer, ENDPOINT, World};

const OBJECTS: &str = "/alice/m.git/info/lfs/objects";

fn id_of(data: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(data) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn batch(world: &World, token: Option<&str>, operation: &str, data: &[u8]) -> Answer {
    let object = json!({ "oid": id_of(data), "size": data.len() });
    let body = json!({ "operation": operation, "transfers": ["basic"], "objects": [object] });
    world.post(&format!("{OBJECTS}/batch"), token, &body)
}

/// The only object of a response.
fn object(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["objects"][0].clone()
}

/// The path of a link.
fn href(object: &Value, action: &str) -> String {
    let href = object["actions"][action]["href"].as_str();
    let href = href.unwrap_or_else(|| panic!("no {action}: {object}"));
    href.strip_prefix(ENDPOINT).unwrap().to_owned()
}

fn link(world: &World, token: &str, operation: &str, data: &[u8]) -> String {
    href(
        &object(&batch(world, Some(token), operation, data)),
        operation,
    )
}

fn put(world: &World, path: &str, data: &[u8]) -> u16 {
    world
        .ask("PUT", path, None, &[], Body::from(data.to_vec()))
        .status
}

fn upload(world: &World, token: &str, data: &[u8]) {
    let link = link(world, token, "upload", data);
    assert_eq!(put(world, &link, data), 200);
}

fn commit(world: &World, token: &str, path: &str, data: &[u8]) -> Answer {
    world.commit_large(token, path, &id_of(data), data.len())
}

#[test]
fn a_file_is_copied_by_its_object_alone() {
    let (world, token) = prepared();
    let data = vec![7; 1000];
    upload(&world, &token, &data);
    assert_eq!(commit(&world, &token, "a.bin", &data).status, 200);
    let copied = |oid: String| {
        let file = json!({ "path": "b.bin", "algo": "sha256", "oid": oid });
        let lines = [
            json!({ "key": "header", "value": { "summary": "Copy" } }),
            json!({ "key": "lfsFile", "value": file }),
        ];
        world.commit_lines(&token, "alice/m", &lines).status
    };
    assert_eq!(copied(id_of(&data)), 200);
    let copy = world.get("/alice/m/resolve/main/b.bin", Some(&token));
    assert_eq!((copy.status, copy.body.len()), (200, 1000));
    assert_eq!(copied(id_of(b"never sent")), 400);
}

#[test]
fn there_and_back() {
    let (world, token) = prepared();
    let data: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    let asked = batch(&world, Some(&token), "upload", &data);
    assert_eq!(asked.header("content-type"), "application/vnd.git-lfs+json");
    assert_eq!(asked.json()["transfer"], "basic");
    let wanted = object(&asked);
    assert_eq!(put(&world, &href(&wanted, "upload"), &data), 200);
    let about = json!({ "oid": id_of(&data), "size": data.len() });
    let verified = world.post(&href(&wanted, "verify"), Some(&token), &about);
    assert_eq!(verified.status, 200);
    // The link alone suffices as well, as git-lfs uses it.
    let verify = href(&wanted, "verify");
    assert_eq!(world.post(&verify, None, &about).status, 200);
    let bare = verify.split('?').next().unwrap();
    assert_eq!(world.post(bare, None, &about).status, 401);
    let other = json!({ "oid": id_of(b"x"), "size": 1 });
    assert_eq!(world.post(&verify, None, &other).status, 403);
    // There is nothing left to upload.
    assert_eq!(
        object(&batch(&world, Some(&token), "upload", &data)).get("actions"),
        None
    );

    let link = link(&world, &token, "download", &data);
    assert_eq!(world.get(&link, None).body, data);
    let part = world.ask(
        "GET",
        &link,
        None,
        &[("range", "bytes=100-199")],
        Body::empty(),
    );
    assert_eq!((part.status, part.body.as_slice()), (206, &data[100..200]));

    let done = commit(&world, &token, "w.bin", &data);
    assert_eq!(done.status, 200, "{}", done.text());
    let path = "/alice/m/resolve/main/w.bin";
    let file = world.get(path, Some(&token));
    let tag = format!("\"{}\"", id_of(&data));
    assert_eq!(file.body, data);
    for header in ["etag", "x-linked-etag"] {
        assert_eq!(file.header(header), tag);
    }
    assert_eq!(file.header("x-linked-size"), "700000");
    let last = world.ask(
        "GET",
        path,
        Some(&token),
        &[("range", "bytes=-3")],
        Body::empty(),
    );
    assert_eq!((last.status, last.body.as_slice()), (206, &data[699_997..]));
    let same = world.ask(
        "GET",
        path,
        Some(&token),
        &[("if-none-match", &tag)],
        Body::empty(),
    );
    assert_eq!(same.status, 304);
    let head = world.ask("HEAD", path, Some(&token), &[], Body::empty());
    assert_eq!(
        (head.header("content-length"), head.body.len()),
        ("700000", 0)
    );
    let raw = world.get("/alice/m/raw/main/w.bin", Some(&token)).text();
    assert!(
        raw.starts_with("version https://git-lfs.github.com/spec/v1\noid sha256:"),
        "{raw}"
    );

    let tree = world
        .get(&format!("{REPOSITORY}/tree/main"), Some(&token))
        .json();
    let entry = tree
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "w.bin")
        .unwrap()
        .clone();
    assert_eq!(entry["size"], 700_000);
    assert_eq!(
        entry["lfs"],
        json!({ "oid": id_of(&data), "size": 700_000, "pointerSize": raw.len() })
    );
    let info = world
        .get(&format!("{REPOSITORY}?blobs=true"), Some(&token))
        .json();
    let sibling = info["siblings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["rfilename"] == "w.bin")
        .unwrap()
        .clone();
    assert_eq!(
        (sibling["size"].clone(), sibling["lfs"]["sha256"].clone()),
        (json!(700_000), json!(id_of(&data)))
    );
}

#[test]
fn what_is_not_what_was_announced_is_not_taken() {
    let (world, token) = prepared();
    let link = link(&world, &token, "upload", b"hello");
    for wrong in [&b"hallo"[..], b"hell", b"hello!", b""] {
        assert_eq!(put(&world, &link, wrong), 422);
    }
    assert_eq!(
        object(&batch(&world, Some(&token), "download", b"hello"))["error"]["code"],
        404
    );
    assert_eq!(put(&world, &link, b"hello"), 200);
    // Also if the object is already there.
    assert_eq!(put(&world, &link, b"hello"), 200);
    assert_eq!(put(&world, &link, b"hallo"), 422);
    let about = json!({ "oid": id_of(b"hello"), "size": 6 });
    assert_eq!(
        world
            .post(&format!("{OBJECTS}/verify"), Some(&token), &about)
            .status,
        422
    );
    let incoming = world.folder.path().join("lfs/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

#[test]
fn a_link_is_good_for_one_thing_and_not_for_long() {
    let (world, token) = prepared();
    assert_eq!(world.create(&token, "alice/other", true).status, 200);
    let up = link(&world, &token, "upload", b"hello");
    assert!(!up.contains(&token) && !up.contains("hf_"));
    assert_eq!(world.get(&up, None).status, 403);
    assert_eq!(
        put(
            &world,
            &up.replace("/alice/m.git", "/alice/other.git"),
            b"hello"
        ),
        403
    );
    assert_eq!(
        put(
            &world,
            &up.replace(&id_of(b"hello"), &id_of(b"world")),
            b"world"
        ),
        403
    );
    assert_eq!(put(&world, up.split('?').next().unwrap(), b"hello"), 403);
    assert_eq!(put(&world, &format!("{up}x"), b"hello"), 403);
    assert_eq!(
        put(
            &world,
            &format!("{OBJECTS}/{}?link=x", "..%2f..%2fx"),
            b"hello"
        ),
        404
    );
    world.pass(3599);
    assert_eq!(put(&world, &up, b"hello"), 200);
    world.pass(1);
    assert_eq!(put(&world, &up, b"hello"), 403);
}

#[test]
fn a_link_dies_with_its_token() {
    let (world, token) = prepared();
    upload(&world, &token, b"hello");
    let other = world.token("alice", "other", "write");
    let (up, down) = (
        link(&world, &other, "upload", b"world"),
        link(&world, &other, "download", b"hello"),
    );
    assert_eq!(world.get(&down, None).status, 200);
    assert_eq!(
        world
            .admin("DELETE", "users/alice/tokens/other", None)
            .status,
        204
    );
    assert_eq!(world.get(&down, None).status, 401);
    assert_eq!(put(&world, &up, b"world"), 401);
}

#[test]
fn who_may_not_write_may_not_upload() {
    let (world, token) = prepared();
    let read = world.token("alice", "r", "read");
    let refused = batch(&world, Some(&read), "upload", b"hello");
    assert_eq!(refused.status, 403);
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("The token in use has the role `read`"),
        "{message}"
    );
    assert_eq!(
        batch(
            &world,
            Some(&world.token("bob", "b", "write")),
            "download",
            b"hello"
        )
        .status,
        404
    );
    let nobody = batch(&world, None, "download", b"hello");
    assert_eq!(nobody.status, 401);
    for header in ["www-authenticate", "lfs-authenticate"] {
        assert!(nobody.header(header).starts_with("Basic "), "{header}");
    }
    upload(&world, &token, b"hello");
    let fetched = link(&world, &read, "download", b"hello");
    assert_eq!(world.get(&fetched, None).body, b"hello");
}

#[test]
fn another_repository_has_none_of_it() {
    let (world, token) = prepared();
    upload(&world, &token, b"hello");
    assert_eq!(world.create(&token, "alice/other", true).status, 200);
    let body =
        json!({ "operation": "download", "objects": [{ "oid": id_of(b"hello"), "size": 5 }] });
    let asked = world.post(
        "/alice/other.git/info/lfs/objects/batch",
        Some(&token),
        &body,
    );
    assert_eq!(object(&asked)["error"]["code"], 404);
}

#[test]
fn what_is_no_request_of_lfs_is_refused() {
    let (world, token) = prepared();
    let ask = |body: &Value| world.post(&format!("{OBJECTS}/batch"), Some(&token), body);
    let object_with = |oid: &str, size: Value| json!({ "operation": "upload", "objects": [{ "oid": oid, "size": size }] });
    let good = id_of(b"x");
    for (oid, size) in [
        ("../../x", json!(1)),
        (&good[1..], json!(1)),
        (&good.to_uppercase(), json!(1)),
        (&good, json!(-1)),
        (&good, json!(u64::MAX)),
    ] {
        assert_eq!(
            object(&ask(&object_with(oid, size)))["error"]["code"],
            422,
            "{oid}"
        );
    }
    assert_eq!(
        ask(&json!({ "operation": "delete", "objects": [] })).status,
        422
    );
    assert_eq!(
        ask(&json!({ "operation": "upload", "objects": [], "hash_algo": "md5" })).status,
        409
    );
    assert_eq!(ask(&json!({ "operation": "upload" })).status, 400);
    let many: Vec<Value> = (0..10_001)
        .map(|size| json!({ "oid": good, "size": size }))
        .collect();
    assert_eq!(
        ask(&json!({ "operation": "upload", "objects": many })).status,
        413
    );
    let locks = world.post(
        "/alice/m.git/info/lfs/locks/verify",
        Some(&token),
        &json!({}),
    );
    assert_eq!(
        (locks.status, locks.header("content-type")),
        (404, "application/vnd.git-lfs+json")
    );
}

#[test]
fn a_commit_needs_the_object_first() {
    let (world, token) = prepared();
    let early = commit(&world, &token, "w.bin", b"hello");
    assert_eq!(early.status, 400);
    assert!(early.text().contains("is not in LFS"), "{}", early.text());
    assert_eq!(
        world
            .get("/alice/m/resolve/main/w.bin", Some(&token))
            .status,
        404
    );
    // A pointer can arrive through git or as a file, without the object it points to.
    let text = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n",
        id_of(b"hello")
    );
    assert_eq!(
        world
            .commit(&token, "alice/m", &[("w.bin", text.as_bytes())])
            .status,
        200
    );
    let missing = world.get("/alice/m/resolve/main/w.bin", Some(&token));
    assert_eq!(
        (missing.status, missing.header("x-error-code")),
        (404, "EntryNotFound")
    );
    assert!(
        missing.text().contains("never uploaded"),
        "{}",
        missing.text()
    );
    assert_eq!(
        world.get("/alice/m/raw/main/w.bin", Some(&token)).text(),
        text
    );
    upload(&world, &token, b"hello");
    assert_eq!(
        world
            .get("/alice/m/resolve/main/w.bin", Some(&token))
            .text(),
        "hello"
    );
}

#[test]
fn preupload_sends_to_lfs_where_the_hub_was_told_to() {
    let modes = |world: &World, token: &str| -> Vec<String> {
        let files = json!({ "files": [
            { "path": "a.txt", "size": 5, "sample": "" },
            { "path": "model.safetensors", "size": 5, "sample": "" },
            { "path": "empty.bin", "size": 0, "sample": "" },
            { "path": "large.txt", "size": (10 << 20) + 1, "sample": "" },
        ] });
        let answer = world.post(&format!("{REPOSITORY}/preupload/main"), Some(token), &files);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["uploadMode"].as_str().unwrap().to_owned())
            .collect()
    };
    let (world, token) = prepared();
    assert_eq!(modes(&world, &token), ["regular", "lfs", "regular", "lfs"]);
    world.commit(
        &token,
        "alice/m",
        &[(".gitattributes", b"*.txt filter=lfs\n")],
    );
    assert_eq!(modes(&world, &token), ["lfs", "regular", "regular", "lfs"]);
}

#[test]
fn large_files_go_with_their_repository_and_come_with_a_backup() {
    let (world, token) = prepared();
    upload(&world, &token, b"hello");
    assert_eq!(commit(&world, &token, "w.bin", b"hello").status, 200);
    let room = tempfile::TempDir::new().unwrap();
    let now = time::OffsetDateTime::UNIX_EPOCH;
    let backup =
        hubtoken_hub::backup(world.folder.path(), &room.path().join("b.tar"), now).unwrap();
    let restored = room.path().join("restored");
    hubtoken_hub::restore(&backup.path, &restored).unwrap();
    let large = |data: &std::path::Path| -> Vec<std::path::PathBuf> {
        let mut found = vec![data.join("lfs/models")];
        for _ in 0..4 {
            found = found
                .iter()
                .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten())
                .map(|entry| entry.unwrap().path())
                .collect();
        }
        found
    };
    let kept = large(&restored);
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::read(&kept[0]).unwrap(), b"hello");
    assert!(!restored.join("lfs-key").exists());
    assert_eq!(world.delete(&token, "m").status, 200);
    assert_eq!(large(world.folder.path()).len(), 0);
}

#[test]
fn a_large_file_in_git_is_streamed_with_ranges() {
    let (world, token) = prepared();
    let data: Vec<u8> = (0..3_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    assert_eq!(
        world.commit(&token, "alice/m", &[("big", &data)]).status,
        200
    );
    let part = |range: &str| {
        world.ask(
            "GET",
            "/alice/m/resolve/main/big",
            Some(&token),
            &[("range", range)],
            Body::empty(),
        )
    };
    assert_eq!(
        world.get("/alice/m/resolve/main/big", Some(&token)).body,
        data
    );
    assert_eq!(part("bytes=2999990-").body, data[2_999_990..]);
    assert_eq!(
        part("bytes=1000000-1999999").body,
        data[1_000_000..2_000_000]
    );
    assert_eq!(part("bytes=0-0").body, data[..1]);
    // Packed objects are read by the `git` program.
    let models = world.folder.path().join("repositories/models");
    let bare = std::fs::read_dir(models)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let repack = std::process::Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "-C",
            bare.to_str().unwrap(),
            "repack",
            "-adq",
        ])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .unwrap();
    assert!(repack.success());
    assert_eq!(
        world.get("/alice/m/resolve/main/big", Some(&token)).body,
        data
    );
    assert_eq!(part("bytes=2999990-").body, data[2_999_990..]);
    assert_eq!(
        part("bytes=1000000-1999999").body,
        data[1_000_000..2_000_000]
    );
}
