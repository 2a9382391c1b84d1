//! Fits a table into the width of a terminal.
//!
//! A table that is too wide gets narrower columns, in which cells take several lines. If even its
//! longest words do not fit side by side, each row becomes a block of lines, one for each column.

use unicode_width::UnicodeWidthStr;

use super::wrapping::{LongWords, longest_word, wrap};

/// The columns between two cells.
const GAP: usize = 2;
/// A value is not broken into pieces shorter than this.
const NARROWEST: usize = 10;

/// One line of output.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The titles of columns.
    pub title: String,
    /// What follows them.
    pub text: String,
}

/// Lays out a table. `width` is `None` if there is no terminal.
pub fn lay_out(titles: &[String], rows: &[Vec<String>], width: Option<usize>) -> Vec<Line> {
    match widths(titles, rows, width) {
        Some(widths) => grid(titles, rows, &widths),
        None => blocks(titles, rows, width.unwrap_or(usize::MAX)),
    }
}

/// Pads a text with spaces to a number of terminal columns. A Chinese character takes two of
/// them, and a combining accent none, so counting characters would misalign them.
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// The widths of the columns; `None` if their longest words do not fit side by side.
fn widths(titles: &[String], rows: &[Vec<String>], width: Option<usize>) -> Option<Vec<usize>> {
    let widest = |measure: fn(&str) -> usize| -> Vec<usize> {
        (0..titles.len())
            .map(|index| {
                let cells = rows.iter().filter_map(|row| row.get(index));
                let cells = cells.map(|cell| measure(cell));
                let title = titles[index].width();
                cells.chain([title]).max().unwrap_or_default()
            })
            .collect()
    };
    let mut widths = widest(UnicodeWidthStr::width);
    let Some(width) = width else {
        return Some(widths);
    };
    let smallest = widest(longest_word);
    let gaps = GAP * titles.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
    while excess > 0 {
        let (widest, _) = widths
            .iter_mut()
            .zip(&smallest)
            .filter(|(width, smallest)| **width > **smallest)
            .max_by_key(|(width, _)| **width)?;
        *widest -= 1;
        excess -= 1;
    }
    Some(widths)
}

fn grid(titles: &[String], rows: &[Vec<String>], widths: &[usize]) -> Vec<Line> {
    let mut lines = vec![Line {
        title: side_by_side(titles.iter().map(String::as_str), widths),
        text: String::new(),
    }];
    for row in rows {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| wrap(cell, *width, 0, LongWords::Whole))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        for level in 0..height {
            let parts = cells
                .iter()
                .map(|cell| cell.get(level).map_or("", String::as_str));
            lines.push(Line {
                title: String::new(),
                text: side_by_side(parts, widths),
            });
        }
    }
    lines
}

fn side_by_side<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let cells = cells.zip(widths).map(|(cell, width)| pad(cell, *width));
    let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
    line.trim_end_matches(' ').to_owned()
}

fn blocks(titles: &[String], rows: &[Vec<String>], width: usize) -> Vec<Line> {
    let label = titles.iter().map(|title| title.width()).max().unwrap_or(0) + GAP;
    let room = width.saturating_sub(label).max(NARROWEST);
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            lines.push(Line {
                title: String::new(),
                text: String::new(),
            });
        }
        // A column without a title is a mark of the next one.
        let mut mark = "";
        for (title, cell) in titles.iter().zip(row) {
            if title.is_empty() {
                mark = cell;
                continue;
            }
            let gap = if mark.is_empty() { "" } else { " " };
            let value = format!("{}{gap}{cell}", std::mem::take(&mut mark));
            let mut title = pad(title, label);
            for text in wrap(&value, room, 0, LongWords::Broken) {
                let next = " ".repeat(label);
                lines.push(Line {
                    title: std::mem::replace(&mut title, next),
                    text,
                });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> Vec<String> {
        let titles = ["", "name", "role", "expires"].map(str::to_owned);
        let rows = [
            [
                "*",
                "\u{6a21}\u{578b}-\u{1f917} of all",
                "fine-grained",
                "2027-01-01 00:00 UTC",
            ],
            ["", "e\u{301}te\u{301}", "-", "never"],
        ]
        .map(|row| row.map(str::to_owned).to_vec());
        let lines = lay_out(&titles, &rows, width).into_iter();
        lines.map(|line| line.title + &line.text).collect()
    }

    #[test]
    fn a_table_takes_the_width_it_has() {
        let whole = table(None);
        assert_eq!(whole.len(), 3);
        assert_eq!(table(Some(54)), whole);
        assert_eq!(
            table(Some(44)),
            [
                "   name           role          expires",
                "*  \u{6a21}\u{578b}-\u{1f917} of     fine-grained  2027-01-01",
                "   all                          00:00 UTC",
                "   e\u{301}te\u{301}            -             never",
            ]
        );
    }

    #[test]
    fn a_table_without_room_becomes_blocks() {
        assert_eq!(
            table(Some(28)),
            [
                "name     * \u{6a21}\u{578b}-\u{1f917} of all",
                "role     fine-grained",
                "expires  2027-01-01 00:00",
                "         UTC",
                "",
                "name     e\u{301}te\u{301}",
                "role     -",
                "expires  never",
            ]
        );
        for width in 20..80 {
            let lines = table(Some(width));
            assert!(
                lines.iter().all(|line| line.width() <= width),
                "{width}: {lines:#?}"
            );
        }
    }
}
