//! The environment that one run of the command line reads from and writes to.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::browser::Browser;
use super::descriptors::Descriptors;
use super::exec::Exec;
use crate::env::Environment;
use crate::error::Error;
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::oauth::Pace;
use crate::resolve::Resolver;

/// The environment of one run, and the state it keeps while it lasts.
pub struct Context<'a> {
    /// The environment variables.
    pub environment: &'a dyn Environment,
    /// The working directory; `None` if it no longer exists.
    pub folder: Option<PathBuf>,
    /// The path of the running program; `None` if it is found by its name.
    pub program: Option<PathBuf>,
    /// Standard input.
    pub stdin: Input<'a>,
    /// Reads a token that is typed or piped in.
    pub prompt: &'a dyn Prompt,
    /// Standard output.
    pub stdout: Stream<'a>,
    /// Standard error.
    pub stderr: Stream<'a>,
    /// The terminal's width in columns; `None` if there is no terminal. Text is wrapped to it on
    /// the streams that are terminals.
    pub width: Option<usize>,
    /// The current time.
    pub now: OffsetDateTime,
    /// Reports Ctrl-C.
    pub interrupt: &'a (dyn Interrupt + Sync),
    /// Replaces this process with another program.
    pub launcher: &'a dyn Exec,
    /// Opens pages.
    pub browser: &'a dyn Browser,
    /// Writes to the descriptors that the program was started with.
    pub descriptors: &'a dyn Descriptors,
    /// How time passes while a login waits.
    pub pace: &'a dyn Pace,
    /// The chain of sources. It warns about each broken source once, so each run needs a new one.
    pub resolver: Resolver,
    /// The client of the program that runs the command; `None` to create one for this run.
    // Borrowed, so that git's helper, which sends no requests, is built without an HTTP client.
    pub client: Option<&'a Arc<Client>>,
}

impl Context<'_> {
    /// The client that sends requests to the Hub. A verb sends all of them with the same one.
    #[must_use]
    pub fn client(&self) -> Arc<Client> {
        self.client.map_or_else(Arc::default, Arc::clone)
    }
}

/// An input stream.
pub struct Input<'a> {
    /// The reader.
    pub reader: RefCell<&'a mut dyn Read>,
    /// Whether it is a terminal.
    pub is_terminal: bool,
}

impl<'a> Input<'a> {
    /// A reader that is not a terminal.
    pub fn from(reader: &'a mut dyn Read) -> Self {
        Self::new(reader, false)
    }

    /// A reader, and whether it is a terminal.
    pub fn new(reader: &'a mut dyn Read, is_terminal: bool) -> Self {
        Self {
            reader: RefCell::new(reader),
            is_terminal,
        }
    }
}

/// Reads secrets from a terminal or a pipe.
pub trait Prompt {
    /// Reads everything, or the first `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it is not text.
    fn read(&self, limit: u64) -> Result<Zeroizing<String>, Error>;

    /// Reads a line without echoing it.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`].
    fn ask_hidden(&self, prompt: &str) -> Result<Typed, Error>;
}

/// What came of a prompt.
pub enum Typed {
    /// A line, which may be empty.
    Line(Zeroizing<String>),
    /// Ctrl-D on an empty line: the user gives up.
    End,
    /// There is no terminal.
    NoTerminal,
}

/// Standard input with fixed text and no terminal.
pub struct NoPrompt<'a>(pub &'a str);

impl Prompt for NoPrompt<'_> {
    fn read(&self, _limit: u64) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(self.0.to_owned()))
    }

    fn ask_hidden(&self, _prompt: &str) -> Result<Typed, Error> {
        Ok(Typed::NoTerminal)
    }
}

/// An output stream.
pub struct Stream<'a> {
    /// The writer. It is flushed after every write.
    pub writer: RefCell<&'a mut dyn Write>,
    /// Whether it is a terminal, so that colors make sense.
    pub is_terminal: bool,
    /// Whether its encoding is not UTF-8, so that only ASCII is safe.
    pub is_ascii: bool,
}

impl<'a> Stream<'a> {
    /// A writer that is not a terminal.
    pub fn to(writer: &'a mut dyn Write) -> Self {
        Self {
            writer: RefCell::new(writer),
            is_terminal: false,
            is_ascii: false,
        }
    }

    /// A writer, and whether it is a terminal.
    pub fn new(writer: &'a mut dyn Write, is_terminal: bool) -> Self {
        Self {
            is_terminal,
            ..Self::to(writer)
        }
    }

    /// The same stream; `is_ascii` says whether only ASCII is safe.
    #[must_use]
    pub fn in_ascii(self, is_ascii: bool) -> Self {
        Self { is_ascii, ..self }
    }
}
