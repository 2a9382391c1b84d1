//! Collects the values to revoke from a text: a list, a log, a notebook, a dump of a database.
//!
//! Whoever revokes a leak has it in some file, not as a tidy list. What looks like a secret of a Hub is
//! taken out of any text; keys of other services are not, since a Hub must not receive them. A file is
//! read in blocks, so that its size does not matter.

use std::collections::HashSet;
use std::io::{self, Read};

use zeroize::{Zeroize as _, Zeroizing};

use crate::sanitize::tokens_in;
use crate::token::{Digest, MAXIMUM_LENGTH, Token};

/// How much is read at a time, in bytes.
const BLOCK: usize = 1 << 20;
/// The most values that are collected.
pub const MAXIMUM_VALUES: usize = 100_000;

/// Distinct values, in the order in which they were found.
#[derive(Default)]
pub struct LeakedValues {
    values: Vec<Zeroizing<String>>,
    seen: HashSet<Digest>,
    is_full: bool,
}

impl LeakedValues {
    /// Adds one value.
    pub fn add(&mut self, value: &str) {
        if self.seen.contains(&Digest::of(value)) {
            return;
        }
        if self.values.len() >= MAXIMUM_VALUES {
            self.is_full = true;
            return;
        }
        self.seen.insert(Digest::of(value));
        self.values.push(Zeroizing::new(value.to_owned()));
    }

    /// Adds what is in a text. With `lines`, a line that is one word is a value as well, whatever
    /// its form, unless it is a key of another service.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(&mut self, reader: &mut dyn Read, lines: bool) -> io::Result<()> {
        let mut buffer: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(2 * BLOCK));
        let mut block = Zeroizing::new(vec![0; BLOCK]);
        loop {
            let length = match reader.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            buffer.extend_from_slice(&block[..length]);
            let is_last = length == 0;
            let used = self.take(&buffer, is_last, lines);
            if is_last {
                return Ok(());
            }
            // The rest may continue in the next block.
            let kept = buffer.len() - used;
            buffer.copy_within(used.., 0);
            buffer[kept..].zeroize();
            buffer.truncate(kept);
        }
    }

    /// Takes values out of a text, and returns how much of it is done: the rest may continue.
    fn take(&mut self, bytes: &[u8], is_last: bool, lines: bool) -> usize {
        let newline = bytes.iter().rposition(|byte| *byte == b'\n');
        let (end, done) = match newline {
            _ if is_last => (bytes.len(), bytes.len()),
            Some(newline) => (newline + 1, newline + 1),
            // One long line: what its last value may have begun with is looked at again.
            None if bytes.len() > BLOCK => (bytes.len(), bytes.len() - MAXIMUM_LENGTH),
            None => return 0,
        };
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes[..end]).into_owned());
        for line in text.split_inclusive('\n') {
            let is_cut = !is_last && !line.ends_with('\n');
            let mut has_values = false;
            for (position, value) in tokens_in(line) {
                has_values = true;
                let may_go_on = is_cut && position + value.len() == line.len();
                if !may_go_on {
                    self.add(value);
                }
            }
            if lines && !is_cut && !has_values {
                self.add_line(line);
            }
        }
        done
    }

    /// Adds a line that is one value.
    fn add_line(&mut self, line: &str) {
        if let Ok(Some(token)) = Token::parse(line)
            && token.foreign_service().is_none()
        {
            self.add(token.expose());
        }
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[Zeroizing<String>] {
        &self.values
    }

    /// The values, taken out.
    #[must_use]
    pub fn into_values(self) -> Vec<Zeroizing<String>> {
        self.values
    }

    /// Whether there are more than [`MAXIMUM_VALUES`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const FIRST: &str = "hf_FirstFakeFakeFakeFakeFakeFakeFakeAA";
    const SECOND: &str = "hf_SecondFakeFakeFakeFakeFakeFakeFakBB";

    fn found(text: &[u8], lines: bool) -> Vec<String> {
        let mut values = LeakedValues::default();
        values.read(&mut &text[..], lines).unwrap();
        values
            .values()
            .iter()
            .map(|value| value.to_string())
            .collect()
    }

    #[test]
    fn values_are_found_in_any_text_and_once() {
        let text = format!(
            "HF_TOKEN={FIRST}\nhttps://user:{SECOND}@huggingface.co {FIRST}\n\
             {{\"key\": \"sk-proj-FakeFakeFakeFakeFakeFakeFake\", \"x\": \"hf_hub_download\"}}\n\
             hf_oauth__refresh_FakeFakeFakeFakeFakeFakeFakeFakeXX"
        );
        assert_eq!(
            found(text.as_bytes(), false),
            [
                FIRST,
                SECOND,
                "hf_oauth__refresh_FakeFakeFakeFakeFakeFakeFakeFakeXX"
            ]
        );
        assert_eq!(found(b"nothing here\n", false), [""; 0]);
        assert_eq!(found(b"", true), [""; 0]);
    }

    #[test]
    fn a_line_may_be_a_value_of_another_form() {
        let text = format!(
            "team-token-1234567\n\n{FIRST}\ntwo words\nghp_FakeFakeFakeFakeFakeFakeFakeFakeFake\nlast-one"
        );
        assert_eq!(
            found(text.as_bytes(), true),
            ["team-token-1234567", FIRST, "last-one"]
        );
        assert_eq!(found(text.as_bytes(), false), [FIRST]);
    }

    #[test]
    fn what_is_no_text_is_read_as_well() {
        let mut bytes = vec![0xff, 0, 0xfe];
        bytes.extend_from_slice(FIRST.as_bytes());
        bytes.extend_from_slice(&[0xff, b'\n']);
        assert_eq!(found(&bytes, true), [FIRST]);
    }

    /// Hands out a text in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(into.len());
            into[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn a_long_line_is_read_in_blocks() {
        for padding in [BLOCK - 20, BLOCK, 2 * BLOCK - 7, 3 * BLOCK + 11] {
            let mut text = vec![b' '; padding];
            text.extend_from_slice(FIRST.as_bytes());
            text.resize(text.len() + BLOCK + 100, b' ');
            text.extend_from_slice(SECOND.as_bytes());
            assert_eq!(found(&text, false), [FIRST, SECOND], "{padding}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "(hf_[A-Za-z]{18,40}|[ -~\n]{0,5}){0,12}", size in 1_usize..50
        ) {
            let mut values = LeakedValues::default();
            values.read(&mut Pieces(text.as_bytes(), size), true).unwrap();
            let pieces: Vec<String> = values.values().iter().map(|v| v.to_string()).collect();
            prop_assert_eq!(pieces, found(text.as_bytes(), true));
        }
    }
}
