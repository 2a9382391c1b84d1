//! Splits `stored_tokens` into sections and fields, in order and without copying.
//!
//! A thousand stored tokens make three thousand lines, of which a list needs only two strings per
//! token. The rules of the format are therefore implemented here once, and each caller decides what
//! to keep: [`ini`](super::ini) keeps all positions, and a list keeps the tokens.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2, memrchr};

/// A line that is neither blank nor a comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IniLine<'a> {
    /// Opens a section with this name.
    Section(&'a str),
    /// Sets a field of the current section.
    Field {
        /// The name in lowercase.
        key: Cow<'static, str>,
        /// The value.
        value: &'a str,
        /// The number of bytes of whitespace before it.
        indentation: usize,
    },
    /// Continues the value of the current field.
    Continuation(&'a str),
}

/// The fields that `huggingface_hub` writes.
const COMMON_KEYS: [&str; 3] = ["hf_token", "refresh_token", "expires_at"];

/// The section that other sections inherit from.
pub(super) const DEFAULT: &str = "DEFAULT";

/// The lines as Python's text files define them, terminated by `\n`, `\r\n` or `\r`, and their
/// positions.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    // Carriage returns are rare, and searching for them in each line is slow.
    let has_returns = memchr(b'\r', text.as_bytes()).is_some();
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let returns = || memchr(b'\r', &rest.as_bytes()[..length]);
        let length = has_returns.then(returns).flatten().unwrap_or(length);
        let ending = match &rest[length..] {
            "" => 0,
            ending if ending.starts_with("\r\n") => 2,
            _ => 1,
        };
        let whole = start..start + length + ending;
        start = whole.end;
        Some((whole, &rest[..length]))
    })
}

/// The pieces of a text and the positions of their lines, up to the first error. A field and its
/// continuation lines always come after their section.
pub(super) fn ini_lines(
    text: &str,
) -> impl Iterator<Item = Result<(Range<usize>, IniLine<'_>), String>> {
    let mut names = Names::with_capacity(estimated_tokens(text));
    // The keys of the current section.
    let mut keys: Option<Vec<Cow<'static, str>>> = None;
    // The indentation of the current field. Deeper lines continue it.
    let mut field: Option<usize> = None;
    lines(text)
        .zip(1_usize..)
        .filter_map(move |((whole, line), number)| {
            let content = trimmed(line);
            // A blank line belongs to the value before it, but tokens contain no line breaks, so
            // blank lines are dropped.
            if content.is_empty() || content.starts_with(['#', ';']) {
                return None;
            }
            let indentation = if content.len() == line.len() {
                0
            } else {
                line.len() - line.trim_start().len()
            };
            if field.is_some_and(|field| indentation > field) {
                return Some(Ok((whole, IniLine::Continuation(content))));
            }
            if let Some(name) = section(content) {
                if !names.add(name) && name != DEFAULT {
                    return Some(Err(format!("line {number} opens a section a second time")));
                }
                field = None;
                keys.get_or_insert_default().clear();
                return Some(Ok((whole, IniLine::Section(name))));
            }
            let Some(keys) = &mut keys else {
                return Some(Err(format!("line {number} is before the first section")));
            };
            let Some(sign) = memchr2(b'=', b':', content.as_bytes()) else {
                return Some(Err(format!(
                    "line {number} is neither a section nor a field"
                )));
            };
            let (key, value) = (&content[..sign], &content[sign + 1..]);
            let key = lower(trimmed(key));
            if key.is_empty() {
                return Some(Err(format!("line {number} has a value without a name")));
            }
            if keys.contains(&key) {
                return Some(Err(format!("line {number} sets a field a second time")));
            }
            keys.push(key.clone());
            field = Some(indentation);
            let value = trimmed(value);
            Some(Ok((
                whole,
                IniLine::Field {
                    key,
                    value,
                    indentation,
                },
            )))
        })
}

/// The length of a section with a token in it, at least.
const SHORTEST_SECTION: usize = 16;

/// About how many tokens a text has, so that a long list is not copied while it grows.
pub(super) fn estimated_tokens(text: &str) -> usize {
    let brackets = memchr_iter(b'[', text.as_bytes()).count();
    brackets.min(text.len() / SHORTEST_SECTION)
}

