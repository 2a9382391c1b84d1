//! Opens pages in the user's browser.

use pyo3::prelude::*;
use webbrowser::{Browser as Which, BrowserOptions};

use crate::cli::Browser;

/// The browser that the system, or `BROWSER`, names.
pub struct SystemBrowser;

impl Browser for SystemBrowser {
    fn open(&self, address: &str) -> bool {
        // Attached, since it reads the environment of the process.
        Python::attach(|_| {
            let options = BrowserOptions::new();
            webbrowser::open_browser_with_options(Which::Default, address, &options).is_ok()
        })
    }
}
