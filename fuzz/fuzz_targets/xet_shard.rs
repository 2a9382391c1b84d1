//! Fuzzes shards: whatever they are, they are refused, or all that they say is true and their files can
//! be read.
#![no_main]

use std::sync::OnceLock;

use hubtoken_hub::fuzzing::XetFolder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    static FOLDER: OnceLock<XetFolder> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| XetFolder::new().expect("a folder"));
    folder
        .takes_shard(content)
        .expect("a file that can be read");
});
