//! What the chain may ask beyond variables and files: a command, and the vaults of notebooks.
//!
//! Both belong to the surroundings of a process: a command is started with its variables, and a
//! vault is asked by the notebook's own Python modules. So they are a parameter, like the
//! environment, and the core knows neither the interpreter nor the terminal.

use super::errand::Tell;
use crate::env::Fixed;
use crate::interrupt::{Interrupt, Never};
use crate::source::Notebook;

/// The surroundings of a process.
pub trait Outside: Sync {
    /// The variables that a command is given.
    fn variables(&self) -> Fixed;

    /// Who may want to stop waiting.
    fn interrupt(&self) -> &dyn Interrupt;

    /// The vaults that may be asked here; none outside their notebooks.
    fn vaults(&self) -> Vec<Notebook> {
        Vec::new()
    }

    /// Asks a vault of [`Outside::vaults`] without waiting for it: the answer is told, from
    /// whatever thread has it. Not telling it is telling a failure.
    fn ask_vault(&self, _notebook: Notebook, _tell: Tell) {}
}

/// A process of which nothing is known: commands get no variables.
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

/// A program that was started in a shell, or by git.
pub struct Shell<'a> {
    /// Its variables.
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
