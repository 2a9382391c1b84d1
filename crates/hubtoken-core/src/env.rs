//! Every environment variable that hubtoken reads, documented once.
//!
//! The process's environment is shared with C code that Python may call at any time, so nothing
//! reads it in passing: an [`Environment`] is a parameter. The Python layer hands one over while
//! it is attached to the interpreter, and tests hand over a map.

use std::collections::HashMap;
use std::ffi::OsString;

/// The token. Also set for child processes and by `activate()`.
pub const HF_TOKEN: &str = "HF_TOKEN";
/// Where the token in [`HF_TOKEN`] came from, when `activate()` or `hubtoken run` put it there. Not
/// for people: it names the value that it belongs to by fingerprint, and says nothing of another.
pub const HUBTOKEN_TOKEN_ORIGIN: &str = "HUBTOKEN_TOKEN_ORIGIN";
/// The token's older variable, read when [`HF_TOKEN`] is not set.
pub const HUGGING_FACE_HUB_TOKEN: &str = "HUGGING_FACE_HUB_TOKEN";
/// Asks for a token by OIDC exchange, before every other ambient source.
pub const HF_OIDC_RESOURCE: &str = "HF_OIDC_RESOURCE";
/// No token is sent unless one is handed over.
pub const HF_HUB_DISABLE_IMPLICIT_TOKEN: &str = "HF_HUB_DISABLE_IMPLICIT_TOKEN";
/// The Hub that ambient tokens belong to.
pub const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Selects the staging Hub and wins over [`HF_ENDPOINT`].
pub const HUGGINGFACE_CO_STAGING: &str = "HUGGINGFACE_CO_STAGING";
/// The folder of the Hub's libraries.
pub const HF_HOME: &str = "HF_HOME";
/// The file of the active token; the stored tokens are beside it.
pub const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";
/// No request is made.
pub const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";
/// The same switch under its older name.
pub const TRANSFORMERS_OFFLINE: &str = "TRANSFORMERS_OFFLINE";
/// Folders whose configuration counts although they belong to another user, or everybody may write
/// in them: whole paths with the system's separator between them (`:`, on Windows `;`). For shared
/// checkouts and containers.
pub const HUBTOKEN_SAFE_DIRECTORIES: &str = "HUBTOKEN_SAFE_DIRECTORIES";
/// The user who called `sudo`. Read by root alone, for whom that user's configurations count as
/// root's own do; git reads it for the same purpose.
pub const SUDO_UID: &str = "SUDO_UID";
/// Nothing that the Hub says of a token is kept on the disk, nor read from there.
pub const HUBTOKEN_DISABLE_CACHE: &str = "HUBTOKEN_DISABLE_CACHE";
/// The vaults of notebooks are not asked.
pub const HUBTOKEN_DISABLE_VAULTS: &str = "HUBTOKEN_DISABLE_VAULTS";
/// How many seconds a `token_command` or a notebook's vault may take.
pub const HUBTOKEN_SOURCE_TIMEOUT: &str = "HUBTOKEN_SOURCE_TIMEOUT";
/// Set for a `token_command`, so that one that asks hubtoken does not start itself for ever.
pub const HUBTOKEN_IN_TOKEN_COMMAND: &str = "HUBTOKEN_IN_TOKEN_COMMAND";
/// `COLAB_ENTERPRISE` where Colab has no vault for secrets.
pub const VERTEX_PRODUCT: &str = "VERTEX_PRODUCT";
/// Set in Kaggle's notebooks: what its vault knows the notebook by.
pub const KAGGLE_USER_SECRETS_TOKEN: &str = "KAGGLE_USER_SECRETS_TOKEN";
/// The base of caches, `~/.cache` when not set.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The base of configuration, `~/.config` when not set.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The user's configuration folder on Windows.
pub const APPDATA: &str = "APPDATA";
/// The user's home folder.
pub const HOME: &str = "HOME";
/// The user's home folder on Windows.
pub const USERPROFILE: &str = "USERPROFILE";
/// Certificates to trust instead of the system's.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Folders of such certificates, with the system's separator between them (`:`, on Windows `;`); they
/// count beside the file.
pub const SSL_CERT_DIR: &str = "SSL_CERT_DIR";
/// The same as [`SSL_CERT_FILE`], as `requests` names it; read when that is not set.
pub const REQUESTS_CA_BUNDLE: &str = "REQUESTS_CA_BUNDLE";
/// The proxy for https, in both spellings.
pub const HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// The proxy for everything, in both spellings.
pub const ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// Hosts that are asked without a proxy, in both spellings.
pub const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Set by people who do not want colors on a terminal (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// The data folder of the embedded Hub that the command line starts and administers.
pub const HUBTOKEN_HUB_DATA: &str = "HUBTOKEN_HUB_DATA";

/// Where programs are looked for.
pub const PATH: &str = "PATH";
/// The user's git configuration, in place of `~/.gitconfig`.
pub const GIT_CONFIG_GLOBAL: &str = "GIT_CONFIG_GLOBAL";
/// git does not read the machine's configuration.
pub const GIT_CONFIG_NOSYSTEM: &str = "GIT_CONFIG_NOSYSTEM";
/// The repository that git works on.
pub const GIT_DIR: &str = "GIT_DIR";
/// The folder of that repository's files.
pub const GIT_WORK_TREE: &str = "GIT_WORK_TREE";
/// Where git stops looking for a repository.
pub const GIT_CEILING_DIRECTORIES: &str = "GIT_CEILING_DIRECTORIES";

/// Variables that look like a token's, but that none of the Hub's own libraries reads.
///
/// A trace names those that are set: they are a common reason for "no token found".
pub const LOOKALIKES: [&str; 9] = [
    "HUGGINGFACEHUB_API_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
    "HUGGINGFACE_API_KEY",
    "HUGGINGFACE_API_TOKEN",
    "HUGGING_FACE_TOKEN",
    "HF_API_TOKEN",
    "HF_API_KEY",
    "HF_HUB_TOKEN",
];

/// Where variables are read from.
pub trait Environment {
    /// The value of a variable, `None` when it is not set.
    fn get(&self, name: &str) -> Option<OsString>;

    /// A copy of all variables, for a program that is started.
    fn all(&self) -> Fixed;
}

/// The environment of this process, read at each call.
///
/// The Python layer uses it only while attached to the interpreter.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's environment"
    )]
    fn get(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn all(&self) -> Fixed {
        Fixed::of_process()
    }
}

