//! Xet in-process: tokens, uploads, reconstructions, and what git, LFS and plain requests make of it.

use axum::body::Body;
use serde_json::json;
use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::shard_in_memory::MDBInMemoryShard;
use xet_core_structures::xorb_object::CompressionScheme;

use super::content::{REPOSITORY, prepared};
use super::support::world::{Answer, ENDPOINT, World};
use super::support::xet::{CHUNK, Packed, XetToken, pack};

fn data(length: usize, seed: u32) -> Vec<u8> {
    (0..length)
        .map(|index| {
            let number = u32::try_from(index).unwrap().wrapping_add(seed * 7919);
            number.wrapping_mul(2_654_435_761).to_le_bytes()[2] & 0x3f
        })
        .collect()
}

fn commit(world: &World, token: &str, path: &str, packed: &Packed) -> Answer {
    world.commit_large(token, path, &packed.sha256(), packed.data.len())
}

#[test]
fn there_and_back_with_every_compression() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    for (number, scheme) in [
        CompressionScheme::None,
        CompressionScheme::LZ4,
        CompressionScheme::ByteGrouping4LZ4,
    ]
    .into_iter()
    .enumerate()
    {
        let content = data(CHUNK * 5 + 123, u32::try_from(number).unwrap());
        let packed = pack(&content, scheme);
        // Before its content is here, a commit cannot refer to it.
        assert_eq!(commit(&world, &token, "w.bin", &packed).status, 400);
        assert_eq!(
            world.send_xorb(&xet, &packed).json(),
            json!({ "was_inserted": true })
        );
        assert_eq!(
            world.send_xorb(&xet, &packed).json(),
            json!({ "was_inserted": false })
        );
        assert_eq!(commit(&world, &token, "w.bin", &packed).status, 400);
        let shard = packed.shard();
        for result in [1, 0] {
            let answer = world.xet_ask("POST", &xet, "/shards", &shard);
            assert_eq!(answer.json(), json!({ "result": result }));
        }
        assert_eq!(commit(&world, &token, "w.bin", &packed).status, 200);
        let read = world.xet("read", &token);
        let path = format!("/reconstructions/{}", packed.file_hash.hex());
        let answer = world.xet_ask("GET", &read, &path, b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(world.fetch_file(&answer.json()), content);
        let head = world.xet_ask(
            "HEAD",
            &read,
            &format!("/files/{}", packed.file_hash.hex()),
            b"",
        );
        assert_eq!((head.status, head.header("content-length")), (200, "5123"));
    }
}

#[test]
fn a_part_of_a_file_names_only_the_chunks_that_it_needs() {
    let (world, token) = prepared();
    let content = data(CHUNK * 5 + 123, 1);
    let packed = pack(&content, CompressionScheme::LZ4);
    world.send_file(&world.xet("write", &token), &packed);
    let read = world.xet("read", &token);
    let path = format!("/reconstructions/{}", packed.file_hash.hex());
    let ask = |range: &str| world.xet_ask_with("GET", &read, &path, &[("range", range)], b"");
    for (range, chunks, offset) in [
        ("bytes=0-0", (0, 1), 0),
        ("bytes=999-1000", (0, 2), 999),
        ("bytes=1000-1999", (1, 2), 0),
        ("bytes=1500-4500", (1, 5), 500),
        ("bytes=5000-5122", (5, 6), 0),
        ("bytes=5000-99999", (5, 6), 0),
        ("bytes=-1", (5, 6), 122),
        ("bytes=2500-", (2, 6), 500),
    ] {
        let body = ask(range).json();
        let term = &body["terms"][0]["range"];
        assert_eq!(
            (term["start"].as_u64(), term["end"].as_u64()),
            (Some(chunks.0), Some(chunks.1)),
            "{range}"
        );
        assert_eq!(body["offset_into_first_range"], offset, "{range}");
        let start = usize::try_from(chunks.0).unwrap() * CHUNK + offset;
        let fetched = world.fetch_file(&body);
        assert_eq!(fetched, content[start..start + fetched.len()], "{range}");
    }
    let second = format!("{}/v2{path}", read.store);
    let range = [("range", "bytes=1500-4500")];
    let answer = world.ask("GET", &second, Some(&read.token), &range, Body::empty());
    let (first, second) = (ask("bytes=1500-4500").json(), answer.json());
    assert_eq!(first["terms"], second["terms"]);
    let hash = packed.xorb_hash.hex();
    let (fetch, entry) = (&first["fetch_info"][&hash][0], &second["xorbs"][&hash][0]);
    assert_eq!(entry["ranges"][0]["chunks"], fetch["range"]);
    assert_eq!(entry["ranges"][0]["bytes"], fetch["url_range"]);
    let beyond = ask("bytes=5123-");
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, "bytes */5123")
    );
    let unknown = format!("/reconstructions/{}", MerkleHash::from([7; 32]).hex());
    assert_eq!(world.xet_ask("GET", &read, &unknown, b"").status, 404);
    for malformed in ["x", &packed.file_hash.hex().to_uppercase(), &"0".repeat(63)] {
        let path = format!("/reconstructions/{malformed}");
        assert_eq!(
            world.xet_ask("GET", &read, &path, b"").status,
            400,
            "{path}"
        );
    }
}

