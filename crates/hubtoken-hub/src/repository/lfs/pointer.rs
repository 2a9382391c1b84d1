//! LFS pointers: the small files that git stores in place of large ones.
//!
//! The format is that of git-lfs: lines of a key and a value, `version` first and the others
//! sorted. Anything that does not match it exactly is a regular file.

use hubtoken_core::hexadecimal;

const VERSION: &str = "version https://git-lfs.github.com/spec/v1";
/// The minimum and maximum length of a pointer. Files of other lengths need not be read.
pub(crate) const LENGTHS: std::ops::RangeInclusive<u64> = 120..=1024;

/// The SHA-256 of a large file, which identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId(pub [u8; 32]);

/// A parsed pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub oid: ObjectId,
    pub size: u64,
    /// The length of the pointer itself, in bytes.
    pub text_length: u64,
}

impl ObjectId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hexadecimal::decode(text).map(Self)
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hexadecimal::encode(&self.0))
    }
}

impl Pointer {
    /// Parses a file as a pointer. Returns `None` if it is not one.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let length = content.len() as u64;
        let text = std::str::from_utf8(content).ok()?;
        let mut lines = text.strip_suffix('\n').unwrap_or(text).lines();
        if !LENGTHS.contains(&length) || lines.next()? != VERSION {
            return None;
        }
        let (mut oid, mut size, mut before) = (None, None, "");
        for line in lines {
            let (key, value) = line.split_once(' ')?;
            if key <= before {
                return None;
            }
            before = key;
            match (key, value) {
                ("oid", value) => oid = ObjectId::parse(value.strip_prefix("sha256:")?),
                ("size", value) if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    size = value.parse().ok();
                }
                (key, _) if key.starts_with("ext-") => (),
                _ => return None,
            }
        }
        Some(Self {
            oid: oid?,
            size: size?,
            text_length: length,
        })
    }

    /// The text of a pointer, as git-lfs writes it.
    pub(crate) fn text(oid: ObjectId, size: u64) -> String {
        format!("{VERSION}\noid sha256:{oid}\nsize {size}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_git_lfs_writes_is_read() {
        let text = "version https://git-lfs.github.com/spec/v1\n\
                    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
        let pointer = Pointer::parse(text.as_bytes()).unwrap();
        assert_eq!((pointer.size, pointer.text_length), (12345, 130));
        assert_eq!(Pointer::text(pointer.oid, pointer.size), text);
    }

    #[test]
    fn anything_else_is_a_file() {
        let id = "a".repeat(64);
        let good = format!("{VERSION}\noid sha256:{id}\nsize 1\n");
        for text in [
            good.replace("v1", "v2"),
            good.replace("sha256", "sha512"),
            good.replace("size 1", "size -1"),
            good.replace("size 1", "size x"),
            good.replace("size 1", "length 1"),
            good.replace("size 1\n", ""),
            good.replace(&id, &"A".repeat(64)),
            good.replace(&id, &"a".repeat(63)),
            good.clone() + "\nmore text",
            format!("{VERSION}\nsize 1\noid sha256:{id}\n"),
            format!("{good}size 2\n"),
            good.replace("oid", &format!("oid sha256:{id}\noid")),
            good.replace("size", "sizes 2\nsize"),
            good.repeat(10),
            String::new(),
        ] {
            assert_eq!(Pointer::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Pointer::parse(good.as_bytes()).is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(digest in any::<[u8; 32]>(), size in any::<u64>()) {
            let text = Pointer::text(ObjectId(digest), size);
            let pointer = Pointer::parse(text.as_bytes()).unwrap();
            prop_assert_eq!((pointer.oid, pointer.size), (ObjectId(digest), size));
        }
    }
}
