//! Parses the format of `stored_tokens`, which is that of Python's `configparser` without
//! interpolation.
//!
//! A section is `[name]`, where the name extends to the *last* bracket of the line. A field is
//! `key = value` or `key: value`, and keys are case-insensitive. A line that is indented deeper
//! than its key continues the value. Lines that start with `#` or `;` are comments, and there are
//! no inline comments. All sections inherit the fields of `[DEFAULT]`. A duplicate section or field
//! makes the whole file unreadable, for `huggingface_hub` as well.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use super::ini_lines::{DEFAULT, IniLine, ini_lines};

/// A section of the file.
pub struct Section {
    /// The text between the brackets.
    pub name: String,
    /// The position of the line with the brackets.
    pub(super) header: Range<usize>,
    pub(super) fields: Vec<Field>,
}

/// A field of a section.
#[derive(Clone)]
pub(super) struct Field {
    /// The name in lowercase.
    pub(super) key: Cow<'static, str>,
    value: Zeroizing<String>,
    /// The position of its lines, including continuation lines; empty for an inherited field.
    pub(super) lines: Range<usize>,
    /// The number of bytes of whitespace before it.
    pub(super) indentation: usize,
}

impl Section {
    /// The value of a field; `key` is in lowercase.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Zeroizing<String>> {
        self.field(key).map(|field| &field.value)
    }

    /// As [`Section::get`], but moves the value out of the section.
    pub(super) fn take(&mut self, key: &str) -> Option<Zeroizing<String>> {
        let field = self.fields.iter_mut().find(|field| field.key == key)?;
        Some(std::mem::take(&mut field.value))
    }

    pub(super) fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The end of its last line, excluding comments and blank lines after it.
    pub(super) fn end(&self) -> usize {
        self.fields
            .last()
            .map_or(self.header.end, |field| field.lines.end)
    }
}

/// Parses the sections, in file order.
///
/// # Errors
///
/// A message with the line number, without the content of the line.
pub fn parse(text: &str) -> Result<Vec<Section>, String> {
    scan(text).map(inherit)
}

/// Parses the sections as written, including `[DEFAULT]`.
pub(super) fn scan(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for line in ini_lines(text) {
        let (lines, line) = line?;
        match (line, sections.last_mut()) {
            (IniLine::Section(name), _) => sections.push(Section {
                name: name.to_owned(),
                header: lines,
                fields: Vec::new(),
            }),
            (
                IniLine::Field {
                    key,
                    value,
                    indentation,
                },
                Some(section),
            ) => section.fields.push(Field {
                key,
                value: Zeroizing::new(value.to_owned()),
                lines,
                indentation,
            }),
            (IniLine::Continuation(text), Some(section)) => {
                if let Some(field) = section.fields.last_mut() {
                    field.value.push('\n');
                    field.value.push_str(text);
                    field.lines.end = lines.end;
                }
            }
            // The parser always yields a section before these.
            (IniLine::Field { .. } | IniLine::Continuation(_), None) => {}
        }
    }
    Ok(sections)
}

fn inherit(sections: Vec<Section>) -> Vec<Section> {
    let (defaults, mut sections): (Vec<_>, Vec<_>) = sections
        .into_iter()
        .partition(|section| section.name == DEFAULT);
    for inherited in defaults.iter().flat_map(|section| &section.fields) {
        for section in &mut sections {
            if section.get(&inherited.key).is_none() {
                section.fields.push(Field {
                    lines: 0..0,
                    ..inherited.clone()
                });
            }
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<String> {
        parse(text)
            .unwrap()
            .into_iter()
            .map(|section| section.name)
            .collect()
    }

    #[test]
    fn what_huggingface_hub_writes_is_read() {
        let sections = parse(
            "[ci]\nhf_token = hf_FakeA\n\n[oauth-alice]\nHF_TOKEN: hf_FakeB\nrefresh_token = x=y\n\
             expires_at = 1798761600\n\n# a comment\n",
        )
        .unwrap();
        assert_eq!(sections[0].get("hf_token").unwrap().as_str(), "hf_FakeA");
        assert_eq!(sections[1].get("hf_token").unwrap().as_str(), "hf_FakeB");
        assert_eq!(sections[1].get("refresh_token").unwrap().as_str(), "x=y");
    }

    #[test]
    fn odd_names_are_read_as_configparser_reads_them() {
        assert_eq!(
            names("[a]b]\nhf_token=x\n[[x]]\nhf_token=y\n[ü #;%=]\nhf_token=z\n"),
            ["a]b", "[x]", "ü #;%="]
        );
    }

    #[test]
    fn continuations_and_defaults() {
        let sections =
            parse("[DEFAULT]\nendpoint = e\n[a]\nhf_token = x\n  y\n[b]\nendpoint = f\n").unwrap();
        assert_eq!(sections[0].get("hf_token").unwrap().as_str(), "x\ny");
        assert_eq!(sections[0].get("endpoint").unwrap().as_str(), "e");
        assert_eq!(sections[1].get("endpoint").unwrap().as_str(), "f");
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        for (text, line) in [
            ("hf_token = hf_Fake", "line 1"),
            ("[a]\nx=1\n[a]\n", "line 3"),
            ("[a]\nx=1\nX=2\n", "line 3"),
            ("[a]\nhf_Fake\n", "line 2"),
            ("[]\n", "line 1"),
            ("{\"a\": 1}", "line 1"),
        ] {
            let Err(problem) = parse(text) else {
                unreachable!("{text} was read");
            };
            assert!(
                problem.contains(line) && !problem.contains("hf_"),
                "{problem}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\[?[a-z#;=: \\]\\[]{0,8}\n){0,8}") {
            let _ = parse(&text);
        }
    }
}
