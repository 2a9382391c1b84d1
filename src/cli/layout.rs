//! Lays out text for terminals: rows, lists, and paragraphs, wrapped to the width.
//!
//! Much of what is shown comes from others (names on a Hub, its messages, paths), so control
//! characters and bidirectional marks are replaced before anything is styled: nothing that a Hub
//! sends can move the cursor.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr;

use crate::sanitize::replace_controls;
use crate::trace::{SourceStatus, Trace};

/// The column where the value of a row begins.
const LABEL: usize = 14;
/// Sources longer than this only push their own line to the right.
const SOURCE: usize = 44;
/// Wrapping to less than this does not improve readability.
const NARROWEST: usize = 30;

/// Text that is built line by line.
pub struct Layout {
    text: String,
    color: bool,
    width: Option<usize>,
}

impl Layout {
    /// An empty page.
    pub fn new(color: bool, width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            color,
            width,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A label and its value; a blank label continues the one above.
    pub fn row(&mut self, label: &str, value: &str) {
        self.styled_row(label, Style::new(), value);
    }

    /// A row whose value is highlighted.
    pub fn strong_row(&mut self, label: &str, value: &str) {
        self.styled_row(label, Style::new().bold(), value);
    }

    fn styled_row(&mut self, label: &str, style: Style, value: &str) {
        let dimmed = Style::new().dimmed();
        let mut label = self.paint(dimmed, &format!("{label:LABEL$}"));
        for line in self.wrap(value, LABEL) {
            let line = self.paint(style, &line);
            self.push(&format!("{label}{line}"));
            label = " ".repeat(LABEL);
        }
    }

    /// Rows under one label, in columns.
    pub fn list(&mut self, label: &str, items: &[(String, String)]) {
        let width = column(items.iter().map(|(left, _)| left.as_str()));
        for (index, (left, right)) in items.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.row(label, format!("{}  {right}", pad(left, width)).trim_end());
        }
    }