#[test]
fn several_files_are_asked_for_at_once() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let packed: Vec<Packed> = (0..3)
        .map(|seed| pack(&data(CHUNK * 3, seed), CompressionScheme::LZ4))
        .collect();
    for each in &packed {
        world.send_file(&xet, each);
    }
    let mut query: Vec<String> = packed
        .iter()
        .map(|each| format!("file_id={}", each.file_hash.hex()))
        .collect();
    query.push(format!("file_id={}", MerkleHash::from([7; 32]).hex()));
    let path = format!("/reconstructions?{}", query.join("&"));
    let body = world
        .xet_ask("GET", &world.xet("read", &token), &path, b"")
        .json();
    assert_eq!(body["files"].as_object().unwrap().len(), 3);
    for each in &packed {
        let one = json!({
            "offset_into_first_range": 0,
            "terms": body["files"][each.file_hash.hex()],
            "fetch_info": body["fetch_info"],
        });
        assert_eq!(world.fetch_file(&one), each.data);
    }
    let many = vec![format!("file_id={}", MerkleHash::from([7; 32]).hex()); 3].join("&");
    assert_eq!(
        world
            .xet_ask(
                "GET",
                &world.xet("read", &token),
                &format!("/reconstructions?{many}"),
                b""
            )
            .json()["files"],
        json!({})
    );
}

