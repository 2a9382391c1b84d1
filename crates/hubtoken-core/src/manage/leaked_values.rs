//! Collects the values to revoke from a text: a list, a log, a notebook, a dump of a database.
//!
//! Whoever revokes a leak has it in some file, not as a tidy list. What looks like a secret of a Hub is
//! taken out of any text; keys of other services are not, since a Hub must not receive them. A file is
//! read in blocks, so that its size does not matter.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

use zeroize::{Zeroize as _, Zeroizing};

use crate::bounded_file::{self, io_error_text};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::sanitize::{redacted_path, tokens_in};
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

    /// Adds what is in a file, whatever it is.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for what is no plain file, such as a directory, a device or a pipe,
    /// which may never end; otherwise as [`LeakedValues::read`].
    pub fn read_file(&mut self, path: &Path, interrupt: &dyn Interrupt) -> Result<(), Error> {
        let mut file = bounded_file::open_plain(path)
            .map_err(|problem| Error::InvalidArgument(problem.to_string()))?;
        self.read(&mut file, false, &redacted_path(path), interrupt)
    }

    /// Adds what is in a text. With `lines`, a line that is one word is a value as well, whatever
    /// its form, unless it is a key of another service.
    ///
    /// Reading stops when there are too many, which [`LeakedValues::is_full`] tells.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a reader that fails, which names `what` is read;
    /// [`Error::Interrupted`].
    pub fn read(
        &mut self,
        reader: &mut dyn Read,
        lines: bool,
        what: &str,
        interrupt: &dyn Interrupt,
    ) -> Result<(), Error> {
        let mut buffer: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(2 * BLOCK));
        let mut block = Zeroizing::new(vec![0; BLOCK]);
        loop {
            if interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            let length = match reader.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let reason = io_error_text(&error);
                    return Err(Error::InvalidArgument(format!(
                        "{what} cannot be read: {reason}"
                    )));
                }
                Ok(length) => length,
            };
            buffer.extend_from_slice(&block[..length]);
            let is_last = length == 0;
            let used = self.take(&buffer, is_last, lines);
            if is_last || self.is_full {
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
    use crate::interrupt::NeverInterrupted;
    use proptest::prelude::*;

    const FIRST: &str = "hf_FirstFakeFakeFakeFakeFakeFakeFakeAA";
    const SECOND: &str = "hf_SecondFakeFakeFakeFakeFakeFakeFakBB";

    fn found(text: &[u8], lines: bool) -> Vec<String> {
        let mut values = LeakedValues::default();
        values
            .read(&mut &text[..], lines, "a text", &NeverInterrupted)
            .unwrap();
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
            let pieces = &mut Pieces(text.as_bytes(), size);
            values
                .read(pieces, true, "a text", &NeverInterrupted)
                .unwrap();
            let pieces: Vec<String> = values.values().iter().map(|v| v.to_string()).collect();
            prop_assert_eq!(pieces, found(text.as_bytes(), true));
        }
    }

    #[test]
    fn a_file_of_any_size_is_read_and_nothing_that_may_not_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let value = format!("hf_{}", "aB3dE5".repeat(6));
        let cut = format!("hf_{}", "xY9zW8".repeat(6));
        let mut file = std::fs::File::create(&path).unwrap();
        // Masks and placeholders are no values, and a value on two lines is two texts.
        let line = "hf_...9xQ2 hf_xxxxxxxx $HF_TOKEN hf_hub_download\n";
        for _ in 0..10 {
            std::io::Write::write_all(&mut file, line.repeat(14_000).as_bytes()).unwrap();
        }
        std::io::Write::write_all(
            &mut file,
            format!("{value}\n{}\n{}\n", &cut[..8], &cut[8..]).as_bytes(),
        )
        .unwrap();
        file.set_len(24 << 20).unwrap();
        let mut values = LeakedValues::default();
        values.read_file(&path, &NeverInterrupted).unwrap();
        let found: Vec<&str> = values.values().iter().map(|value| value.as_str()).collect();
        assert_eq!(found, [value.as_str()]);
        #[cfg(unix)]
        {
            let fifo = folder.path().join("fifo");
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &fifo,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
            for special in [fifo.as_path(), Path::new("/dev/zero"), folder.path()] {
                let error = LeakedValues::default()
                    .read_file(special, &NeverInterrupted)
                    .unwrap_err();
                assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
            }
        }
        let missing = folder.path().join("missing");
        let error = values.read_file(&missing, &NeverInterrupted).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }

    #[test]
    fn a_stream_that_never_ends_can_be_interrupted() {
        struct After(std::sync::atomic::AtomicUsize);
        impl Interrupt for After {
            fn is_set(&self) -> bool {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 3
            }
        }
        let after = After(std::sync::atomic::AtomicUsize::new(0));
        let mut endless = std::io::repeat(b'\n');
        let error = LeakedValues::default()
            .read(&mut endless, true, "standard input", &after)
            .unwrap_err();
        assert!(matches!(error, Error::Interrupted));
    }
}
