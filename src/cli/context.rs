//! What the command line reads and where it writes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::exec::Exec;
use crate::env::Environment;
use crate::error::Error;
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::resolve::Resolver;

/// The surroundings of one run, and what it remembers while it lasts.
pub struct Context<'a> {
    /// The environment variables.
    pub environment: &'a dyn Environment,
    /// The working directory; `None` when it is gone.
    pub folder: Option<PathBuf>,
    /// The file of the program that runs; `None` when it is found by its name.
    pub program: Option<PathBuf>,
    /// Where questions come from.
    pub stdin: Input<'a>,
    /// Where a token may be typed, or read from.
    pub prompt: &'a dyn Prompt,
    /// Where answers go.
    pub stdout: Stream<'a>,
    /// Where problems go.
    pub stderr: Stream<'a>,
    /// The terminal's width in columns; `None` when there is no terminal, and nothing is wrapped.
    pub width: Option<usize>,
    /// The time.
    pub now: OffsetDateTime,
    /// Ctrl-C.
    pub interrupt: &'a (dyn Interrupt + Sync),
    /// Who gives this process up for another program.
    pub launcher: &'a dyn Exec,
    /// The chain of sources. It warns of each broken source once, so each run needs a new one.
    pub resolver: Resolver,
    /// The client of the program that runs the command; `None` for a client of the command's own.
    // Borrowed, so that git's helper, which never asks the Hub, is built without an HTTP client.
    pub client: Option<&'a Arc<Client>>,
}

impl Context<'_> {
    /// The client that asks the Hub. A verb calls this once.
    #[must_use]
    pub fn client(&self) -> Arc<Client> {
        self.client.map_or_else(Arc::default, Arc::clone)
    }
}

/// A place to read from.
pub struct Input<'a> {
    /// The reader.
    pub reader: RefCell<&'a mut dyn Read>,
    /// Whether it is a terminal, where somebody types.
    pub is_terminal: bool,
}

impl<'a> Input<'a> {
    /// A reader that is no terminal.
    pub fn from(reader: &'a mut dyn Read) -> Self {
        Self::new(reader, false)
    }

    /// A reader that is a terminal, or is not.
    pub fn new(reader: &'a mut dyn Read, is_terminal: bool) -> Self {
        Self {
            reader: RefCell::new(reader),
            is_terminal,
        }
    }
}

/// Somebody who types, or a pipe in their place.
pub trait Prompt {
    /// All of it, or the first `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when it cannot be read as text.
    fn read(&self, limit: u64) -> Result<Zeroizing<String>, Error>;

    /// A line that is typed without being shown; `None` when nobody sits at a terminal.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`].
    fn ask_hidden(&self, prompt: &str) -> Result<Option<Zeroizing<String>>, Error>;
}

/// Standard input that is a text, and no terminal.
pub struct NoPrompt<'a>(pub &'a str);

impl Prompt for NoPrompt<'_> {
    fn read(&self, _limit: u64) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(self.0.to_owned()))
    }

    fn ask_hidden(&self, _prompt: &str) -> Result<Option<Zeroizing<String>>, Error> {
        Ok(None)
    }
}

/// A place to write to.
pub struct Stream<'a> {
    /// The writer. It is flushed after every write.
    pub writer: RefCell<&'a mut dyn Write>,
    /// Whether it is a terminal, where colors are of use.
    pub is_terminal: bool,
}

impl<'a> Stream<'a> {
    /// A writer that is no terminal.
    pub fn to(writer: &'a mut dyn Write) -> Self {
        Self {
            writer: RefCell::new(writer),
            is_terminal: false,
        }
    }

    /// A writer that is a terminal, or is not.
    pub fn new(writer: &'a mut dyn Write, is_terminal: bool) -> Self {
        Self {
            writer: RefCell::new(writer),
            is_terminal,
        }
    }
}
