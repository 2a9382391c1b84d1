//! Fuzzes uploads of xorbs: whatever they are, they are refused or have the hash that was announced,
//! and a few bytes do not become many.
#![no_main]

use std::sync::OnceLock;

use hubtoken_hub::fuzzing::XetFolder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|asked: (&[u8], Option<[u8; 32]>)| {
    static FOLDER: OnceLock<XetFolder> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| XetFolder::new().expect("a folder"));
    let (content, hash) = asked;
    let taken = folder.takes_xorb(content, hash).expect("a disk");
    // Nobody guesses a hash.
    assert!(!taken || hash.is_none());
});
