//! Edits the text of `stored_tokens` in place.
//!
//! `huggingface_hub` reads the file into a dictionary and rewrites it completely. This module
//! changes only the lines of the affected entry: unknown sections and fields, comments and the
//! order of the rest are preserved. A new section is inserted in the order of names, where
//! `huggingface_hub` would put it.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::ini::{self, Section};
use super::ini_lines::{DEFAULT, lines};

/// The text, which is valid before and after every edit.
pub struct IniDocument {
    text: Zeroizing<String>,
}

impl IniDocument {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// A message with the line number, without the content of the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut document = Self {
            text: Zeroizing::new(String::with_capacity(text.len() + 1)),
        };
        document.text.push_str(text);
        if !text.is_empty() && !text.ends_with(['\n', '\r']) {
            document.text.push('\n');
        }
        // An indented section would continue the value above it if the section between them were
        // removed.
        for section in document.sections()?.iter().rev() {
            let line = &document.text[section.header.clone()];
            let indentation = line.len() - line.trim_start().len();
            document.splice(section.header.start, section.header.start + indentation, "");
        }
        Ok(document)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is a section with this name.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn has(&self, name: &str) -> Result<bool, String> {
        Ok(self.section(name)?.is_some())
    }

    /// Whether a section has a field, its own or an inherited one.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn has_field(&self, name: &str, key: &str) -> Result<bool, String> {
        let sections = ini::parse(&self.text)?;
        let section = sections.iter().find(|section| section.name == name);
        Ok(section.is_some_and(|section| section.get(key).is_some()))
    }

    /// Sets fields of a section, or removes fields whose value is `None`. Other fields are
    /// preserved.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn set(&mut self, name: &str, fields: &[(&str, Option<&str>)]) -> Result<(), String> {
        if self.section(name)?.is_none() {
            self.open(name)?;
        }
        for (key, value) in fields {
            let Some(section) = self.section(name)? else {
                break;
            };
            let old = section.field(key);
            // A deeper indentation than the previous field's would continue that field, and a
            // smaller one would make the next field continue this one.
            let model = old.or(section.fields.last());
            let indentation = model.map_or("", |field| {
                &self.text[field.lines.start..field.lines.start + field.indentation]
            });
            let line = Zeroizing::new(value.map_or_else(String::new, |value| {
                format!("{indentation}{key} = {value}\n")
            }));
            let (start, end) = old.map_or((section.end(), section.end()), |field| {
                (field.lines.start, field.lines.end)
            });
            self.splice(start, end, &line);
        }
        Ok(())
    }

    /// Removes a section. Comments above and below it are preserved.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn remove(&mut self, name: &str) -> Result<bool, String> {
        self.remove_where(|section| section.name == name)
    }

    /// Removes the sections with these names in one pass.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn remove_all(&mut self, names: &[String]) -> Result<bool, String> {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        self.remove_where(|section| names.contains(section.name.as_str()))
    }

    fn remove_where(&mut self, goes: impl Fn(&Section) -> bool) -> Result<bool, String> {
        let sections = self.sections()?;
        let mut rest = Zeroizing::new(String::with_capacity(self.text.len()));
        let mut start = 0;
        let going = |section: &&Section| section.name != DEFAULT && goes(section);
        for section in sections.iter().filter(going) {
            rest.push_str(&self.text[start..section.header.start]);
            start = self.blank_lines_after(section.end());
        }
        if start == 0 {
            return Ok(false);
        }
        rest.push_str(&self.text[start..]);
        self.text = rest;
        Ok(true)
    }

    /// Removes fields that all sections inherit from `[DEFAULT]`.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn forget_inherited(&mut self, keys: &[&str]) -> Result<(), String> {
        for section in self.sections()?.iter().rev() {
            let fields = section.fields.iter().rev();
            for field in fields.filter(|field| keys.contains(&&*field.key)) {
                if section.name == DEFAULT {
                    self.splice(field.lines.start, field.lines.end, "");
                }
            }
        }
        Ok(())
    }

    /// The end of the blank lines that start at `end`.
    fn blank_lines_after(&self, mut end: usize) -> usize {
        while let Some(ending) = ["\r\n", "\n", "\r"]
            .into_iter()
            .find(|ending| self.text[end..].starts_with(ending))
        {
            end += ending.len();
        }
        end
    }

    /// Renames a section. No section may have the new name.
    ///
    /// # Errors
    ///
    /// None after a successful [`IniDocument::parse`].
    pub fn rename(&mut self, old: &str, new: &str) -> Result<bool, String> {
        let Some(section) = self.section(old)? else {
            return Ok(false);
        };
        self.splice(
            section.header.start,
            section.header.end,
            &format!("[{new}]\n"),
        );
        Ok(true)
    }

    fn sections(&self) -> Result<Vec<Section>, String> {
        ini::scan(&self.text)
    }

    fn section(&self, name: &str) -> Result<Option<Section>, String> {
        let mut sections = self.sections()?.into_iter();
        Ok(sections.find(|section| section.name == name && name != DEFAULT))
    }

    /// Adds an empty section.
    fn open(&mut self, name: &str) -> Result<(), String> {
        let sections = self.sections()?;
        let next = sections
            .iter()
            .find(|section| section.name != DEFAULT && section.name.as_str() > name);
        let start = next.map_or(self.text.len(), |section| {
            self.comments_above(section.header.start)
        });
        let before = &self.text[..start];
        let gap = if before.is_empty() || before.ends_with("\n\n") {
            ""
        } else {
            "\n"
        };
        self.splice(start, start, &format!("{gap}[{name}]\n\n"));
        Ok(())
    }

    /// Where the comments directly above a line begin. They belong to what follows them.
    fn comments_above(&self, start: usize) -> usize {
        let above: Vec<_> = lines(&self.text[..start]).collect();
        let comments = above
            .into_iter()
            .rev()
            .take_while(|(_, line)| line.starts_with(['#', ';']));
        comments.last().map_or(start, |(whole, _)| whole.start)
    }

    fn splice(&mut self, start: usize, end: usize, with: &str) {
        // Allocated at full size, so that no reallocation leaves part of a token behind.
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + with.len()));
        text.push_str(&self.text[..start]);
        text.push_str(with);
        text.push_str(&self.text[end..]);
        self.text = text;
    }
}

#[cfg(test)]
mod tests;