/// A fixed environment, for tests and for what was read earlier.
///
/// ```
/// use hubtoken_core::env::{Environment, Fixed};
///
/// let environment = Fixed::from([("HF_ENDPOINT", "http://127.0.0.1:8080")]);
/// assert_eq!(environment.get("HF_ENDPOINT").as_deref(), Some("http://127.0.0.1:8080".as_ref()));
/// assert_eq!(environment.get("HF_TOKEN"), None);
/// ```
#[derive(Clone, Default)]
pub struct Fixed(HashMap<String, OsString>);

impl<const N: usize> From<[(&str, &str); N]> for Fixed {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        )
    }
}

impl Fixed {
    /// A copy of this process's whole environment.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the other place that reads the process's environment"
    )]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// The variables and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &OsString)> {
        self.0.iter()
    }

    /// Sets or replaces a variable.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }
}

impl Environment for Fixed {
    fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(name).cloned()
    }

    fn all(&self) -> Fixed {
        self.clone()
    }
}

/// A variable as text; `None` when it is not set, blank or not UTF-8.
#[must_use]
pub fn text(environment: &dyn Environment, name: &str) -> Option<String> {
    environment
        .get(name)?
        .into_string()
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The first of some variables that is set to something.
#[must_use]
pub fn first_text(environment: &dyn Environment, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(environment, name))
}

/// A switch, on for `1`, `ON`, `YES` and `TRUE` in any case, as the Hub's libraries read it.
#[must_use]
pub fn is_on(environment: &dyn Environment, name: &str) -> bool {
    environment.get(name).is_some_and(|value| {
        value
            .to_str()
            .is_some_and(|text| ["1", "on", "yes", "true"].contains(&&*text.to_ascii_lowercase()))
    })
}

/// Whether no request may be made.
#[must_use]
pub fn is_offline(environment: &dyn Environment) -> bool {
    is_on(environment, HF_HUB_OFFLINE) || is_on(environment, TRANSFORMERS_OFFLINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_the_hub_libraries_read_them() {
        for (value, on) in [
            ("1", true),
            ("ON", true),
            ("Yes", true),
            ("true", true),
            ("0", false),
            ("", false),
            ("2", false),
        ] {
            let environment = Fixed::from([(HF_HUB_OFFLINE, value)]);
            assert_eq!(is_offline(&environment), on, "{value}");
        }
        assert!(!is_offline(&Fixed::default()));
    }

    #[test]
    fn blank_text_is_not_set() {
        let environment = Fixed::from([("A", " "), ("B", "b")]);
        assert_eq!(first_text(&environment, &["A", "B"]).as_deref(), Some("b"));
    }
}
