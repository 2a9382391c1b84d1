//! Xet in-process: who gets a token, and what is refused.

use axum::body::Body;
use serde_json::json;
use xet_core_structures::merklehash::{MerkleHash, compute_data_hash, xorb_hash};
use xet_core_structures::metadata_shard::file_structs::{FileMetadataExt, FileVerificationEntry};
use xet_core_structures::xorb_object::{
    CompressionScheme, XorbChunkHeader, serialize_chunk, write_chunk_header,
};

use super::content::prepared;
use super::support::world::{Answer, ENDPOINT, World};
use super::support::xet::{CHUNK, Packed, XetToken, pack, shard};

fn packed(seed: u8) -> Packed {
    let data: Vec<u8> = (0..CHUNK * 3)
        .map(|index| index.to_le_bytes()[0] ^ seed)
        .collect();
    pack(&data, CompressionScheme::LZ4)
}

fn refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains(reason), "{}", answer.text());
}

/// Sends a xorb under the hash that its chunks have.
fn send(world: &World, xet: &XetToken, hash: &MerkleHash, body: &[u8]) -> Answer {
    world.xet_ask("POST", xet, &format!("/xorbs/default/{}", hash.hex()), body)
}

#[test]
fn the_access_token_decides_which_token_of_xet_there_is() {
    let (world, token) = prepared();
    let reading = world.token("alice", "r", "read");
    let stranger = world.token("bob", "w", "write");
    assert_eq!(world.create(&token, "alice/public", false).status, 200);
    for (repository, right, caller, status) in [
        ("models/alice/m", "read", Some(&token), 200),
        ("models/alice/m", "write", Some(&token), 200),
        ("models/alice/m", "read", Some(&reading), 200),
        ("models/alice/m", "write", Some(&reading), 403),
        ("models/alice/m", "read", Some(&stranger), 404),
        ("models/alice/m", "write", Some(&stranger), 404),
        ("models/alice/m", "read", None, 401),
        ("models/alice/public", "read", None, 200),
        ("models/alice/public", "read", Some(&stranger), 200),
        ("models/alice/public", "write", Some(&stranger), 403),
        ("models/alice/public", "write", None, 401),
        ("models/alice/missing", "read", Some(&token), 404),
    ] {
        let answer = world.xet_token(repository, right, caller.map(String::as_str));
        assert_eq!(
            answer.status,
            status,
            "{repository} {right}: {}",
            answer.text()
        );
        if status == 200 {
            let body = answer.json();
            assert_eq!(answer.header("x-xet-cas-url"), body["casUrl"]);
            assert_eq!(answer.header("x-xet-access-token"), body["accessToken"]);
            let end = body["exp"].as_i64().unwrap();
            assert_eq!(answer.header("x-xet-token-expiration"), end.to_string());
            assert_eq!(end, super::support::world::START + 900);
            assert_eq!(answer.header("cache-control"), "no-store");
            let caller = caller.map_or("", String::as_str);
            assert!(caller.is_empty() || !answer.text().contains(caller));
        }
    }
    let query = "/api/models/alice/m/xet-write-token/main?create_pr=1";
    assert_eq!(world.get(query, Some(&token)).status, 400);
    let audit = world.admin("GET", "audit?limit=100", None).text();
    assert!(audit.contains("repository.upload"), "{audit}");
}

#[test]
fn a_token_of_xet_is_for_one_right_and_one_repository_until_its_end() {
    let (world, token) = prepared();
    assert_eq!(world.create(&token, "alice/other", true).status, 200);
    let packed = packed(1);
    let (read, write) = (world.xet("read", &token), world.xet("write", &token));
    assert_eq!(world.send_xorb(&read, &packed).status, 403);
    assert_eq!(
        world
            .xet_ask("POST", &read, "/shards", &packed.shard())
            .status,
        403
    );
    let chunk = format!("/chunks/default/{}", packed.chunks[0].0.hex());
    assert_eq!(world.xet_ask("GET", &read, &chunk, b"").status, 403);
    world.send_file(&write, &packed);
    // One that writes also reads, as the access token does.
    let path = format!("/reconstructions/{}", packed.file_hash.hex());
    assert_eq!(world.xet_ask("GET", &write, &path, b"").status, 200);
    let elsewhere = XetToken {
        store: write.store.clone(),
        ..world.xet_of("models/alice/other", "write", &token)
    };
    for forged in [
        elsewhere,
        XetToken {
            store: write.store.clone(),
            token: token.clone(),
        },
        XetToken {
            store: write.store.clone(),
            token: "xet_x".to_owned(),
        },
        XetToken {
            store: write.store.replace("/alice/m/", "/alice/other/"),
            token: write.token.clone(),
        },
    ] {
        assert_eq!(world.xet_ask("GET", &forged, &path, b"").status, 401);
        assert_eq!(world.send_xorb(&forged, &packed).status, 401);
    }
    let nobody = world.get(&format!("{}/v1{path}", write.store), None);
    assert_eq!(nobody.status, 401);
    world.pass(899);
    assert_eq!(world.xet_ask("GET", &write, &path, b"").status, 200);
    world.pass(1);
    assert_eq!(world.xet_ask("GET", &write, &path, b"").status, 401);
}

