//! `auth=`: decides whether a request of another library carries the token.

use std::collections::HashSet;
use std::sync::Mutex;

use pyo3::prelude::*;

use super::arguments::warn_at;
use super::error::{classes, to_python};
use crate::credential::Credential;
use crate::endpoint::Recipient;
use crate::strict_url::{Origin, UrlProblem};
use crate::sync::lock_ignoring_poison;

/// How many servers are remembered as warned about; a crawler must not exhaust memory.
const MAXIMUM_WARNED: usize = 1024;
/// Libraries that a warning is not attributed to; it is attributed to their caller.
const LIBRARIES: [&str; 4] = ["requests", "httpx", "httpx2", "hubtoken"];

/// The servers that were warned about. Held only briefly, by threads that are attached to the
/// interpreter; Python forks while attached, so no child inherits it locked.
static WARNED: Mutex<Option<HashSet<Origin>>> = Mutex::new(None);

/// Whether a request to this URL carries the token. Warns once about each server that must not
/// receive it.
///
/// # Errors
///
/// Some parser could read the URL as another address, or the warning was turned into an error.
pub fn may_see(py: Python<'_>, credential: &Credential, url: &str) -> PyResult<bool> {
    match credential.endpoint.recipient(url) {
        Ok(Recipient::Own | Recipient::Sibling) => Ok(true),
        Ok(Recipient::Foreign(origin)) => warn_once(py, credential, origin).map(|()| false),
        // The library would look up a name of this machine, and might be sent to another one.
        Ok(Recipient::LookedUp) => credential.check_url(url).map(|()| false).map_err(to_python),
        // No library would send this: it is not an address, or it has another protocol.
        Err(UrlProblem::NotAUrl | UrlProblem::Scheme) if !resembles_http(url) => Ok(false),
        Err(_) => credential.check_url(url).map(|()| false).map_err(to_python),
    }
}

fn resembles_http(url: &str) -> bool {
    let start: String = url
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .take(4)
        .collect();
    start.eq_ignore_ascii_case("http")
}

fn warn_once(py: Python<'_>, credential: &Credential, origin: Origin) -> PyResult<()> {
    let is_known = lock_ignoring_poison(&WARNED)
        .as_ref()
        .is_some_and(|warned| warned.contains(&origin) || warned.len() >= MAXIMUM_WARNED);
    if is_known {
        return Ok(());
    }
    let text = format!(
        "no token was sent to {origin}: {} belongs to {}. To send it there anyway, \
         use `.reveal()`",
        credential.describe(),
        credential.endpoint
    );
    let category = py.get_type::<classes::HubTokenWarning>();
    warn_at(py, &category, &text, level(py))?;
    // If warnings are errors, the next request fails as well.
    lock_ignoring_poison(&WARNED)
        .get_or_insert_default()
        .insert(origin);
    Ok(())
}

/// How many frames above the current one the first frame outside the libraries is.
fn level(py: Python<'_>) -> i32 {
    let mut frame = py
        .import("sys")
        .and_then(|sys| sys.getattr("_getframe")?.call0());
    let mut level = 1;
    while let Ok(current) = &frame {
        let name = current
            .getattr("f_globals")
            .and_then(|globals| globals.get_item("__name__")?.extract::<String>())
            .unwrap_or_default();
        if !LIBRARIES.contains(&name.split('.').next().unwrap_or_default()) {
            return level;
        }
        let next = current.getattr("f_back");
        frame = next.and_then(|next| {
            if next.is_none() {
                Err(pyo3::exceptions::PyValueError::new_err("no frame is left"))
            } else {
                Ok(next)
            }
        });
        level += 1;
    }
    1
}
