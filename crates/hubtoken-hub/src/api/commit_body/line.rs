//! Reads one line of a commit's NDJSON body in bounded memory.
//!
//! A file is one JSON string in one line, in base64. Reading whole lines would need as much memory
//! as the largest file has bytes, so a long `content` is extracted while reading: its bytes are
//! decoded straight into the object store, and the JSON parser sees an empty string in its place.
//! Short content is left to the parser, which also supports the other encoding, `utf-8`.

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::Oid;

use crate::repository::{BlobWriter, OpenRepository, RepositoryError};

/// Longer `content` is streamed to the object store.
pub(super) const MAX_BYTES_IN_MEMORY: usize = 1 << 20;
/// The maximum size of a line, apart from a long `content`.
const MAX_LINE_BYTES: usize = 4 << 20;

/// A line as passed to the JSON parser.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub json: Vec<u8>,
    /// The extracted content, already in the object store.
    pub streamed: Option<Oid>,
}

/// The state of the scanner. It only tracks as much of the grammar as it takes to find the one
/// string; the JSON parser afterwards rejects invalid JSON.
#[derive(Default)]
struct LineScanner {
    depth: u32,
    state: ScanState,
    /// The offset in `Line::json` at which the current or last string begins.
    string_start: usize,
    /// Which key the last string is, if it is a key.
    name: FieldName,
    /// Whether the current or last nested object is the `value` of the operation.
    in_value: bool,
    /// Whether the current string is the content of a file.
    in_content: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum FieldName {
    #[default]
    Other,
    /// The key `value`.
    Value,
    /// The key `content`.
    Content,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ScanState {
    #[default]
    Between,
    AfterColon,
    InString,
    AfterBackslash,
}

/// Base64 being decoded into the object store.
struct StreamedContent<'repo> {
    writer: BlobWriter<'repo>,
    pending: Vec<u8>,
    padded: bool,
}

/// Reads the next line; `None` at the end of the body.
pub(super) fn read_line(
    input: &mut impl BufRead,
    repo: &OpenRepository,
    max_bytes_in_memory: usize,
) -> Result<Option<Line>, RepositoryError> {
    let mut line = Line::default();
    let mut scanner = LineScanner::default();
    let mut stream: Option<StreamedContent<'_>> = None;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            if stream.is_some() {
                return Err(malformed("it ends within a string"));
            }
            let is_end = line.json.is_empty() && line.streamed.is_none();
            return Ok((!is_end).then_some(line));
        }
        let mut used = 0;
        let mut complete = false;
        while used < chunk.len() && !complete {
            let rest = &chunk[used..];
            if let Some(open) = &mut stream {
                let length = rest
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b'\\'))
                    .unwrap_or(rest.len());
                open.push(&rest[..length])?;
                used += length;
                match rest.get(length) {
                    Some(b'"') => {
                        line.streamed = stream.take().map(StreamedContent::finish).transpose()?;
                        line.json.push(b'"');
                        scanner.end_string(&line.json);
                        used += 1;
                    }
                    Some(_) => return Err(malformed("a long content must be plain base64")),
                    None => (),
                }
                continue;
            }
            let byte = rest[0];
            used += 1;
            // A raw line break always ends the line: inside a string it is not valid JSON anyway.
            complete = byte == b'\n';
            if complete {
                break;
            }
            line.json.push(byte);
            scanner.step(byte, &line.json);
            let content_length = line.json.len() - scanner.string_start;
            if scanner.in_content
                && content_length > max_bytes_in_memory
                && scanner.state == ScanState::InString
            {
                if line.streamed.is_some() {
                    return Err(malformed("it has more than one `content`"));
                }
                let mut open = StreamedContent {
                    writer: repo.blob_writer()?,
                    pending: Vec::new(),
                    padded: false,
                };
                open.push(&line.json[scanner.string_start + 1..])?;
                line.json.truncate(scanner.string_start + 1);
                stream = Some(open);
            } else if line.json.len() > MAX_LINE_BYTES {
                return Err(RepositoryError::TooLarge(
                    "A line of the commit is too long".to_owned(),
                ));
            }
        }
        input.consume(used);
        if complete {
            return Ok(Some(line));
        }
    }
}

impl LineScanner {
    fn step(&mut self, byte: u8, json: &[u8]) {
        match (self.state, byte) {
            (ScanState::AfterBackslash, _) => self.state = ScanState::InString,
            (ScanState::InString, b'\\') => self.state = ScanState::AfterBackslash,
            (ScanState::InString, b'"') => self.end_string(json),
            (ScanState::InString, _) | (_, b' ' | b'\t' | b'\r') => (),
            (before, b'"') => {
                self.in_content = before == ScanState::AfterColon
                    && self.depth == 2
                    && self.in_value
                    && self.name == FieldName::Content;
                self.string_start = json.len() - 1;
                self.state = ScanState::InString;
            }
            (_, b':') => self.state = ScanState::AfterColon,
            (before, b'{' | b'[') => {
                if self.depth == 1 {
                    self.in_value =
                        before == ScanState::AfterColon && self.name == FieldName::Value;
                }
                self.depth += 1;
                self.state = ScanState::Between;
            }
            (_, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                self.state = ScanState::Between;
            }
            _ => self.state = ScanState::Between,
        }
    }

    fn end_string(&mut self, json: &[u8]) {
        self.state = ScanState::Between;
        self.in_content = false;
        self.name = match json.get(self.string_start..) {
            Some(b"\"value\"") => FieldName::Value,
            Some(b"\"content\"") => FieldName::Content,
            _ => FieldName::Other,
        };
    }
}

impl StreamedContent<'_> {
    fn push(&mut self, text: &[u8]) -> Result<(), RepositoryError> {
        // Groups of four decode independently; incomplete groups wait for more input.
        let mut text = text;
        if !self.pending.is_empty() {
            let wanted = (4 - self.pending.len()).min(text.len());
            self.pending.extend_from_slice(&text[..wanted]);
            text = &text[wanted..];
            if self.pending.len() < 4 {
                return Ok(());
            }
            let pending = std::mem::take(&mut self.pending);
            self.decode(&pending)?;
        }
        let whole = text.len() - text.len() % 4;
        self.decode(&text[..whole])?;
        self.pending.extend_from_slice(&text[whole..]);
        Ok(())
    }

    fn decode(&mut self, text: &[u8]) -> Result<(), RepositoryError> {
        if text.is_empty() {
            return Ok(());
        }
        if self.padded {
            return Err(malformed(
                "its content continues after the end of the base64",
            ));
        }
        self.padded = text.last() == Some(&b'=');
        let data = STANDARD
            .decode(text)
            .map_err(|_| malformed("its content is not base64"))?;
        self.writer.write(&data)
    }

    fn finish(self) -> Result<Oid, RepositoryError> {
        if self.pending.is_empty() {
            self.writer.finish()
        } else {
            Err(malformed("its content is not base64"))
        }
    }
}

pub(super) fn malformed(reason: &str) -> RepositoryError {
    RepositoryError::Rejected(format!("Malformed line in the commit: {reason}"))
}
