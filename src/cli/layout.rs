//! Lays out text for terminals: rows, lists, and paragraphs, wrapped to the width.
//!
//! Much of what is shown comes from others (names on a Hub, its messages, paths), so control
//! characters and bidirectional marks are replaced before anything is styled: nothing that a Hub
//! sends can move the cursor.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::ascii;
use super::table::{self, pad};
use super::wrapping::{self, LongWords};
use crate::sanitize::replace_controls;
use crate::trace::{SourceStatus, Trace};

/// The column where the value of a row begins.
const LABEL: usize = 14;
/// Sources longer than this only push their own line to the right.
const SOURCE: usize = 44;
/// The column where the source begins in a line of a trace.
const ANSWER: usize = 12;
/// Wrapping to less than this does not improve readability.
const NARROWEST: usize = 20;

/// Text that is built line by line.
pub struct Layout {
    text: String,
    color: bool,
    width: Option<usize>,
    is_ascii: bool,
}

impl Layout {
    /// An empty page.
    pub fn new(color: bool, width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            color,
            width,
            is_ascii: false,
        }
    }

    /// The same page; `is_ascii` says whether only ASCII is safe. What will be printed is what is
    /// measured, and an escape sequence is wider than its character.
    #[must_use]
    pub fn in_ascii(self, is_ascii: bool) -> Self {
        Self { is_ascii, ..self }
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
        let mut start = self.paint(Style::new().dimmed(), &format!("{label:LABEL$}"));
        let mut indent = LABEL;
        if self.room(LABEL) < NARROWEST {
            if !label.is_empty() {
                self.push(&start);
            }
            indent = 2;
            start = " ".repeat(indent);
        }
        for line in self.wrap(value, indent, 0) {
            let line = self.paint(style, &line);
            self.push(&format!("{start}{line}"));
            start = " ".repeat(indent);
        }
    }

    /// Rows under one label, in columns.
    pub fn list(&mut self, label: &str, items: &[(String, String)]) {
        let left: Vec<String> = items.iter().map(|(left, _)| self.clean(left)).collect();
        let width = column(left.iter().map(String::as_str));
        for (index, (left, (_, right))) in left.iter().zip(items).enumerate() {
            let label = if index == 0 { label } else { "" };
            self.row(label, format!("{}  {right}", pad(left, width)).trim_end());
        }
    }

    /// A table with a header line, laid out to fit the width.
    pub fn table(&mut self, titles: &[String], rows: &[Vec<String>]) {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| self.clean(cell)).collect())
            .collect();
        for line in table::lay_out(titles, &rows, self.width) {
            let title = self.paint(Style::new().dimmed(), &line.title);
            self.push(&format!("{title}{}", line.text));
        }
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        for line in self.wrap(text, 0, 0) {
            self.push(&line);
        }
    }

    /// A line that is not wrapped, so that it can be copied.
    #[cfg(feature = "hub")]
    pub fn line(&mut self, text: &str) {
        let text = self.clean(text);
        self.push(&text);
    }

    /// A paragraph after a colored label and a colon.
    pub fn labeled(&mut self, label: &str, style: Style, text: &str) {
        let taken = label.width() + 2;
        let mut label = self.paint(style, &format!("{label}:"));
        label.push(' ');
        for line in self.wrap(text, 0, taken) {
            self.push(&format!("{label}{line}"));
            label.clear();
        }
    }

    /// The status of each source, one per line if that fits.
    pub fn trace(&mut self, trace: &Trace) {
        let sources = trace.steps.iter().map(|step| self.clean(&step.source));
        let sources: Vec<String> = sources.collect();
        let width = column(sources.iter().map(String::as_str));
        let details = ANSWER + width + 2;
        let is_narrow = self.room(details) < NARROWEST;
        for (step, source) in trace.steps.iter().zip(&sources) {
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
            let detail = format!("{mask}{comma}{}", self.clean(&step.detail));
            let mut start = format!("  {answer}  {}", pad(source, width));
            let (indent, taken) = if is_narrow {
                self.push(&start);
                start = " ".repeat(ANSWER);
                (ANSWER, 0)
            } else {
                start.push_str("  ");
                (details, source.width().saturating_sub(width))
            };
            for line in self.wrap(&detail, indent, taken) {
                if !(is_narrow && line.is_empty()) {
                    self.push(&format!("{start}{line}"));
                }
                start = " ".repeat(indent);
            }
        }
    }

    /// The text as it will be printed.
    fn clean(&self, text: &str) -> String {
        ascii::text_if(self.is_ascii, &clean(text)).into_owned()
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

    /// The columns to the right of an indent.
    fn room(&self, indent: usize) -> usize {
        self.width
            .map_or(usize::MAX, |width| width.saturating_sub(indent))
    }

    /// Breaks text into lines that fit after an indent; existing line breaks are kept. `taken`
    /// columns of the first line have something in them already.
    fn wrap(&self, text: &str, indent: usize, taken: usize) -> Vec<String> {
        let room = self.room(indent);
        if room == usize::MAX {
            return text.split('\n').map(|line| self.clean(line)).collect();
        }
        let mut taken = taken;
        text.split('\n')
            .map(|line| self.clean(line))
            .flat_map(|line| {
                let taken = std::mem::take(&mut taken);
                wrapping::wrap(&line, room.max(NARROWEST), taken, LongWords::Whole)
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
        // As they are printed, which takes more columns.
        let mut page = Layout::new(false, None).in_ascii(true);
        page.table(
            &["name".to_owned(), "role".to_owned()],
            &names.map(|name| vec![name.to_owned(), "write".to_owned()]),
        );
        assert_eq!(columns_of(page.text(), "write"), [14; 4], "{}", page.text());
        let mut page = Layout::new(false, None).in_ascii(true);
        page.list(
            "in",
            &names.map(|name| (name.to_owned(), "write".to_owned())),
        );
        assert_eq!(columns_of(page.text(), "write"), [28; 4], "{}", page.text());
        assert!(page.text().is_ascii());
        let mut page = Layout::new(false, Some(30));
        page.paragraph(&"\u{6a21}\u{578b} ".repeat(12));
        assert!(page.text().lines().all(|line| line.width() <= 30));
        assert_eq!(page.text().lines().count(), 2);
    }

    #[test]
    fn everything_fits_the_width_with_its_label() {
        let mut trace = Trace::default();
        let detail = "is set, but the Hub's libraries do not read it";
        trace.note("env:HF_TOKEN", SourceStatus::Absent, "not set");
        trace.note("env:HF_API_KEY", SourceStatus::Ignored, detail);
        trace.note(
            format!("file:/{}", "a".repeat(60)),
            SourceStatus::Broken,
            detail,
        );
        let words = "one \u{6a21}\u{578b} two words ".repeat(8);
        for width in [33, 34, 40, 80, 120] {
            let mut page = Layout::new(false, Some(width));
            page.labeled("warning", Style::new(), &words);
            page.labeled("error", Style::new(), &"\u{6a21}\u{578b}".repeat(60));
            page.row("organizations", &words);
            page.list("in", &[("\u{6a21}\u{578b}".repeat(4), words.clone())]);
            page.trace(&trace);
            for line in page.text().lines() {
                let is_path = line.contains("file:");
                assert!(line.width() <= width || is_path, "{width}: {line:?}");
            }
            assert!(page.text().starts_with("warning: one "), "{}", page.text());
        }
        let mut page = Layout::new(false, None);
        page.labeled("error", Style::new(), &words);
        page.trace(&trace);
        assert_eq!(page.text().lines().count(), 4);
    }
}
