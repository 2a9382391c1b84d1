//! The extension module `hubtoken._core`: thin wrappers around the core that make no decisions.
//!
//! Each wrapper reads the environment while attached to the interpreter, detaches for every
//! operation that may be slow, and maps core errors to the classes of `python/hubtoken/errors.py`.
//!
//! - The wheel is `abi3-py310`: a single one for all versions from 3.10 on.
//! - Every blocking call releases the interpreter and can be interrupted with Ctrl-C. After a
//!   `fork`, nothing that the parent created (client, runtime, thread, lock) is used: state carries
//!   its process ID.
//! - The stub `_core.pyi` is generated: PyO3 embeds signatures and docstrings in the library,
//!   maturin extracts them, and `scripts/stubs.py` adds the imports that hand-written annotations
//!   need and formats the rest. `make test` fails if the stub is stale, and stubtest compares it
//!   with the running module.

#![expect(
    clippy::doc_link_with_quotes,
    clippy::doc_markdown,
    reason = "these comments are Python docstrings, in Python's own form"
)]
#![expect(
    clippy::elidable_lifetime_names,
    reason = "'py is PyO3's name for the attachment; it reads better than '_"
)]
#![expect(
    clippy::unsafe_derive_deserialize,
    reason = "the unsafe methods are those that PyO3's macros add; no record has an invariant"
)]

mod arguments;
mod asgi;
mod auth;
mod authorize;
mod browser;
mod chain;
mod cli;
mod constructor;
mod descriptors;
mod environment;
mod error;
mod greenlets;
mod host;
#[cfg(feature = "hub")]
mod hub;
mod huggingface_hub_guard;
mod identify;
mod identity;
mod interpreter;
mod log;
mod login_token;
mod misuse;
mod own_class;
mod pickle;
mod printable;
mod pydantic;
mod record;
mod renewal;
mod require;
mod resolve;
mod revoke;
mod secret_value;
mod service_account;
mod service_accounts;
mod signals;
mod store;
mod stored_token;
mod text;
mod token;
mod token_argument;
mod token_mask;
mod token_state;
mod trace;
mod whoami;

use pyo3::prelude::*;

/// The compiled part of hubtoken. Import from `hubtoken` instead.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::asgi::{check_lifetimes, check_repository, identify_anew, require_of_caller};
    #[pymodule_export]
    use super::authorize::{PyVerdict, authorize, is_known_permission};
    #[pymodule_export]
    use super::cli::main;

    // The blank lines keep rustfmt from sorting these two, which changes the order of registration.
    #[pymodule_export]
    use super::pickle::{restore, restore_record};

    #[pymodule_export]
    use super::printable::printable;

    #[cfg(feature = "hub")]
    #[pymodule_export]
    use super::hub::PyHub;
    #[cfg(feature = "hub")]
    #[pymodule_export]
    use super::hub::login_record::PyLogin;
    #[cfg(feature = "hub")]
    #[pymodule_export]
    use super::hub::records::{PyApproval, PyAuditEntry, PyPublisher, PyTokenInfo};
    #[pymodule_export]
    use super::identify::{cached_identity, identify};
    #[pymodule_export]
    use super::identity::{PyIdentity, PyOrganization, PyScope};
    #[pymodule_export]
    use super::interpreter::process_objects;
    #[pymodule_export]
    use super::require::{require_permission, require_role};
    #[pymodule_export]
    use super::resolve::{clear_cache, explain, get_token, resolve_token};
    #[pymodule_export]
    use super::revoke::{PyRevokedToken, revoke};
    #[pymodule_export]
    use super::service_account::{PyServiceAccount, PyServiceAccountToken};
    #[pymodule_export]
    use super::service_accounts::{PyServiceAccounts, service_accounts};
    #[pymodule_export]
    use super::store::{login, logout, move_token, rename_token, stored_tokens, switch_token};
    #[pymodule_export]
    use super::stored_token::PyStoredToken;
    #[pymodule_export]
    use super::token::{PyHubToken, activation_origin, is_sent_anyway};
    #[pymodule_export]
    use super::token_mask::token_mask;
    #[pymodule_export]
    use super::trace::{PyTrace, PyTraceStep};

    #[pymodule_export]
    use super::whoami::whoami;
    #[pymodule_export]
    use super::{after_fork, after_import, ambient_endpoint, forget_answer, normalized_endpoint};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::claim(module.py())
    }

    /// The version of hubtoken.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// Records whether the thread that imports hubtoken is the main one, which runs signal handlers.
#[pyfunction]
fn after_import(py: Python<'_>) {
    #[cfg(feature = "test-clock")]
    crate::test_clock::install();
    signals::imported(py);
}

/// Gives a forked child fresh state. Registered with `os.register_at_fork`.
#[pyfunction]
fn after_fork() {
    crate::process_state::after_fork();
    signals::this_is_main();
}

/// Clears the cached token of the environment. For `activate()`, which changes it.
#[pyfunction]
fn forget_answer() {
    crate::process_state::current()
        .resolver
        .clear_last_resolution();
}

/// The Hub that ambient tokens belong to: `HF_ENDPOINT`, or `https://huggingface.co`.
///
/// Returns:
///     The endpoint, without a trailing slash.
///
/// Raises:
///     hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
#[pyfunction]
fn ambient_endpoint(py: Python<'_>) -> PyResult<String> {
    crate::resolve::ambient_endpoint(&environment::PythonEnvironment::current(py)?)
        .and_then(|endpoint| for_the_libraries(&endpoint))
        .map_err(error::to_python)
}

/// An endpoint that the Hub's libraries, which look up its name, may send a token to.
fn for_the_libraries(endpoint: &crate::endpoint::Endpoint) -> Result<String, crate::error::Error> {
    endpoint.check_other_programs()?;
    Ok(endpoint.as_str().to_owned())
}

/// Normalizes an endpoint, so that endpoints can be compared.
///
/// Args:
///     text: The endpoint.
///
/// Returns:
///     The endpoint, without a trailing slash, its host in lower case.
///
/// Raises:
///     hubtoken.errors.UntrustedEndpointError: It must not receive tokens.
#[pyfunction]
#[pyo3(signature = (text: "str") -> "str")]
fn normalized_endpoint(
    py: Python<'_>,
    #[pyo3(from_py_with = text::address)] text: &str,
) -> PyResult<String> {
    crate::resolve::parse_endpoint(text, &environment::PythonEnvironment::current(py)?)
        .and_then(|endpoint| for_the_libraries(&endpoint))
        .map_err(error::to_python)
}
