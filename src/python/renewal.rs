//! Renews the OAuth token of a `HubToken` where it is about to be used.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments::{is_imported, warn};
use super::environment::PythonEnvironment;
use super::error::classes;
use super::log;
use super::signals::Signals;
use crate::credential::Credential;
use crate::live_tokens;
use crate::oauth::RenewalSettings;
use crate::process_state::{self, ProcessState};

/// The token as it is now, renewed if that is due. Free for a token that is not renewed, and a look
/// at the clock for one that is not due.
///
/// # Errors
///
/// `InvalidTokenError` if the token has expired and its login has ended; a warning that is an
/// error.
pub fn current(
    py: Python<'_>,
    process: &ProcessState,
    credential: Arc<Credential>,
) -> PyResult<Arc<Credential>> {
    if credential.renewal.is_none() {
        return Ok(credential);
    }
    if !process.client.is_renewal_due(&credential) {
        return Ok(credential.latest());
    }
    let client = Arc::clone(&process_state::current_after_pid_check().client);
    let settings = RenewalSettings::read(&PythonEnvironment::current(py)?);
    let signals = Arc::new(Signals::default());
    let interrupt = Arc::clone(&signals);
    let renewed = log::detached(py, move || {
        client.renewed(&credential, || settings, &*interrupt)
    })?
    .map_err(|error| signals.to_python(error))?;
    for warning in &renewed.warnings {
        warn(py, &py.get_type::<classes::HubTokenWarning>(), warning)?;
    }
    if !renewed.replaced.is_empty() {
        // While attached again: see `live_tokens`.
        live_tokens::register(&renewed.credential);
        // Only if something was activated: a program that uses no activation does not import it.
        if is_imported(py, "hubtoken.activation_state")? {
            py.import("hubtoken.activation_state")?
                .call_method0("follow_renewal")?;
        }
    }
    Ok(renewed.credential)
}
