//! Abstracts what the chain needs from its host process: running a command and querying notebook
//! vaults.
//!
//! A command is started with the process's variables, and a vault is queried through the notebook's
//! own Python modules. Like the environment, both are therefore parameters, and the core depends
//! neither on the interpreter nor on the terminal.

use super::errand::Tell;
use crate::env::Fixed;
use crate::interrupt::{Interrupt, Never};
use crate::source::Notebook;

/// The host process.
pub trait Outside: Sync {
    /// The environment variables for a command.
    fn variables(&self) -> Fixed;

    /// The source of interrupts for a waiting caller.
    fn interrupt(&self) -> &dyn Interrupt;

    /// The vaults available here; empty outside notebooks.
    fn vaults(&self) -> Vec<Notebook> {
        Vec::new()
    }

    /// Queries one of [`Outside::vaults`] without blocking. The result may be sent from any thread.
    /// Dropping `_tell` reports a failure.
    fn ask_vault(&self, _notebook: Notebook, _tell: Tell) {}
}

/// A process about which nothing is known. Commands get no variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Outside for Nowhere {
    fn variables(&self) -> Fixed {
        Fixed::default()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        &Never
    }
}

/// A program started by a shell or by git.
pub struct Shell<'a> {
    /// Its environment variables.
    pub variables: Fixed,
    /// Ctrl-C.
    pub interrupt: &'a (dyn Interrupt + Sync),
}

impl Outside for Shell<'_> {
    fn variables(&self) -> Fixed {
        self.variables.clone()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        self.interrupt
    }
}