/// Removes white space from both ends. Most pieces of a line have none there but one ASCII space,
/// which is seen without decoding characters.
fn trimmed(text: &str) -> &str {
    let text = text.strip_prefix(' ').unwrap_or(text);
    let text = text.strip_suffix(' ').unwrap_or(text);
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// The name between the brackets, which extends to the last one.
fn section(content: &str) -> Option<&str> {
    let rest = content.strip_prefix('[')?;
    let name = &rest[..memrchr(b']', rest.as_bytes())?];
    (!name.is_empty()).then_some(name)
}

/// The names seen so far. `huggingface_hub` writes them in ascending order, which rules out
/// duplicates without a set.
struct Names<'a> {
    ordered: Vec<&'a str>,
    seen: Option<HashSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            ordered: Vec::with_capacity(capacity),
            seen: None,
        }
    }

    /// Adds a name. Returns whether it is new.
    fn add(&mut self, name: &'a str) -> bool {
        if self.seen.is_none() {
            if self.ordered.last().is_none_or(|last| *last < name) {
                self.ordered.push(name);
                return true;
            }
            self.seen = Some(self.ordered.drain(..).collect());
        }
        self.seen.as_mut().is_some_and(|seen| seen.insert(name))
    }
}

/// Converts a key to lowercase, without copying the usual ones.
fn lower(key: &str) -> Cow<'static, str> {
    COMMON_KEYS
        .into_iter()
        .find(|usual| *usual == key)
        .map_or_else(|| key.to_lowercase().into(), Cow::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{StoredToken, entries, ini, plain_entries};
    use proptest::prelude::*;

    type Parsed = (String, String, Option<i64>);

    fn parsed(stored: Vec<StoredToken>) -> Vec<Parsed> {
        stored
            .into_iter()
            .map(|stored| {
                (
                    stored.name.clone(),
                    stored.value.to_string(),
                    stored.expires_at,
                )
            })
            .collect()
    }

    /// The contents of a text according to the full parser.
    fn carefully(text: &str) -> Result<Vec<Parsed>, String> {
        let sections = ini::parse(text)?;
        Ok(sections
            .iter()
            .filter_map(|section| {
                Some((
                    section.name.clone(),
                    section.get("hf_token")?.to_string(),
                    section
                        .get("expires_at")
                        .and_then(|text| text.trim().parse().ok()),
                ))
            })
            .collect())
    }

    #[test]
    fn what_huggingface_hub_writes_needs_no_care() {
        let text = "[ci]\nhf_token = hf_A\n\n[oauth]\nexpires_at = 7\nhf_token = hf_B\n\n\
                    [empty]\nexpires_at = 8\n\n[late]\nhf_token = hf_C\nexpires_at = 9\n\n";
        let stored = plain_entries(text).unwrap().unwrap();
        assert_eq!(
            parsed(stored),
            [
                ("ci", "hf_A", None),
                ("oauth", "hf_B", Some(7)),
                ("late", "hf_C", Some(9))
            ]
            .map(|(name, value, end)| (name.to_owned(), value.to_owned(), end))
        );
    }

    #[test]
    fn what_is_inherited_or_continued_is_read_with_care() {
        for text in [
            "[DEFAULT]\nhf_token = hf_A\n[a]\nx = 1\n",
            "[a]\nhf_token = hf_A\n  hf_B\n",
            "[a]\nexpires_at =\n  7\nhf_token = hf_A\n",
        ] {
            assert!(plain_entries(text).unwrap().is_none(), "{text}");
            let stored = parsed(entries(text).unwrap());
            assert_eq!(stored, carefully(text).unwrap());
            assert_eq!(stored.len(), 1, "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_see_the_same(
            text in "(( {0,2}(\\[(a|b|DEFAULT)\\]|(hf_token|HF_TOKEN|expires_at|x) ?[=:] ?[a1 ]{0,3}|[#;a])?)(\n|\r\n|\r)){0,9}"
        ) {
            prop_assert_eq!(entries(&text).map(parsed), carefully(&text));
        }
    }
}
