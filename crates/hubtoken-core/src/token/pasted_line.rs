//! Takes a token out of the line that it was copied with.
//!
//! Users copy a whole line of a file of variables, of a shell's history or of a documentation page:
//! `HF_TOKEN=hf_...`, `-H "Authorization: Bearer hf_..."`. What is around the token is stripped like
//! quotes, one layer at a time, and the caller warns about it.
//!
//! Nothing is guessed. A name must be that of a token, and a name that could belong to any service
//! counts only if a Hub token, or a key that is recognized and refused, follows it. A line with
//! anything else in it (a second token, a command, an address) is left as it is, and its white
//! space or punctuation makes it an error.

use super::TokenKind;
use super::format::{ByteKinds, MAXIMUM_LENGTH};
use super::service_key::recognize;

/// What a token was copied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastedLine {
    /// A name with the token as its value: `HF_TOKEN=hf_...`.
    Assignment,
    /// The value of a header, perhaps with its name: `Authorization: Bearer hf_...`.
    Header,
}

impl PastedLine {
    /// A description, phrased to follow "holds".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Assignment => "a whole line (a name and the token, as in `HF_TOKEN=...`)",
            Self::Header => "a header (as in `Authorization: Bearer ...`)",
        }
    }
}

/// The maximum length of a line, in bytes: what is longer holds no token that could be sent.
const LONGEST: usize = MAXIMUM_LENGTH + 1_000;

/// Pairs of quotes, including those of word processors and of Markdown.
const QUOTES: [(char, char); 5] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
];

/// Words of shells, notebooks and container files that precede a name.
const COMMANDS: [&str; 17] = [
    "export", "set", "setx", "setenv", "env", "arg", "declare", "typeset", "local", "readonly",
    "let", "const", "var", "%env", "%set_env", "!export", "!set",
];
/// Signs that precede a whole line: prompts, and the mark of a list item.
const SIGNS: [&str; 6] = ["$", ">", "%", "-", "PS>", ">>>"];
/// Options that precede a quoted line: those of curl and Docker.
const OPTIONS: [&str; 5] = ["-H", "--header", "-e", "--env", "--build-arg"];
/// What is joined to the assignment that follows: the same options, and a setting of systemd.
const JOINED: [&str; 4] = ["--header=", "--env=", "--build-arg=", "Environment="];
/// How programs name the environment, in front of a variable's name.
const ENVIRONMENTS: [&str; 6] = [
    "$env:",
    "os.environ[",
    "environ[",
    "process.env.",
    "ENV[",
    "env.",
];

/// Words in the names of secrets.
const SECRET_WORDS: [&str; 9] = [
    "token",
    "key",
    "auth",
    "secret",
    "password",
    "passwd",
    "bearer",
    "credential",
    "header",
];
/// A run of letters and digits of this length is a secret, not a part of a name.
const LONGEST_WORD: usize = 20;
/// The words of a comment are shorter than any token.
const LONGEST_COMMENT_WORD: usize = 16;

/// White space, and the invisible characters that come along when copying from a page or an editor.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\0'
        )
}

/// Strips what users and files put around a value, and says what it was if it was more than white
/// space, quotes and the punctuation that ends a line.
///
/// What is returned is never stripped further by a second call. Its kinds of bytes are returned as
/// well, since they are needed to judge it.
pub(super) fn strip(raw: &str) -> (&str, Option<PastedLine>, ByteKinds) {
    let text = trimmed(raw);
    let kinds = ByteKinds::of(text);
    // Hardly any value contains a character that a line needs.
    if text.len() > LONGEST || !kinds.have(ByteKinds::ILLEGAL | ByteKinds::EQUALS) {
        return (text, None, kinds);
    }
    let (text, line) = stripped(text);
    (text, line, ByteKinds::of(text))
}

fn stripped(mut text: &str) -> (&str, Option<PastedLine>) {
    let mut line = None;
    // Where to go back to if the value turns out to be nothing that is recognized.
    let mut doubtful = None;
    loop {
        if let Some(inner) = unquoted(text).or_else(|| without_end(text)) {
            text = inner;
            continue;
        }
        let Some(layer) = outer_layer(text) else {
            break;
        };
        if layer.is_doubtful {
            doubtful.get_or_insert((text, line));
        }
        line = line.or(layer.line);
        text = trimmed(layer.inner);
    }
    match doubtful {
        Some(kept) if !is_recognized(text) => kept,
        _ => (text, line),
    }
}

fn trimmed(text: &str) -> &str {
    // Nearly every value begins and ends with a visible ASCII character.
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim_matches(is_invisible),
    }
}

/// The text inside one pair of quotes, unless these are the quotes of two texts.
fn unquoted(text: &str) -> Option<&str> {
    QUOTES.into_iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains([open, close])).then(|| trimmed(inner))
    })
}