#[test]
fn one_file_for_every_kind_of_client() {
    let (world, token) = prepared();
    let content = data(CHUNK * 5 + 123, 1);
    let packed = pack(&content, CompressionScheme::LZ4);
    world.send_file(&world.xet("write", &token), &packed);
    assert_eq!(commit(&world, &token, "w.bin", &packed).status, 200);
    let path = "/alice/m/resolve/main/w.bin";
    // Without Xet: the content, with ranges.
    let whole = world.get(path, Some(&token));
    assert_eq!(whole.body, content);
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=999-1000", 999..1001),
        ("bytes=1000-3999", 1000..4000),
        ("bytes=-1", 5122..5123),
        ("bytes=4321-", 4321..5123),
    ] {
        let answer = world.ask(
            "GET",
            path,
            Some(&token),
            &[("range", range)],
            Body::empty(),
        );
        assert_eq!(
            (answer.status, &answer.body[..]),
            (206, &content[part]),
            "{range}"
        );
    }
    let head = world.ask("HEAD", path, Some(&token), &[], Body::empty());
    let oid = packed.sha256();
    assert_eq!(head.header("etag"), format!("\"{oid}\""));
    assert_eq!(head.header("x-linked-size"), "5123");
    assert_eq!(head.header("x-xet-hash"), packed.file_hash.hex());
    let commit_id = head.header("x-repo-commit");
    let store = world.xet("read", &token).store;
    assert_eq!(
        head.header("link"),
        format!(
            "<{ENDPOINT}/api/models/alice/m/xet-read-token/{commit_id}>; rel=\"xet-auth\", \
             <{ENDPOINT}{store}/v1/reconstructions/{}>; rel=\"xet-reconstruction-info\"",
            packed.file_hash.hex()
        )
    );
    // huggingface.js asks for this in place of the content.
    let accept = [
        ("accept", "application/vnd.xet-fileinfo+json, */*"),
        ("range", "bytes=0-0"),
    ];
    let info = world.ask("GET", path, Some(&token), &accept, Body::empty());
    assert_eq!(
        (info.status, info.header("content-type")),
        (200, "application/vnd.xet-fileinfo+json")
    );
    let hash = packed.file_hash.hex();
    assert_eq!(
        info.json(),
        json!({ "hash": hash, "size": 5123, "etag": oid })
    );
    assert_eq!(info.header("x-linked-size"), "5123");
    // In git, a pointer.
    let raw = world.get("/alice/m/raw/main/w.bin", Some(&token));
    assert!(
        raw.text()
            .contains(&format!("oid sha256:{oid}\nsize 5123\n"))
    );
    let tree = world
        .get(&format!("{REPOSITORY}/tree/main"), Some(&token))
        .json();
    let entry = tree
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "w.bin");
    let entry = entry.unwrap();
    assert_eq!(entry["xetHash"], packed.file_hash.hex());
    assert_eq!(entry["lfs"]["oid"], oid);
    // By git-lfs, which does not send it again.
    let batch = |operation: &str| {
        let object = json!({ "oid": oid, "size": 5123 });
        let body = json!({ "operation": operation, "transfers": ["basic"], "objects": [object] });
        let path = "/alice/m.git/info/lfs/objects/batch";
        world.post(path, Some(&token), &body).json()["objects"][0].clone()
    };
    assert!(batch("upload").get("actions").is_none());
    // A client that can send by Xet is told how.
    let other = json!({ "oid": "7".repeat(64), "size": 9 });
    let body = json!({ "operation": "upload", "transfers": ["basic", "xet"], "objects": [other] });
    let answer = world
        .post("/alice/m.git/info/lfs/objects/batch", Some(&token), &body)
        .json();
    assert_eq!(answer["transfer"], "xet");
    let upload = &answer["objects"][0]["actions"]["upload"];
    let header = &upload["header"];
    let sent = XetToken::at(&header["x-xet-cas-url"], &header["x-xet-access-token"]);
    let seven = pack(&data(CHUNK, 7), CompressionScheme::LZ4);
    world.send_file(&sent, &seven);
    let href = upload["href"]
        .as_str()
        .unwrap()
        .strip_prefix(ENDPOINT)
        .unwrap();
    assert_eq!(
        world.get(href, Some(&token)).json()["casUrl"],
        header["x-xet-cas-url"]
    );
    let download = batch("download");
    let href = download["actions"]["download"]["href"].as_str().unwrap();
    let answer = world.get(href.strip_prefix(ENDPOINT).unwrap(), None);
    assert_eq!(answer.body, content);
}