    /// A table with a header line; it is not wrapped.
    pub fn table(&mut self, titles: &[String], rows: &[Vec<String>]) {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| clean(cell)).collect())
            .collect();
        let widths: Vec<usize> = (0..titles.len())
            .map(|index| {
                let cells = rows.iter().filter_map(|row| row.get(index));
                let cells = cells.chain(titles.get(index));
                cells.map(|cell| cell.width()).max().unwrap_or_default()
            })
            .collect();
        let line = |row: &[String]| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| pad(cell, *width));
            cells.collect::<Vec<_>>().join("  ")
        };
        let heading = self.paint(Style::new().dimmed(), line(titles).trim_end());
        self.push(&heading);
        for row in &rows {
            self.push(&line(row));
        }
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        for line in self.wrap(text, 0) {
            self.push(&line);
        }
    }

    /// A line that is not wrapped, so that it can be copied.
    #[cfg(feature = "hub")]
    pub fn line(&mut self, text: &str) {
        let text = clean(text);
        self.push(&text);
    }

    /// A paragraph after a colored label and a colon.
    pub fn labeled(&mut self, label: &str, style: Style, text: &str) {
        let mut label = self.paint(style, &format!("{label}:"));
        label.push(' ');
        for line in self.wrap(text, 0) {
            self.push(&format!("{label}{line}"));
            label.clear();
        }
    }

    /// The status of each source, one per line.
    pub fn trace(&mut self, trace: &Trace) {
        let width = column(trace.steps.iter().map(|step| step.source.as_str()));
        for step in &trace.steps {
            let color = match step.status {
                SourceStatus::Found => Some(AnsiColor::Green),
                SourceStatus::Shadowed | SourceStatus::Ignored => Some(AnsiColor::Yellow),
                SourceStatus::Broken | SourceStatus::Refused => Some(AnsiColor::Red),
                SourceStatus::Absent | SourceStatus::Skipped => None,
            };
            let style = match color {
                Some(color) => Style::new().fg_color(Some(color.into())),
                None => Style::new().dimmed(),
            };
            let answer = self.paint(style, &format!("{:8}", step.status.name()));
            let mask = step.mask.as_deref().unwrap_or_default();
            let comma = if mask.is_empty() || step.detail.is_empty() {
                ""
            } else {
                ", "
            };
            let line = format!(
                "{}  {mask}{comma}{}",
                pad(&clean(&step.source), width),
                clean(&step.detail)
            );
            self.push(&format!("  {answer}  {}", line.trim_end()));
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end_matches(' '));
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.trim().is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// Breaks text into lines at spaces; existing line breaks are kept.
    fn wrap(&self, text: &str, indent: usize) -> Vec<String> {
        let limit = self.width.map_or(usize::MAX, |width| {
            width.saturating_sub(indent).max(NARROWEST)
        });
        let options = Options::new(limit)
            // Paths and addresses stay whole, so that they can be copied.
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation)
            .word_separator(WordSeparator::AsciiSpace)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        text.split('\n')
            .map(clean)
            .flat_map(|line| {
                let lines = textwrap::wrap(&line, &options);
                lines.into_iter().map(Cow::into_owned).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// The widest item, in columns of the terminal; an item that is too long to line up does not count.
fn column<'a>(items: impl Iterator<Item = &'a str>) -> usize {
    items
        .map(UnicodeWidthStr::width)
        .filter(|width| *width <= SOURCE)
        .max()
        .unwrap_or_default()
}

/// Pads a text with spaces to a number of terminal columns. A Chinese character takes two of
/// them, and a combining accent none, so counting characters would misalign them.
fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// Replaces characters that would control a terminal instead of being shown.
pub fn clean(text: &str) -> String {
    replace_controls(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_wrapped_under_themselves() {
        let mut page = Layout::new(false, Some(46));
        page.row("user", &"word ".repeat(12));
        assert_eq!(
            page.text(),
            format!(
                "user          {w} word\n              {w} word\n",
                w = ["word"; 5].join(" ")
            )
        );
    }

    #[test]
    fn nobody_moves_the_cursor() {
        let mut page = Layout::new(true, None);
        page.strong_row("user", "ali\u{1b}[2Jce\u{202e}");
        page.list("rights", &[("a\u{7}".to_owned(), "b\u{9b}".to_owned())]);
        assert!(!page.text().contains("\u{1b}[2J"), "{:?}", page.text());
        assert!(!page.text().contains(['\u{202e}', '\u{7}', '\u{9b}']));
        assert!(page.text().contains("ali\u{fffd}[2Jce\u{fffd}"));
    }

    #[test]
    fn columns_line_up() {
        let mut page = Layout::new(false, None);
        page.list(
            "in",
            &[
                ("a".to_owned(), "read".to_owned()),
                ("acme".to_owned(), "write".to_owned()),
            ],
        );
        assert_eq!(
            page.text(),
            "in            a     read\n              acme  write\n"
        );
    }

    /// The column, counted as a terminal does, in which a word begins in each line.
    fn columns_of(text: &str, word: &str) -> Vec<usize> {
        text.lines()
            .filter_map(|line| Some(line.split_once(word)?.0.width()))
            .collect()
    }

    #[test]
    fn wide_names_line_up() {
        let names = ["ab", "\u{6a21}\u{578b}", "e\u{301}", "\u{1f600}"];
        let mut page = Layout::new(false, None);
        page.table(
            &["name".to_owned(), "role".to_owned()],
            &names.map(|name| vec![name.to_owned(), "write".to_owned()]),
        );
        assert_eq!(columns_of(page.text(), "write"), [6; 4], "{}", page.text());
        let mut page = Layout::new(false, None);
        page.list(
            "in",
            &names.map(|name| (name.to_owned(), "write".to_owned())),
        );
        assert_eq!(columns_of(page.text(), "write"), [20; 4], "{}", page.text());
        let mut page = Layout::new(false, Some(NARROWEST));
        page.paragraph(&"\u{6a21}\u{578b} ".repeat(12));
        assert!(page.text().lines().all(|line| line.width() <= NARROWEST));
        assert_eq!(page.text().lines().count(), 2);
    }
}
