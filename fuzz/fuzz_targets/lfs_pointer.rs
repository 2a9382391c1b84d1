//! Fuzzes pointers to large files: a pointer is unchanged after a round trip, and every accepted
//! pointer has git-lfs's own form, so that a client and the Hub agree on which files are pointers.
#![no_main]

use hubtoken_hub::fuzzing::{pointer, pointer_text};
use libfuzzer_sys::fuzz_target;

const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

fuzz_target!(|content: &[u8]| {
    let Some((oid, size)) = pointer(content) else {
        return;
    };
    let text = pointer_text(oid, size);
    assert_eq!(pointer(text.as_bytes()), Some((oid, size)));
    // As git-lfs decodes it: `version`, extensions, `oid`, `size`, in that order and once each.
    assert!(content.len() <= 1024);
    let lines: Vec<&str> = std::str::from_utf8(content)
        .expect("a pointer is text")
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    let [version, extensions @ .., object, length] = lines.as_slice() else {
        panic!("a pointer has three lines");
    };
    assert_eq!(*version, VERSION);
    assert!(extensions.iter().all(|line| line.starts_with("ext-")));
    assert_eq!(text.lines().nth(1), Some(*object));
    let length = length.strip_prefix("size ").expect("the size is last");
    assert_eq!(length.parse(), Ok(size));
});
