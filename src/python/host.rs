//! Gives the chain access to slow sources from within an interpreter: a command, a notebook's vault,
//! and an exchange of id tokens.
//!
//! `hubtoken.notebook` reads the vaults, on a Python thread. If a vault hangs forever, it hangs in
//! Python code, which the interpreter can end. A Rust thread that the interpreter had to terminate
//! there would take down the whole process.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use zeroize::Zeroizing;

use super::arguments::is_imported;
use super::environment::PythonEnvironment;
use super::signals::Signals;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment as _, StaticEnvironment};
use crate::error::Error;
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::interrupt::Interrupt;
use crate::oauth::Exchanger;
use crate::process_state::ProcessState;
use crate::resolve::host::Host;
use crate::resolve::slow_source::{Responder, SourceAnswer};
use crate::source::Notebook;
use crate::sync::lock_ignoring_poison;

/// The environment of one call. Its methods attach to the interpreter themselves.
pub struct PythonHost {
    signals: Signals,
    is_forked: bool,
    client: Arc<Client>,
}

impl PythonHost {
    pub fn new(process: &ProcessState) -> Self {
        Self {
            signals: Signals::default(),
            is_forked: process.is_forked(),
            client: Arc::clone(&process.client),
        }
    }

    /// The exception for a core error; for an interruption, the one that the signal handler raised.
    pub fn to_python(&self, error: Error) -> PyErr {
        self.signals.to_python(error)
    }
}

impl Host for PythonHost {
    fn exchanger(&self, endpoint: &Endpoint) -> Option<Arc<dyn Exchanger>> {
        let settings = Settings::read(&self.variables());
        Some(Arc::new(self.client.token_endpoint(endpoint, &settings)))
    }

    fn variables(&self) -> StaticEnvironment {
        // It was a mapping when the inputs were read, a moment ago.
        Python::attach(|py| {
            let environment = PythonEnvironment::current(py);
            environment.map(|known| known.all()).unwrap_or_default()
        })
    }

    fn interrupt(&self) -> &dyn Interrupt {
        &self.signals
    }

    fn vaults(&self) -> Vec<Notebook> {
        // A notebook whose own modules are broken has no vault.
        Python::attach(|py| vaults(py, self.is_forked).unwrap_or_default())
    }

    fn ask_vault(&self, notebook: Notebook, responder: Responder) {
        Python::attach(|py| {
            // Without an answer, this counts as a failure.
            let _ = ask(py, notebook, responder);
        });
    }
}

fn vaults(py: Python<'_>, is_forked: bool) -> PyResult<Vec<Notebook>> {
    // Two cheap checks: nearly every process is not a notebook, and should import nothing.
    let may_be_colab = is_imported(py, "google.colab")? && !is_forked;
    let may_be_kaggle = env::text(
        &PythonEnvironment::current(py)?,
        env::KAGGLE_USER_SECRETS_TOKEN,
    )
    .is_some();
    if !may_be_colab && !may_be_kaggle {
        return Ok(Vec::new());
    }
    let names: Vec<String> = py
        .import("hubtoken.notebook")?
        .getattr("vaults")?
        .call0()?
        .extract()?;
    // A forked child has the notebook's modules but not its connection to the page.
    Ok(names
        .iter()
        .filter_map(|name| Notebook::parse(name))
        .filter(|notebook| *notebook != Notebook::Colab || may_be_colab)
        .collect())
}

fn ask(py: Python<'_>, notebook: Notebook, responder: Responder) -> PyResult<()> {
    let responder = Mutex::new(Some(responder));
    let callback = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        let (answer, text): (String, String) = arguments.extract()?;
        let text = Zeroizing::new(text);
        if let Some(responder) = lock_ignoring_poison(&responder).take() {
            responder.send(match answer.as_str() {
                "value" => SourceAnswer::value(text),
                "absent" => SourceAnswer::Absent,
                "refused" => SourceAnswer::Refused,
                // The name of an exception, never its message, which may contain anything.
                _ => SourceAnswer::Failed(format!("cannot be read: {}", text.as_str())),
            });
        }
        PyResult::Ok(())
    };
    let callback = PyCFunction::new_closure(py, None, None, callback)?;
    py.import("hubtoken.notebook")?
        .getattr("ask")?
        .call1((notebook.name(), callback))?;
    Ok(())
}
