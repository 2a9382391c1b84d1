//! Writes a verb's results to standard output and its problems to standard error, as text or JSON,
//! with or without colors.
//!
//! A reader that has gone away (`hubtoken explain | head -1`) is not an error, so a closed pipe
//! only ends the output. Any other write error is reported, since a script must not mistake silence
//! for a result.
//!
//! `anstream` and `colorchoice-clap` would look for `NO_COLOR` in the process's environment; here
//! the environment is a parameter, which tests set.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::{self, ErrorKind};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::ascii;
use super::context::{Context, Stream};
use super::error::Failure;
use super::exit_code::Code;
use super::layout::Layout;
use super::wrapping::wrap_lines;
use crate::env;

/// The output of one run.
pub struct Output<'a, 'w> {
    context: &'a Context<'w>,
    json: bool,
    /// Whether the verb's JSON object has a field for notes and warnings.
    has_object: Cell<bool>,
    quiet: Cell<bool>,
    colors: [bool; 2],
    problem: RefCell<Option<io::Error>>,
}

impl<'a, 'w> Output<'a, 'w> {
    /// Looks for `--json` and `--color` itself, because they also apply if the rest of the command
    /// line cannot be parsed.
    pub fn new(context: &'a Context<'w>, arguments: &[OsString]) -> Self {
        let words: Vec<&str> = arguments
            .iter()
            .skip(1)
            .map_while(|argument| match argument.to_str() {
                Some("--") => None,
                text => Some(text.unwrap_or_default()),
            })
            .collect();
        let color = words.iter().enumerate().find_map(|(index, word)| {
            match word.strip_prefix("--color")? {
                "" => words.get(index + 1).copied(),
                value => value.strip_prefix('='),
            }
        });
        let no_color = env::text(context.environment, env::NO_COLOR).is_some();
        let colors = [&context.stdout, &context.stderr].map(|stream| match color {
            Some("always") => true,
            Some("never") => false,
            _ => stream.is_terminal && !no_color,
        });
        Self {
            context,
            json: words.contains(&"--json"),
            has_object: Cell::new(true),
            quiet: Cell::new(false),
            colors,
            problem: RefCell::new(None),
        }
    }

    /// Whether the output is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// From here on, only usage errors are written.
    pub fn set_quiet(&self) {
        self.quiet.set(true);
    }

    /// From here on, notes and warnings are written with `--json` as well: the verb has no JSON
    /// object that could contain them.
    pub fn has_no_object(&self) {
        self.has_object.set(false);
    }

    /// Whether standard error is the only channel for a note or a warning.
    fn is_told(&self) -> bool {
        let is_in_object = self.json && self.has_object.get();
        !self.quiet.get() && !is_in_object
    }

    /// An empty page for standard output.
    pub fn page(&self) -> Layout {
        Layout::new(self.colors[0], self.width(&self.context.stdout))
            .in_ascii(self.context.stdout.is_ascii)
    }

    /// Writes a page to standard output.
    pub fn show(&self, page: &Layout) {
        if !self.quiet.get() {
            self.write(&self.context.stdout, page.text());
        }
    }