#[test]
fn tokens_and_links_die_with_the_access_token_and_the_right() {
    let (world, token) = prepared();
    let packed = packed(1);
    let uploader = world.token("alice", "uploader", "write");
    let write = world.xet("write", &uploader);
    world.send_file(&write, &packed);
    let path = format!("/reconstructions/{}", packed.file_hash.hex());
    let body = world.xet_ask("GET", &write, &path, b"").json();
    let url = body["fetch_info"][packed.xorb_hash.hex()][0]["url"]
        .as_str()
        .unwrap();
    let link = url.strip_prefix(ENDPOINT).unwrap().to_owned();
    assert_eq!(world.get(&link, None).status, 200);
    for wrong in [link.replace("link=", "link=x"), link.replace("?link=", "?")] {
        assert_eq!(world.get(&wrong, None).status, 403, "{wrong}");
    }
    let other = link.replace(&packed.xorb_hash.hex(), &MerkleHash::from([7; 32]).hex());
    assert_eq!(world.get(&other, None).status, 403);
    let body = json!({ "credentials": [uploader] });
    assert_eq!(
        world.post("/api/credentials/revoke", None, &body).status,
        202
    );
    assert_eq!(world.xet_ask("GET", &write, &path, b"").status, 401);
    assert_eq!(world.send_xorb(&write, &packed).status, 401);
    assert_eq!(world.get(&link, None).status, 401);
    // A repository that was deleted and created again is another one.
    let write = world.xet("write", &token);
    assert_eq!(world.delete(&token, "m").status, 200);
    assert_eq!(world.create(&token, "alice/m", true).status, 200);
    assert_eq!(world.xet_ask("GET", &write, &path, b"").status, 401);
    assert_ne!(world.xet("write", &token).store, write.store);
}

#[test]
fn a_xorb_is_what_its_hash_says() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let (one, two) = (packed(1), packed(2));
    refused(
        &send(&world, &xet, &two.xorb_hash, &one.xorb),
        "announced hash",
    );
    refused(&send(&world, &xet, &one.xorb_hash, b""), "no chunks");
    let cut = &one.xorb[..one.xorb.len() - 1];
    refused(&send(&world, &xet, &one.xorb_hash, cut), "ends too early");
    let more = [&one.xorb[..], b"XETBLOX"].concat();
    assert_eq!(send(&world, &xet, &one.xorb_hash, &more).status, 400);
    for index in 0..one.xorb.len() {
        let mut changed = one.xorb.clone();
        changed[index] ^= 1;
        // A bit of LZ4's own header may say nothing.
        let answer = send(&world, &xet, &one.xorb_hash, &changed);
        assert!(
            matches!(answer.status, 200 | 400),
            "{index}: {}",
            answer.text()
        );
        if answer.status == 200 && answer.json()["was_inserted"] == true {
            let stored = world.xet_ask("POST", &xet, "/shards", &one.shard());
            assert_eq!(stored.status, 200, "{index}: {}", stored.text());
        }
    }
    assert_eq!(world.send_xorb(&xet, &two).status, 200);
}

