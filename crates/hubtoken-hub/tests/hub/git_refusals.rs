//! Requests on git's paths that git would not send: each is rejected without running git.

use std::io::Write as _;

use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::content::prepared;
use super::support::world::{Answer, World};

const PUSH: &str = "application/x-git-receive-pack-request";
const FETCH: &str = "application/x-git-upload-pack-request";

fn post(
    world: &World,
    token: &str,
    service: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Answer {
    world.ask(
        "POST",
        &format!("/alice/m.git/{service}"),
        Some(token),
        headers,
        Body::from(body),
    )
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_challenge_is_one_that_git_heeds() {
    let (world, _) = prepared();
    for path in [
        "/alice/m/info/refs?service=git-upload-pack",
        "/no/body.git/info/refs?service=git-receive-pack",
    ] {
        let answer = world.get(path, None);
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer.header("www-authenticate").starts_with("Basic "),
            "{path}"
        );
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let elsewhere = world.get("/alice/m/resolve/main/x", None);
    assert!(elsewhere.header("www-authenticate").starts_with("Bearer "));
}

/// `info` may be a user name, and `refs` and `lfs` repository names.
#[test]
fn the_api_answers_as_the_api_where_a_name_looks_like_git() {
    let (world, _) = prepared();
    for path in ["/api/models/info/refs", "/api/models/info/lfs/tree/main"] {
        let answer = world.get(path, Some("hf_unknown"));
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer.header("www-authenticate").starts_with("Bearer "),
            "{path}"
        );
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8",
            "{path}"
        );
    }
}

#[test]
fn only_two_services_are_known() {
    let (world, token) = prepared();
    for query in [
        "",
        "?service=git-upload-archive",
        "?service=git-upload-pack%00",
        "?service=../../bin/sh",
        "?x=1",
    ] {
        let answer = world.get(&format!("/alice/m/info/refs{query}"), Some(&token));
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    for path in [
        "/alice/m.git/HEAD",
        "/alice/m.git/objects/info/packs",
        "/alice/m.git/config",
        "/alice/m.git/git-upload-archive",
    ] {
        assert_eq!(world.get(path, Some(&token)).status, 404, "{path}");
    }
    assert_eq!(
        world
            .get("/alice/m.git/git-upload-pack", Some(&token))
            .status,
        405
    );
}

#[test]
fn names_lead_nowhere_else() {
    let (world, token) = prepared();
    for name in [
        "..%2F..",
        "m.git.git",
        ".git",
        "%2e%2e",
        "m%00",
        "m%2Fobjects",
    ] {
        let path = format!("/alice/{name}/info/refs?service=git-upload-pack");
        let answer = world.get(&path, Some(&token));
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.status
        );
    }
}

#[test]
fn the_content_type_keeps_web_pages_out() {
    let (world, token) = prepared();
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", FETCH)],
    ] {
        assert_eq!(
            post(
                &world,
                &token,
                "git-receive-pack",
                headers,
                b"0000".to_vec()
            )
            .status,
            415
        );
    }
}

#[test]
fn what_is_no_pkt_line_changes_nothing() {
    let (world, token) = prepared();
    let zero = "0".repeat(40);
    let one = "1".repeat(40);
    let bodies: Vec<Vec<u8>> = vec![
        b"hello".to_vec(),
        b"zzzz".to_vec(),
        b"fff0".to_vec(),
        format!("00a0{zero} {one} refs/heads/x\0").into_bytes(),
        b"0005\n0000PACK".to_vec(),
        vec![0xff; 4096],
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        for (service, content_type) in [("git-receive-pack", PUSH), ("git-upload-pack", FETCH)] {
            let answer = post(
                &world,
                &token,
                service,
                &[("content-type", content_type)],
                body.clone(),
            );
            assert_eq!(answer.status, 400, "{service} {shown}: {}", answer.text());
            assert_eq!(answer.text(), "git does not accept this request");
        }
        let refs = world.get("/api/models/alice/m/refs", Some(&token)).json();
        assert_eq!(refs["branches"].as_array().unwrap().len(), 1, "{shown}");
    }
}

/// git uses this to check for authorization before it sends a large push.
#[test]
fn a_push_of_nothing_is_taken() {
    let (world, token) = prepared();
    let headers = [("content-type", PUSH)];
    for nothing in ["0000", "0001"] {
        let answer = post(&world, &token, "git-receive-pack", &headers, nothing.into());
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    }
}