    /// Writes text to standard output unchanged.
    pub fn raw(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes bytes to standard output unchanged.
    pub fn bytes(&self, bytes: &[u8]) {
        self.write_bytes(&self.context.stdout, bytes);
    }

    /// Writes one JSON object to standard output, on one line.
    pub fn object(&self, value: &Value) {
        if !self.quiet.get() {
            let line = format!("{value}\n");
            let stdout = &self.context.stdout;
            if stdout.is_ascii {
                self.write(stdout, &ascii::json(&line));
            } else {
                self.write(stdout, &line);
            }
        }
    }

    /// Writes a note to standard error; with JSON, the verb includes it in its object.
    pub fn note(&self, text: &str) {
        if self.is_told() {
            let mut page = self.error_page();
            page.paragraph(text);
            self.write(&self.context.stderr, page.text());
        }
    }

    /// Writes what the user has to do now to standard error, with JSON as well: the verb waits for
    /// it.
    pub fn instruction(&self, text: &str) {
        let mut page = self.error_page();
        page.paragraph(text);
        self.write(&self.context.stderr, page.text());
    }

    /// Writes a picture of text to standard error, if it is a terminal that can show it. `draw` gets
    /// its width, in columns.
    pub fn picture(&self, draw: impl FnOnce(usize) -> Option<String>) {
        let stream = &self.context.stderr;
        if !stream.is_ascii
            && let Some(width) = self.width(stream)
            && let Some(picture) = draw(width)
        {
            self.write(stream, &picture);
        }
    }

    /// Writes a sign that time passes to standard error, if it is a terminal; `None` ends the line.
    pub fn progress(&self, sign: Option<&str>) {
        if self.context.stderr.is_terminal {
            self.write(&self.context.stderr, sign.unwrap_or("\n"));
        }
    }

    /// Writes a warning to standard error; with JSON, the verb includes it in its object.
    pub fn warning(&self, text: &str) {
        self.labeled("warning", AnsiColor::Yellow, text);
    }

    /// Writes the message of a failure to standard error, unless it is reported as JSON.
    pub fn problem(&self, failure: &Failure) {
        self.labeled("error", AnsiColor::Red, &failure.message());
    }

    fn labeled(&self, label: &str, color: AnsiColor, text: &str) {
        if self.is_told() {
            let mut page = self.error_page();
            page.labeled(
                label,
                Style::new().bold().fg_color(Some(color.into())),
                text,
            );
            self.write(&self.context.stderr, page.text());
        }
    }

    fn error_page(&self) -> Layout {
        Layout::new(self.colors[1], self.width(&self.context.stderr))
            .in_ascii(self.context.stderr.is_ascii)
    }

    /// The width to wrap to; what does not go to a terminal is not wrapped.
    fn width(&self, stream: &Stream<'_>) -> Option<usize> {
        self.context.width.filter(|_| stream.is_terminal)
    }

    /// Reports a failure and returns its exit code.
    pub fn failed(&self, failure: &Failure) -> Code {
        let code = failure.code();
        if code == Code::Usage {
            self.quiet.set(false);
        }
        if self.json {
            self.object(&json!({ "error": failure.to_json() }));
        } else {
            self.problem(failure);
            if let Some(trace) = failure.trace()
                && !self.quiet.get()
            {
                let mut page = self.error_page();
                page.trace(trace);
                self.write(&self.context.stderr, page.text());
            }
        }
        code
    }

    /// Writes help, the version, or a usage error, in clap's words.
    pub fn clap(&self, error: &clap::Error) -> Code {
        let is_answer = !error.use_stderr();
        if !is_answer && self.json {
            let text = error.render().to_string();
            let text = text.trim().trim_start_matches("error: ");
            return self.failed(&Failure::Usage(text.to_owned()));
        }
        let (stream, color) = if is_answer {
            (&self.context.stdout, self.colors[0])
        } else {
            (&self.context.stderr, self.colors[1])
        };
        let text = error.render();
        let text = if color {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        let text = ascii::text_if(stream.is_ascii, &text);
        match self.width(stream) {
            // Help is wrapped by clap itself.
            Some(width) if !is_answer => self.write(stream, &wrap_lines(&text, width)),
            _ => self.write(stream, &text),
        }
        if is_answer {
            Code::Success
        } else {
            Code::Usage
        }
    }

    fn write(&self, stream: &Stream<'_>, text: &str) {
        self.write_bytes(stream, ascii::text_if(stream.is_ascii, text).as_bytes());
    }

    fn write_bytes(&self, stream: &Stream<'_>, bytes: &[u8]) {
        let mut writer = stream.writer.borrow_mut();
        let written = writer.write_all(bytes).and_then(|()| writer.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.problem.borrow_mut().get_or_insert(error);
        }
    }

    /// The exit code, after checking that all output could be written.
    pub fn finish(self, code: Code) -> Code {
        let Some(problem) = self.problem.take() else {
            return code;
        };
        let text = format!("error: the output cannot be written: {problem}\n");
        let mut writer = self.context.stderr.writer.borrow_mut();
        // If this fails as well, the exit code is all that is left to report it.
        let _ = writer
            .write_all(text.as_bytes())
            .and_then(|()| writer.flush());
        if code == Code::Success {
            Code::Unknown
        } else {
            code
        }
    }
}
