//! Fuzzes the input of git's push hook: it is read completely or rejected, whatever the chunks, and
//! only unambiguous branches and tags are accepted.
#![no_main]

use hubtoken_hub::fuzzing::push;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|question: &[u8]| {
    let whole = push(&[question]);
    // Data after an empty line belongs to no push, and must not be waited for.
    let end = question.windows(2).position(|pair| pair == b"\n\n");
    let (asked, rest) = question.split_at(end.map_or(question.len(), |end| end + 2));
    for size in [1, 41] {
        let pieces: Vec<&[u8]> = question.chunks(size).collect();
        let again = push(&pieces);
        if rest.is_empty() {
            assert_eq!(again, whole);
        } else if again.is_ok() {
            assert_eq!(again, push(&[asked]));
        }
    }
    let Ok(push) = whole else {
        return;
    };
    let text = std::str::from_utf8(asked).expect("a question is text");
    let lines: Vec<&str> = text
        .strip_suffix("\n\n")
        .expect("its end")
        .split('\n')
        .collect();
    assert_eq!(lines.len(), push.updates.len());
    for (line, (new, reference)) in lines.iter().zip(&push.updates) {
        assert_eq!(
            line[40..].to_ascii_lowercase(),
            format!(" {new} {reference}").to_ascii_lowercase()
        );
        assert!(line.ends_with(reference.as_str()));
        if !push.is_accepted {
            continue;
        }
        let name = reference
            .strip_prefix("refs/heads/")
            .or_else(|| reference.strip_prefix("refs/tags/"));
        let name = name.expect("a branch or a tag");
        let is_deleted = new.bytes().all(|digit| digit == b'0');
        assert!(!is_deleted || reference != "refs/heads/main");
        let is_hash = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_deleted || !is_hash && !name.starts_with('-'));
    }
});
