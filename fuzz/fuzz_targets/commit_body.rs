//! Fuzzes the body of a commit: the result is the same for chunks of any size, a truncated body is
//! never a commit, and each line means what a plain JSON parser finds. Content that is written to
//! disk through the fast path is the same as through the other paths.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubtoken_hub::fuzzing::{Change, commit, new_path};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Longer than any input.
const IN_MEMORY: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let whole = commit(&[input], true, IN_MEMORY);
    assert!(commit(&[input], false, IN_MEMORY).is_err());
    for size in [1, 61] {
        let pieces: Vec<&[u8]> = input.chunks(size).collect();
        assert_eq!(commit(&pieces, true, IN_MEMORY), whole);
    }
    let pieces: Vec<&[u8]> = input.chunks(5).collect();
    let streamed = commit(&pieces, true, 8);
    // The error message may differ.
    assert_eq!(commit(&[input], true, 8).ok(), streamed.clone().ok());
    if streamed.is_ok() {
        assert_eq!(streamed, whole);
    }
    let Ok(read) = whole else {
        return;
    };
    let mut lines = Vec::<Value>::new();
    for line in input.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        serde_json::from_slice::<IgnoredAny>(line).expect("a line of a commit is JSON");
        // Unused fields may contain numbers that are too large to be represented.
        match serde_json::from_slice(line) {
            Ok(value) => lines.push(value),
            Err(_) => return,
        }
    }
    let mut changes = read.changes.iter();
    let mut is_plain = !input.contains(&b'\\');
    for line in &lines {
        // A struct parser also accepts an array of the fields.
        let (key, value) = match line {
            Value::Array(fields) => (&fields[0], &fields[1]),
            object => (&object["key"], &object["value"]),
        };
        let text = |name: &str| value[name].as_str().expect("a text").to_owned();
        is_plain &= key == "file" || value.get("content").is_none();
        match key.as_str().expect("the kind of an operation") {
            "header" => {
                assert_eq!(text("summary"), read.summary);
                assert_eq!(
                    value.get("parentCommit").and_then(Value::as_str),
                    read.parent.as_deref()
                );
            }
            "file" => {
                let content = text("content");
                let is_base64 = value["encoding"] == "base64";
                is_plain &= is_base64;
                let data = if is_base64 {
                    STANDARD.decode(content).expect("it is base64")
                } else {
                    content.into_bytes()
                };
                let path = new_path(&text("path")).expect("a path");
                assert_eq!(changes.next(), Some(&Change::Put(path, data)));
            }
            "deletedFile" => assert_eq!(changes.next(), Some(&Change::Delete(text("path")))),
            "deletedFolder" => {
                let path = text("path");
                let path = path.strip_suffix('/').unwrap_or(&path).to_owned();
                assert_eq!(changes.next(), Some(&Change::DeleteFolder(path)));
            }
            other => panic!("an unknown operation: {other}"),
        }
    }
    assert_eq!(changes.next(), None);
    if is_plain {
        assert_eq!(streamed.as_ref(), Ok(&read));
    }
});
