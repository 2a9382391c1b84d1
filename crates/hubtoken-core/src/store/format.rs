//! The format of `stored_tokens`: what Python's `configparser` reads with interpolation off.
//!
//! A section is `[name]`, where the name runs to the *last* bracket of the line. A field is
//! `key = value` or `key: value`; keys do not regard case. A line that is indented deeper than
//! its key continues the value. Lines that start with `#` or `;` are comments; there are no
//! inline comments. Fields of `[DEFAULT]` are inherited by every section. A section or field that
//! comes twice makes the whole file unreadable, for `huggingface_hub` as well.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use super::pieces::{DEFAULT, Piece, pieces};

/// A section of the file.
pub struct Section {
    /// The text between the brackets.
    pub name: String,
    /// Where the line of the brackets stands.
    pub(super) header: Range<usize>,
    pub(super) fields: Vec<Field>,
}

/// A field of a section.
#[derive(Clone)]
pub(super) struct Field {
    /// The name in lower case.
    pub(super) key: Cow<'static, str>,
    value: Zeroizing<String>,
    /// Its lines, with those that continue it; empty for an inherited field.
    pub(super) lines: Range<usize>,
    /// How many bytes of white space stand before it.
    pub(super) indentation: usize,
}

impl Section {
    /// A field's value; `key` is in lower case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Zeroizing<String>> {
        self.field(key).map(|field| &field.value)
    }

    /// As [`Section::get`], and the section is left without it.
    pub(super) fn take(&mut self, key: &str) -> Option<Zeroizing<String>> {
        let field = self.fields.iter_mut().find(|field| field.key == key)?;
        Some(std::mem::take(&mut field.value))
    }

    pub(super) fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Where the last of its lines ends; comments and blank lines after it are not counted.
    pub(super) fn end(&self) -> usize {
        self.fields
            .last()
            .map_or(self.header.end, |field| field.lines.end)
    }
}

/// Reads the sections, in the file's order.
///
/// # Errors
///
/// What is wrong, by the number of the line and without its content.
pub fn parse(text: &str) -> Result<Vec<Section>, String> {
    scan(text).map(inherit)
}

/// Reads the sections as they are written, `[DEFAULT]` among them.
pub(super) fn scan(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for piece in pieces(text) {
        let (lines, piece) = piece?;
        match (piece, sections.last_mut()) {
            (Piece::Section(name), _) => sections.push(Section {
                name: name.to_owned(),
                header: lines,
                fields: Vec::new(),
            }),
            (
                Piece::Field {
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
            (Piece::More(text), Some(section)) => {
                if let Some(field) = section.fields.last_mut() {
                    field.value.push('\n');
                    field.value.push_str(text);
                    field.lines.end = lines.end;
                }
            }
            // There is always a section before them.
            (Piece::Field { .. } | Piece::More(_), None) => {}
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
