//! Tests of the commit parser with malformed bodies and chunks of every size.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::*;
use crate::registry::{Repository, RepositoryType};
use crate::repository::lfs::Objects;
use crate::repository::{Author, Store};

const HEADER: &str = "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n";

fn content() -> OpenRepository {
    thread_local! {
        // One store per test thread, removed with it.
        static STORE: (TempDir, Store) = store();
    }
    STORE.with(|(_, store)| store.open(&Repository::example("d1")).unwrap())
}

fn store() -> (TempDir, Store) {
    let author = Author {
        name: "alice".to_owned(),
        email: "a@b".to_owned(),
        when: OffsetDateTime::UNIX_EPOCH,
    };
    let folder = TempDir::new().unwrap();
    let objects = Objects::new(folder.path());
    let store = Store::new(folder.path().join("repositories"), objects);
    store.create(RepositoryType::Model, "d1", &author).unwrap();
    (folder, store)
}

/// Parses a body that arrives in chunks of this size.
fn read(body: &str, piece: usize) -> Result<CommitRequest, RepositoryError> {
    read_commit(BufReader::with_capacity(piece, body.as_bytes()), &content())
}

fn file(data: &[u8]) -> String {
    let content = STANDARD.encode(data);
    format!(
        "{}\n",
        json!({ "key": "file", "value": { "path": "a", "encoding": "base64", "content": content } })
    )
}

fn blob(request: &CommitRequest) -> Vec<u8> {
    let [Change::Put { blob, .. }] = request.changes.as_slice() else {
        panic!("{request:?}")
    };
    content().blob(*blob, 0..u64::MAX).unwrap()
}

#[test]
fn long_contents_take_the_short_way() {
    let content = content();
    for extra in 0..4 {
        let data = vec![7; (1 << 20) + extra];
        let body = file(&data);
        let line = read_line(
            &mut BufReader::with_capacity(1000, body.as_bytes()),
            &content,
            MAX_BYTES_IN_MEMORY,
        )
        .unwrap()
        .unwrap();
        assert!(line.streamed.is_some());
        assert!(line.json.len() < 200, "{}", line.json.len());
        assert_eq!(
            blob(&read(&format!("{HEADER}{body}"), 65_536).unwrap()),
            data
        );
    }
}

#[test]
fn long_contents_must_be_base64() {
    let long = "a".repeat(3 << 20);
    for line in [
        format!("{{\"key\":\"file\",\"value\":{{\"path\":\"a\",\"content\":\"{long}\"}}}}"),
        format!(
            "{{\"key\":\"file\",\"value\":{{\"content\":\"{long}a\",\"path\":\"a\",\"encoding\":\"base64\"}}}}"
        ),
        format!(
            "{{\"key\":\"file\",\"value\":{{\"content\":\"{long}==aa\",\"path\":\"a\",\"encoding\":\"base64\"}}}}"
        ),
        format!(
            "{{\"key\":\"file\",\"value\":{{\"content\":\"{long}!!!!\",\"path\":\"a\",\"encoding\":\"base64\"}}}}"
        ),
        format!(
            "{{\"key\":\"file\",\"value\":{{\"content\":\"{long}\\u0061\",\"path\":\"a\",\"encoding\":\"base64\"}}}}"
        ),
        format!("{{\"key\":\"file\",\"value\":{{\"content\":\"{long}"),
        format!("{{\"key\":\"header\",\"value\":{{\"content\":\"{long}\",\"summary\":\"s\"}}}}"),
    ] {
        assert!(
            matches!(
                read(&format!("{HEADER}{line}"), 8192),
                Err(RepositoryError::Rejected(_))
            ),
            "{}",
            &line[..60]
        );
    }
    let elsewhere = format!("{{\"key\":\"header\",\"value\":{{\"summary\":\"{long}{long}\"}}}}");
    assert!(matches!(
        read(&elsewhere, 8192),
        Err(RepositoryError::TooLarge(_))
    ));
}

#[test]
fn only_the_content_of_a_file_is_taken_out() {
    let text = "QUJD".repeat(1 << 18);
    let body = format!(
        "{HEADER}{{\"key\":\"file\",\"content\":\"{text}\",\"value\":{{\"path\":\"a\",\"content\":\"\"}}}}"
    );
    assert_eq!(blob(&read(&body, 8192).unwrap()), b"");
    let body = format!(
        "{HEADER}{{\"key\":\"file\",\"x\":{{\"content\":\"{text}\"}},\
         \"value\":{{\"path\":\"a\",\"encoding\":\"base64\",\"content\":\"REVG\"}}}}"
    );
    assert_eq!(blob(&read(&body, 8192).unwrap()), b"DEF");
}

#[test]
fn a_field_that_is_there_twice_is_refused_whichever_is_long() {
    let long = "QUJD".repeat(1 << 19);
    for (first, second) in [
        (long.as_str(), "REVG"),
        ("REVG", &long),
        ("REVG", "QUJD"),
        (&long, ""),
    ] {
        let body = format!(
            "{HEADER}{{\"key\":\"file\",\"value\":{{\"path\":\"a\",\"encoding\":\"base64\",\
             \"content\":\"{first}\",\"cont\\u0065nt\":\"{second}\"}}}}"
        );
        let read = read(&body, 8192);
        assert!(
            matches!(read, Err(RepositoryError::Rejected(_))),
            "{read:?}"
        );
    }
}

#[test]
fn a_quotation_of_the_grammar_is_not_the_grammar() {
    let tricky = "\\\"content\\\":\\\"{[";
    let body = format!(
        "{HEADER}\r\n\n{{\"value\": {{\"path\" : \"{}\", \"content\" : \"{tricky}\"}}, \"key\" : \"file\"}}\r\n",
        "content"
    );
    assert_eq!(blob(&read(&body, 3).unwrap()), b"\"content\":\"{[");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn data_arrives_whole(data in proptest::collection::vec(any::<u8>(), 0..3000), piece in 1_usize..5000) {
        prop_assert_eq!(blob(&read(&format!("{HEADER}{}", file(&data)), piece).unwrap()), data);
    }

    #[test]
    fn nonsense_is_refused_and_nothing_panics(body in "\\PC{0,200}") {
        prop_assert!(read(&body, 7).is_err());
    }

    #[test]
    fn a_damaged_body_never_panics(at in 0_usize..200, byte in 0_u8..128, cut in 0_usize..200) {
        let mut body = format!("{HEADER}{}", file(b"some data, not much")).into_bytes();
        let at = at % body.len();
        body[at] = byte;
        body.truncate(body.len() - cut % body.len());
        let _ = read(&String::from_utf8_lossy(&body), 16);
    }
}