/// The text without the punctuation or the comment that ends it.
fn without_end(text: &str) -> Option<&str> {
    let end = text.strip_suffix([';', ',', '\\']).or_else(|| {
        let (text, comment) = text.split_once(" #")?;
        // A comment may hold an older token: then it is not clear which one is meant.
        let is_prose = comment
            .split_whitespace()
            .all(|word| is_comment_word(word) && !word.starts_with("hf_"));
        is_prose.then_some(text)
    })?;
    Some(trimmed(end))
}

/// A word of prose, or the address of the page that a token is from.
fn is_comment_word(word: &str) -> bool {
    let is_address = word.starts_with("https://") && recognize(word).is_none();
    is_address || word.len() < LONGEST_COMMENT_WORD
}

/// What is around a text, and what is inside.
struct Layer<'a> {
    inner: &'a str,
    line: Option<PastedLine>,
    /// Whether it counts only if the value is recognized.
    is_doubtful: bool,
}

fn outer_layer(text: &str) -> Option<Layer<'_>> {
    let (word, rest) = text
        .split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, trimmed(rest)));
    if word.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        return Some(Layer {
            inner: rest,
            line: Some(PastedLine::Header),
            is_doubtful: false,
        });
    }
    if SIGNS.contains(&word) {
        return Some(Layer {
            inner: rest,
            line: None,
            is_doubtful: true,
        });
    }
    let quoted = |text| unquoted(text).unwrap_or(text);
    if let Some(rest) = JOINED.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        return named(quoted(rest), false);
    }
    if OPTIONS.contains(&word) {
        return named(quoted(rest), false);
    }
    if is_command(word) {
        let mut rest = rest;
        while let Some((option, after)) = rest.split_once(char::is_whitespace)
            && option.starts_with('-')
        {
            rest = trimmed(after);
        }
        return named(quoted(rest), true);
    }
    named(text, false)
}

fn is_command(word: &str) -> bool {
    COMMANDS
        .iter()
        .any(|command| word.eq_ignore_ascii_case(command))
}

/// A name and its value, separated by `=` or `:`, or by white space where a command takes two words.
fn named(text: &str, is_spaced: bool) -> Option<Layer<'_>> {
    let option = text.trim_start_matches('-');
    let is_spaced = is_spaced || option.len() < text.len();
    let text = ENVIRONMENTS
        .into_iter()
        .find_map(|prefix| {
            let start = option.get(..prefix.len())?;
            start
                .eq_ignore_ascii_case(prefix)
                .then(|| &option[prefix.len()..])
        })
        .unwrap_or(option);
    let text = text.trim_start_matches(['"', '\'']);
    let end = text.find(|character: char| {
        !(character.is_ascii_alphanumeric() || character == '_' || character == '-')
    })?;
    let (name, rest) = text.split_at(end);
    let is_hub_name = is_hub_name(name);
    if !is_name(name) || !(is_hub_name || is_secret_name(name)) {
        return None;
    }
    let after = rest.trim_start_matches(['"', '\'', ']']);
    let separated = after.trim_start_matches(is_invisible);
    let inner = separated
        .strip_prefix(":=")
        .or_else(|| separated.strip_prefix(['=', ':']))
        .or_else(|| (is_spaced && separated.len() < after.len()).then_some(separated))
        .filter(|value| !value.starts_with('='))?;
    let line = if contains(name, "authorization") || contains(name, "header") {
        PastedLine::Header
    } else {
        PastedLine::Assignment
    };
    Some(Layer {
        inner,
        line: Some(line),
        is_doubtful: !is_hub_name,
    })
}

/// Whether it could be a name at all, and is no secret itself.
fn is_name(name: &str) -> bool {
    let longest = name.split(['_', '-']).map(str::len).max();
    longest.is_some_and(|longest| (1..LONGEST_WORD).contains(&longest)) && recognize(name).is_none()
}

/// Whether only a token of the Hub has this name: `HF_TOKEN` and those like it.
fn is_hub_name(name: &str) -> bool {
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let names_the_hub = begins("hf_")
        || begins("hf-")
        || [
            "_hf_",
            "-hf-",
            "huggingface",
            "hugging_face",
            "hugging-face",
        ]
        .into_iter()
        .any(|part| contains(name, part));
    let ends = |suffix: &str| {
        let start = name.len().saturating_sub(suffix.len());
        name.get(start..)
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    name.eq_ignore_ascii_case("authorization")
        || (names_the_hub
            && ["token", "key", "secret", "password", "pat"]
                .into_iter()
                .any(ends))
}

fn is_secret_name(name: &str) -> bool {
    !name.starts_with("hf_") && SECRET_WORDS.into_iter().any(|word| contains(name, word))
}

fn contains(name: &str, part: &str) -> bool {
    name.as_bytes()
        .windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// Whether a value is a token of the Hub, or a key that is refused by name.
fn is_recognized(value: &str) -> bool {
    TokenKind::of(value) != TokenKind::Opaque || recognize(value).is_some()
}

#[cfg(test)]
mod tests;
