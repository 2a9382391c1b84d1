//! Fuzzes links to large files: anything that is not exactly a link of this Hub for this repository
//! and this object, within its hour, grants no access.
#![no_main]

use std::sync::OnceLock;

use hubtoken_hub::fuzzing::Links;
use libfuzzer_sys::fuzz_target;

const OID: [u8; 32] = [7; 32];
const SIZE: u64 = 5;
const LIFETIME: u32 = 3600;

/// Bytes that overwrite a link from an offset on, or replace it; another object, given by an offset
/// and a difference; another repository; and the time.
type Asked<'a> = (
    (u8, &'a [u8]),
    Option<&'a str>,
    Option<(u8, u8)>,
    Option<&'a str>,
    u16,
);

fuzz_target!(|asked: Asked<'_>| {
    static SIGNED: OnceLock<(Links, String)> = OnceLock::new();
    let ((place, over), instead, difference, repository, seconds) = asked;
    let (links, link) = SIGNED.get_or_init(|| {
        let links = Links::new().expect("a key");
        let link = links.sign("a", OID, SIZE).expect("a link");
        (links, link)
    });
    let mut letters = link.clone().into_bytes();
    let place = usize::from(place);
    for (number, letter) in over.iter().enumerate() {
        match letters.get_mut(place + number) {
            Some(before) => *before = *letter,
            None => letters.push(*letter),
        }
    }
    let edited = String::from_utf8_lossy(&letters);
    let text = instead.unwrap_or(&edited);
    let mut oid = OID;
    if let Some((place, mask)) = difference {
        oid[usize::from(place) % OID.len()] ^= mask;
    }
    let repository = repository.unwrap_or("a");
    let seconds = u32::from(seconds);
    let is_good = text == link && oid == OID && repository == "a" && seconds < LIFETIME;
    let allowed = links.verify(repository, oid, text, seconds);
    assert_eq!(allowed, is_good.then_some(SIZE));
});
