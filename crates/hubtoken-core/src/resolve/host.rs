//! Abstracts what the chain needs from its host process: running a command, querying notebook
//! vaults, and exchanging id tokens.
//!
//! A command is started with the process's variables, and a vault is queried through the notebook's
//! own Python modules. Like the environment, both are therefore parameters, and the core depends
//! neither on the interpreter nor on the terminal.

use std::sync::Arc;

use super::slow_source::Responder;
use crate::endpoint::Endpoint;
use crate::env::StaticEnvironment;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::oauth::Exchanger;
use crate::source::Notebook;

/// The host process.
pub trait Host: Sync {
    /// What carries out an exchange of id tokens; `None` for a program that sends no requests.
    fn exchanger(&self, _endpoint: &Endpoint) -> Option<Arc<dyn Exchanger>> {
        None
    }

    /// The environment variables for a command.
    fn variables(&self) -> StaticEnvironment;

    /// The source of interrupts for a waiting caller.
    fn interrupt(&self) -> &dyn Interrupt;

    /// The vaults available here; empty outside notebooks.
    fn vaults(&self) -> Vec<Notebook> {
        Vec::new()
    }

    /// Queries one of [`Host::vaults`] without blocking. The result may be sent from any thread.
    /// Dropping `_tell` reports a failure.
    fn ask_vault(&self, _notebook: Notebook, _responder: Responder) {}
}

/// A process about which nothing is known. Commands get no variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn variables(&self) -> StaticEnvironment {
        StaticEnvironment::default()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        &NeverInterrupted
    }
}

/// A program started by a shell or by git.
pub struct ProcessHost<'a> {
    /// Its environment variables.
    pub variables: StaticEnvironment,
    /// Ctrl-C.
    pub interrupt: &'a (dyn Interrupt + Sync),
}

impl Host for ProcessHost<'_> {
    fn variables(&self) -> StaticEnvironment {
        self.variables.clone()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        self.interrupt
    }
}
