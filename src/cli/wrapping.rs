//! Breaks text into lines that fit a terminal.
//!
//! Width is counted in the terminal's columns: a Chinese character takes two of them, and a
//! combining accent none. Lines break at spaces, and between characters of scripts that have no
//! spaces, but not before their punctuation.

use std::borrow::Cow;

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Which words may be broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LongWords {
    /// None: paths and addresses stay whole, so that they can be copied.
    Whole,
    /// Those that do not fit into a line of their own.
    Broken,
}

/// Breaks one line of text. `taken` columns of the first line have something in them already.
pub fn wrap(text: &str, width: usize, taken: usize, long_words: LongWords) -> Vec<String> {
    let indent = " ".repeat(taken.min(width));
    let options = options(width, long_words).initial_indent(&indent);
    let lines = textwrap::wrap(text, &options);
    let mut lines: Vec<String> = lines.into_iter().map(Cow::into_owned).collect();
    if let Some(first) = lines.first_mut()
        && let Some(rest) = first.strip_prefix(&indent)
    {
        *first = rest.to_owned();
    }
    lines
}

/// Wraps text that has lines and indents of its own; what an indented line continues on is indented
/// as well.
pub fn wrap_lines(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let words = line.trim_start_matches(' ');
        let indent = " ".repeat(line.len() - words.len());
        let options = options(width, LongWords::Whole)
            .initial_indent(&indent)
            .subsequent_indent(&indent);
        for line in textwrap::wrap(words, &options) {
            wrapped.push_str(&line);
            wrapped.push('\n');
        }
    }
    wrapped
}

/// The width of the longest part of a text that no line break may divide.
pub fn longest_word(text: &str) -> usize {
    separate(text)
        .map(|word| word.word.width())
        .max()
        .unwrap_or_default()
}

fn options<'a>(width: usize, long_words: LongWords) -> Options<'a> {
    Options::new(width)
        .break_words(long_words == LongWords::Broken)
        .word_splitter(WordSplitter::NoHyphenation)
        .word_separator(WordSeparator::Custom(separate))
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

/// Finds the parts between which a line may break.
fn separate(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut start = 0;
    let words = WordSeparator::AsciiSpace.find_words(line);
    Box::new(words.flat_map(move |word| {
        let text = word.word;
        let end = start + text.len() + word.whitespace.len();
        let characters = text.char_indices().zip(text.chars().skip(1));
        let mut cuts: Vec<usize> = characters
            .filter(|((_, one), next)| may_break_between(*one, *next))
            .map(|((index, one), _)| start + index + one.len_utf8())
            .collect();
        cuts.push(end);
        let mut from = std::mem::replace(&mut start, end);
        cuts.into_iter().map(move |cut| {
            let part = &line[from..cut];
            from = cut;
            Word::from(part)
        })
    }))
}

fn may_break_between(one: char, next: char) -> bool {
    let is_wide_letter =
        |character: char| character.is_alphanumeric() && character.width() == Some(2);
    (is_wide_letter(next) && !opens(one)) || (is_wide_letter(one) && next.is_alphanumeric())
}

/// Whether a character belongs to what follows it.
fn opens(character: char) -> bool {
    "`'\"([{<\u{2018}\u{201c}\u{3008}\u{300a}\u{300c}\u{300e}\u{3010}\u{ff08}\u{ff3b}\u{ff5b}"
        .contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_spaces_breaks_between_its_characters() {
        let text = "\u{6a21}\u{578b}".repeat(10);
        let lines = wrap(&text, 11, 0, LongWords::Whole);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.iter().all(|line| line.width() == 10));
        assert_eq!(lines.concat(), text);
        // Punctuation stays with the word that it belongs to.
        let lines = wrap(
            "\u{300c}\u{6a21}\u{578b}\u{300d}\u{3002}",
            4,
            0,
            LongWords::Whole,
        );
        assert_eq!(lines, ["\u{300c}\u{6a21}", "\u{578b}\u{300d}\u{3002}"]);
        // A combining accent stays with its letter.
        let lines = wrap(&"e\u{301}".repeat(6), 4, 0, LongWords::Broken);
        assert_eq!(lines, ["e\u{301}".repeat(4), "e\u{301}".repeat(2)]);
    }

    #[test]
    fn addresses_stay_whole_and_the_rest_fits() {
        let text = "see https://huggingface.co/settings/tokens for it";
        assert_eq!(
            wrap(text, 20, 7, LongWords::Whole),
            ["see", "https://huggingface.co/settings/tokens", "for it"]
        );
        let lines = wrap(text, 20, 7, LongWords::Broken);
        assert!(lines.iter().all(|line| line.len() <= 20), "{lines:?}");
        assert_eq!(wrap("", 20, 7, LongWords::Whole), [""]);
        assert_eq!(
            wrap_lines("error: a word\n\n  --an option of it\n", 12),
            "error: a\nword\n\n  --an\n  option of\n  it\n"
        );
    }
}