/// A push without objects of its own: lines with an old hash, a new one and a reference name.
fn push(commands: &[String]) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, command) in commands.iter().enumerate() {
        let features = if number == 0 { "\0report-status" } else { "" };
        let line = format!("{command}{features}");
        body.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
    }
    body.extend_from_slice(b"0000PACK\0\0\0\x02\0\0\0\0");
    // The SHA-1 of these twelve bytes.
    body.extend_from_slice(b"\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10");
    body.extend_from_slice(b"\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e");
    body
}

#[test]
fn a_line_feed_in_a_name_hides_no_other_reference() {
    let (world, token) = prepared();
    let refs = || world.get("/api/models/alice/m/refs", Some(&token)).json();
    let head = refs()["branches"][0]["targetCommit"].clone();
    let head = head.as_str().unwrap();
    let zero = "0".repeat(40);
    let hidden = format!("refs/tags/{}", "1".repeat(40));
    let send = |commands: &[String]| {
        let body = push(commands);
        let headers = [("content-type", PUSH)];
        post(&world, &token, "git-receive-pack", &headers, body).text()
    };
    for feeds in ["\n", "\n\n"] {
        let seen = format!("refs/tags/seen{feeds}x");
        // The hook's input must not end before its last line, however fast it is read.
        for _ in 0..8 {
            let text = send(&[
                format!("{zero} {head} {seen}"),
                format!("{zero} {head} {hidden}"),
            ]);
            assert_eq!(refs()["tags"], serde_json::json!([]), "{text}");
        }
    }
    let text = send(&[format!("{zero} {head} refs/tags/plain")]);
    assert_eq!(refs()["tags"].as_array().unwrap().len(), 1, "{text}");
}

#[test]
fn a_bomb_is_too_large() {
    let (world, token) = prepared();
    let bomb = gzip(&vec![b'0'; 80 << 20]);
    for (service, content_type) in [("git-receive-pack", PUSH), ("git-upload-pack", FETCH)] {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let answer = post(&world, &token, service, &headers, bomb.clone());
        assert_eq!(answer.status, 413, "{service}: {}", answer.text());
    }
    let headers = [("content-type", FETCH), ("content-encoding", "gzip")];
    assert_eq!(
        post(
            &world,
            &token,
            "git-upload-pack",
            &headers,
            b"no gzip".to_vec()
        )
        .status,
        400
    );
    let headers = [("content-type", FETCH), ("content-encoding", "br")];
    assert_eq!(
        post(&world, &token, "git-upload-pack", &headers, b"x".to_vec()).status,
        415
    );
}

#[test]
fn a_fetch_cannot_ask_for_ever() {
    let (world, token) = prepared();
    let headers = [("content-type", FETCH)];
    let line = format!("0032want {}\n", "1".repeat(40));
    let body = line.repeat((10 << 20) / line.len() + 1).into_bytes();
    assert_eq!(
        post(&world, &token, "git-upload-pack", &headers, body).status,
        413
    );
}

#[test]
fn a_deleted_repository_is_no_longer_there() {
    let (world, token) = prepared();
    let body = serde_json::json!({ "name": "m", "organization": "alice" });
    assert_eq!(
        world
            .ask(
                "DELETE",
                "/api/repos/delete",
                Some(&token),
                &[],
                Body::from(body.to_string())
            )
            .status,
        200
    );
    let answer = world.get("/alice/m/info/refs?service=git-upload-pack", Some(&token));
    assert_eq!(
        answer.verdict(),
        (404, "RepoNotFound", "Repository not found")
    );
}

#[test]
fn data_sets_and_spaces_have_their_own_addresses() {
    let (world, token) = prepared();
    for (kind, prefix) in [("dataset", "datasets/"), ("space", "spaces/")] {
        let body = serde_json::json!({ "name": "d", "type": kind });
        assert_eq!(
            world.post("/api/repos/create", Some(&token), &body).status,
            200
        );
        let answer = world.get(
            &format!("/{prefix}alice/d/info/refs?service=git-upload-pack"),
            Some(&token),
        );
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/x-git-upload-pack-advertisement")
        );
        assert_eq!(
            world
                .get("/alice/d/info/refs?service=git-upload-pack", Some(&token))
                .status,
            404
        );
    }
}