#[test]
fn a_few_bytes_do_not_unpack_to_many() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let bomb = vec![0_u8; 16 << 20];
    for scheme in [CompressionScheme::LZ4, CompressionScheme::ByteGrouping4LZ4] {
        let packed = scheme.compress_from_slice(&bomb).unwrap();
        let length = u32::try_from(packed.len()).unwrap();
        let mut xorb = Vec::new();
        write_chunk_header(&mut xorb, &XorbChunkHeader::new(scheme, length, 131_072)).unwrap();
        xorb.extend_from_slice(&packed);
        let hash = xorb_hash(&[(compute_data_hash(&bomb), bomb.len() as u64)]);
        assert!(xorb.len() < 200_000);
        refused(&send(&world, &xet, &hash, &xorb), "too long when unpacked");
    }
    // A header that lies about the length.
    let chunk = vec![7; 100];
    let mut xorb = Vec::new();
    write_chunk_header(
        &mut xorb,
        &XorbChunkHeader::new(CompressionScheme::None, 100, 99),
    )
    .unwrap();
    xorb.extend_from_slice(&chunk);
    let hash = xorb_hash(&[(compute_data_hash(&chunk), 100)]);
    refused(&send(&world, &xet, &hash, &xorb), "longer or shorter");
    // Many chunks that are small when packed.
    let zeros = vec![0; 131_072];
    let (mut xorb, mut chunks) = (Vec::new(), Vec::new());
    for _ in 0..513 {
        serialize_chunk(&zeros, &mut xorb, CompressionScheme::LZ4).unwrap();
        chunks.push((compute_data_hash(&zeros), zeros.len() as u64));
    }
    refused(&send(&world, &xet, &xorb_hash(&chunks), &xorb), "at most");
}

#[test]
fn a_shard_is_true_in_everything_or_not_taken() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let (here, missing) = (packed(1), packed(2));
    assert_eq!(world.send_xorb(&xet, &here).status, 200);
    let take = |body: &[u8]| world.xet_ask("POST", &xet, "/shards", body);
    refused(&take(&missing.shard()), "is not in this repository");
    refused(&take(b""), "too early");
    refused(&take(&here.shard()[..60]), "");
    let mut flipped = here.shard();
    flipped[0] ^= 1;
    refused(&take(&flipped), "not valid");
    let with =
        |change: &dyn Fn(&mut xet_core_structures::metadata_shard::file_structs::MDBFileInfo)| {
            let mut file = here.file_info();
            change(&mut file);
            take(&shard(&[here.xorb_info()], &[file]))
        };
    refused(
        &with(&|file| file.metadata.file_hash = MerkleHash::from([7; 32])),
        "the hash",
    );
    refused(
        &with(&|file| file.segments[0].unpacked_segment_bytes += 1),
        "A range",
    );
    refused(
        &with(&|file| file.segments[0].chunk_index_end += 1),
        "not there",
    );
    refused(
        &with(&|file| file.segments[0].chunk_index_start = 3),
        "not there",
    );
    refused(
        &with(&|file| {
            file.verification = vec![FileVerificationEntry::new(MerkleHash::from([7; 32]))];
        }),
        "A range",
    );
    refused(
        &with(&|file| {
            file.metadata_ext = Some(FileMetadataExt::new(MerkleHash::from([7; 32])));
        }),
        "SHA-256",
    );
    let mut listed = here.xorb_info();
    listed.chunks[1].chunk_hash = MerkleHash::from([7; 32]);
    refused(
        &take(&shard(&[listed], &[here.file_info()])),
        "other chunks",
    );
    let mut listed = here.xorb_info();
    listed.chunks.pop();
    listed.metadata.num_entries -= 1;
    refused(&take(&shard(&[listed], &[])), "other chunks");
    // Nothing of all that is visible.
    let path = format!("/reconstructions/{}", here.file_hash.hex());
    assert_eq!(world.xet_ask("GET", &xet, &path, b"").status, 404);
    assert_eq!(take(&here.shard()).json(), json!({ "result": 1 }));
    assert_eq!(world.xet_ask("GET", &xet, &path, b"").status, 200);
    let store = world.folder.path().join("xet/incoming");
    assert_eq!(std::fs::read_dir(store).unwrap().count(), 0);
}

#[test]
fn version_two_and_what_else_clients_try_is_not_there() {
    let (world, token) = prepared();
    let xet = world.xet("write", &token);
    let hash = packed(1).file_hash.hex();
    for (method, path) in [
        ("POST", "/v2/shards".to_owned()),
        ("GET", format!("/v2/file-chunk-hashes/{hash}")),
        ("POST", format!("/v1/xorb-grants/default/{hash}")),
        ("POST", format!("/v1/xorb-commits/default/{hash}/grant/x")),
    ] {
        let path = format!("{}{path}", xet.store);
        let answer = world.ask(method, &path, Some(&xet.token), &[], Body::empty());
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    assert_eq!(world.xet_ask("POST", &xet, "/telemetry", b"{}").status, 204);
}