#[test]
fn what_came_by_lfs_has_no_xet_hash_and_is_readable() {
    let (world, token) = prepared();
    let packed = pack(b"hello", CompressionScheme::None);
    let object = json!({ "oid": packed.sha256(), "size": 5 });
    let body = json!({ "operation": "upload", "objects": [object], "hash_algo": "sha_256" });
    let batch = world.post("/alice/m.git/info/lfs/objects/batch", Some(&token), &body);
    assert_eq!(batch.status, 200, "{}", batch.text());
    let href = batch.json()["objects"][0]["actions"]["upload"]["href"].clone();
    let path = href
        .as_str()
        .unwrap()
        .strip_prefix(ENDPOINT)
        .unwrap()
        .to_owned();
    assert_eq!(
        world
            .ask("PUT", &path, None, &[], Body::from("hello"))
            .status,
        200
    );
    assert_eq!(commit(&world, &token, "w.bin", &packed).status, 200);
    let answer = world.get("/alice/m/resolve/main/w.bin", Some(&token));
    assert_eq!(answer.body, b"hello");
    assert_eq!(answer.header("x-xet-hash"), "");
    // Sent again by Xet, it has one.
    world.send_file(&world.xet("write", &token), &packed);
    let answer = world.get("/alice/m/resolve/main/w.bin", Some(&token));
    assert_eq!(answer.body, b"hello");
    assert_eq!(answer.header("x-xet-hash"), packed.file_hash.hex());
}

#[test]
fn chunks_of_this_repository_need_not_be_sent_again() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let packed = pack(&data(CHUNK * 4, 1), CompressionScheme::LZ4);
    let first = packed.chunks[0].0;
    let ask = |xet, chunk: &MerkleHash| {
        world.xet_ask(
            "GET",
            xet,
            &format!("/chunks/default-merkledb/{}", chunk.hex()),
            b"",
        )
    };
    assert_eq!(ask(&xet, &first).status, 404);
    world.send_xorb(&xet, &packed);
    // A xorb alone is not yet an upload.
    assert_eq!(ask(&xet, &first).status, 404);
    world.send_file(&xet, &packed);
    let answer = ask(&xet, &first);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shard = MDBInMemoryShard::from_reader(&mut answer.body.as_slice()).unwrap();
    assert_eq!((shard.num_xorb_entries(), shard.num_file_entries()), (1, 0));
    let hashes: Vec<MerkleHash> = packed.chunks.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(shard.chunk_hash_dedup_query(&hashes).unwrap().0, 4);
    // In another repository, also of the same user, it is as if the chunk did not exist.
    assert_eq!(world.create(&token, "alice/other", true).status, 200);
    let other = world.xet_of("models/alice/other", "write", &token);
    let (here, nowhere) = (ask(&other, &first), ask(&other, &MerkleHash::from([7; 32])));
    assert_eq!((here.status, here.text()), (404, nowhere.text()));
    let shard = world.xet_ask("POST", &other, "/shards", &packed.shard());
    assert_eq!(shard.status, 400);
    assert!(
        shard.text().contains("is not in this repository"),
        "{}",
        shard.text()
    );
}

#[test]
fn it_goes_with_its_repository_and_comes_with_a_backup() {
    let (world, token) = prepared();
    let packed = pack(&data(CHUNK * 4, 1), CompressionScheme::LZ4);
    world.send_file(&world.xet("write", &token), &packed);
    assert_eq!(commit(&world, &token, "w.bin", &packed).status, 200);
    let room = tempfile::TempDir::new().unwrap();
    let now = time::OffsetDateTime::UNIX_EPOCH;
    let target = room.path().join("b.tar");
    let backup = hubtoken_hub::backup(world.folder.path(), &target, now).unwrap();
    let restored = tempfile::TempDir::new().unwrap();
    let inside = restored.path().join("data");
    hubtoken_hub::restore(&backup.path, &inside).unwrap();
    for (from, to) in [(inside.as_path(), restored.path())] {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let again = World::found(restored, super::support::world::START);
    let answer = again.get("/alice/m/resolve/main/w.bin", Some(&token));
    assert_eq!(answer.body, packed.data);
    let stored = world.folder.path().join("xet/models");
    assert_eq!(std::fs::read_dir(&stored).unwrap().count(), 1);
    assert_eq!(world.delete(&token, "m").status, 200);
    assert_eq!(std::fs::read_dir(&stored).unwrap().count(), 0);
}
