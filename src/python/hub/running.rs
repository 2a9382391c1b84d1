//! The implementation of `hubtoken.hub.Hub`: a Hub in this process, running or not.
//!
//! Every call to it is made detached from the interpreter. After a call that changes what a token
//! may do, this process invalidates its cached answers about the Hub's tokens.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use super::records::PyApproval;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::hub::{CreatedToken, Decision, Hub, HubError, HubOptions};
use crate::identity::Settings;
use crate::python::environment::PythonEnvironment;
use crate::python::error::to_python;
use crate::python::token::PyHubToken;
use crate::source::Source;
use crate::sync::lock_ignoring_poison;
use crate::token::Token;
use crate::{live_tokens, process_state};

/// A Hub with its start options.
pub struct Embedded {
    options: HubOptions,
    running: Mutex<Option<Arc<Hub>>>,
    /// Held while it starts, since several threads may start it at the same time.
    starting: Mutex<()>,
}

impl Embedded {
    /// A Hub that is not running yet.
    pub fn new(options: HubOptions) -> Self {
        Self {
            options,
            running: Mutex::new(None),
            starting: Mutex::new(()),
        }
    }

    /// Starts it, and returns whether it was not running before.
    pub fn start(&self, py: Python<'_>) -> PyResult<bool> {
        let start = || {
            let _starting = lock_ignoring_poison(&self.starting);
            if lock_ignoring_poison(&self.running).is_some() {
                return Ok(false);
            }
            let hub = Hub::start(&self.options)?;
            *lock_ignoring_poison(&self.running) = Some(Arc::new(hub));
            Ok(true)
        };
        py.detach(start).map_err(|error| hub_error(&error))
    }

    /// Stops it, if it is running.
    pub fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let hub = lock_ignoring_poison(&self.running).take();
        let Some(hub) = hub else {
            return Ok(());
        };
        let forgotten = forget(py, &hub);
        py.detach(|| hub.stop());
        forgotten
    }

    /// The address that clients use, if it is running.
    pub fn address(&self) -> Option<String> {
        lock_ignoring_poison(&self.running)
            .as_ref()
            .map(|hub| hub.endpoint().to_owned())
    }

    /// The running Hub.
    pub fn hub(&self) -> PyResult<Arc<Hub>> {
        lock_ignoring_poison(&self.running).clone().ok_or_else(|| {
            to_python(Error::hub(
                "the Hub is not running: use it with `with`, or call start()".to_owned(),
            ))
        })
    }

    /// Calls the running Hub.
    pub fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Hub) -> Result<T, HubError> + Send,
    ) -> PyResult<T> {
        let hub = self.hub()?;
        asked(py, &hub, question)
    }

    /// Calls it for a change that may make cached answers about its tokens wrong.
    pub fn change<T: Send>(
        &self,
        py: Python<'_>,
        command: impl FnOnce(&Hub) -> Result<T, HubError> + Send,
    ) -> PyResult<T> {
        let hub = self.hub()?;
        let done = asked(py, &hub, command)?;
        forget(py, &hub)?;
        Ok(done)
    }

    /// Decides about the token of an organization's member.
    pub fn decide(
        &self,
        py: Python<'_>,
        organization: &str,
        token: &str,
        decision: Decision,
    ) -> PyResult<PyApproval> {
        self.change(py, |hub| hub.decide(organization, token, decision))
            .map(PyApproval::from)
    }

    /// A token that the Hub has just created, as a `HubToken` for this Hub.
    pub fn token(&self, created: &CreatedToken) -> PyResult<PyHubToken> {
        let hub = self.hub()?;
        let credential = || {
            let token = Token::parse(created.value.reveal())?
                .ok_or_else(|| Error::hub("the Hub created a blank token".to_owned()))?;
            let credential = Arc::new(Credential {
                token,
                source: Source::Argument,
                endpoint: Endpoint::parse(hub.endpoint())?,
                expires_at: Expiry::default(),
                renewal: None,
            });
            live_tokens::register(&credential);
            Ok(credential)
        };
        credential().map(PyHubToken::from).map_err(to_python)
    }
}

fn asked<T: Send>(
    py: Python<'_>,
    hub: &Hub,
    question: impl FnOnce(&Hub) -> Result<T, HubError> + Send,
) -> PyResult<T> {
    py.detach(|| question(hub))
        .map_err(|error| hub_error(&error))
}

/// Drops this process's cached answers about a Hub's tokens.
fn forget(py: Python<'_>, hub: &Hub) -> PyResult<()> {
    if let Ok(endpoint) = Endpoint::parse(hub.endpoint()) {
        let settings = Settings::read(&PythonEnvironment::current(py)?);
        process_state::current()
            .client
            .invalidate_endpoint_shared(&settings, &endpoint);
    }
    Ok(())
}

fn hub_error(error: &HubError) -> PyErr {
    to_python(Error::from(error))
}
