//! Defines every environment variable that hubtoken reads, in one place.
//!
//! Python may call C code that modifies the process environment at any time, so no function reads
//! it implicitly: an [`Environment`] is always a parameter. The Python layer passes one while it is
//! attached to the interpreter, and tests pass a map.

use std::collections::HashMap;
use std::ffi::OsString;

/// The token. Also set for child processes and by `activate()`.
pub const HF_TOKEN: &str = "HF_TOKEN";
/// The source of the token in [`HF_TOKEN`], when `activate()` or `hubtoken run` set it. Internal:
/// it identifies its token by fingerprint and is ignored for any other value.
pub const HUBTOKEN_TOKEN_ORIGIN: &str = "HUBTOKEN_TOKEN_ORIGIN";
/// The token's older variable, read when [`HF_TOKEN`] is not set.
pub const HUGGING_FACE_HUB_TOKEN: &str = "HUGGING_FACE_HUB_TOKEN";
/// The ID of the OAuth client in whose name a browser logs in and tokens are renewed, instead of that
/// of `huggingface_hub`.
pub const HF_DEVICE_CODE_OAUTH_CLIENT_ID: &str = "HF_DEVICE_CODE_OAUTH_CLIENT_ID";
/// Requests a token by OIDC exchange, ahead of every other ambient source.
pub const HF_OIDC_RESOURCE: &str = "HF_OIDC_RESOURCE";
/// The id token that is exchanged for [`HF_OIDC_RESOURCE`]. Without it, one is requested from GitHub.
pub const HF_OIDC_ID_TOKEN: &str = "HF_OIDC_ID_TOKEN";
/// `true` in a job of GitHub Actions.
pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";
/// Where a job of GitHub Actions requests an id token, if it has the permission `id-token: write`.
pub const ACTIONS_ID_TOKEN_REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// The secret for that request.
pub const ACTIONS_ID_TOKEN_REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Set in a job of GitLab CI.
pub const GITLAB_CI: &str = "GITLAB_CI";
/// Set in a job of `CircleCI`.
pub const CIRCLECI: &str = "CIRCLECI";
/// Set in a step of Bitbucket Pipelines.
pub const BITBUCKET_BUILD_NUMBER: &str = "BITBUCKET_BUILD_NUMBER";
/// Disables implicit tokens: only a token passed explicitly is sent.
pub const HF_HUB_DISABLE_IMPLICIT_TOKEN: &str = "HF_HUB_DISABLE_IMPLICIT_TOKEN";
/// The Hub that ambient tokens belong to.
pub const HF_ENDPOINT: &str = "HF_ENDPOINT";
/// Hosts that tokens may be sent to over plain http, exact names with an optional port, separated by
/// commas. For a Hub in another container.
pub const HUBTOKEN_INSECURE_HOSTS: &str = "HUBTOKEN_INSECURE_HOSTS";
/// Selects the staging Hub and takes precedence over [`HF_ENDPOINT`].
pub const HUGGINGFACE_CO_STAGING: &str = "HUGGINGFACE_CO_STAGING";
/// The folder shared by the Hub's libraries.
pub const HF_HOME: &str = "HF_HOME";
/// The file of the active token. The stored tokens are in the same folder.
pub const HF_TOKEN_PATH: &str = "HF_TOKEN_PATH";
/// Disables all requests.
pub const HF_HUB_OFFLINE: &str = "HF_HUB_OFFLINE";
/// The same switch under its older name.
pub const TRANSFORMERS_OFFLINE: &str = "TRANSFORMERS_OFFLINE";
/// Folders whose configuration is trusted although another user owns them or any user can write to
/// them. Absolute paths, separated by the system's path separator (`:`, on Windows `;`). For shared
/// checkouts and containers.
pub const HUBTOKEN_SAFE_DIRECTORIES: &str = "HUBTOKEN_SAFE_DIRECTORIES";
/// The user who called `sudo`. Only root reads it, and then trusts that user's configurations like
/// its own; what root creates in that user's home belongs to that user. git uses it the same way.
pub const SUDO_UID: &str = "SUDO_UID";
/// Disables the on-disk cache of identities, for reading and for writing.
pub const HUBTOKEN_DISABLE_CACHE: &str = "HUBTOKEN_DISABLE_CACHE";
/// Disables the secrets vaults of notebooks.
pub const HUBTOKEN_DISABLE_VAULTS: &str = "HUBTOKEN_DISABLE_VAULTS";
/// How long a `token_command` or a notebook's vault may take, in seconds.
pub const HUBTOKEN_SOURCE_TIMEOUT: &str = "HUBTOKEN_SOURCE_TIMEOUT";
/// Set for a `token_command`, so that a command that calls hubtoken does not start itself
/// recursively.
pub const HUBTOKEN_IN_TOKEN_COMMAND: &str = "HUBTOKEN_IN_TOKEN_COMMAND";
/// `COLAB_ENTERPRISE` where Colab has no secrets vault.
pub const VERTEX_PRODUCT: &str = "VERTEX_PRODUCT";
/// Set in Colab notebooks, and for the commands that their cells start.
pub const COLAB_RELEASE_TAG: &str = "COLAB_RELEASE_TAG";
/// Set in Kaggle notebooks: the credential that identifies the notebook to the vault.
pub const KAGGLE_USER_SECRETS_TOKEN: &str = "KAGGLE_USER_SECRETS_TOKEN";
/// The base folder for caches, `~/.cache` if unset.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The base folder for configuration, `~/.config` if unset.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The user's configuration folder on Windows.
pub const APPDATA: &str = "APPDATA";
/// The user's home folder.
pub const HOME: &str = "HOME";
/// The user's home folder on Windows.
pub const USERPROFILE: &str = "USERPROFILE";
/// Certificates to trust instead of the system's.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Folders of such certificates, separated by the system's path separator (`:`, on Windows `;`).
/// Used in addition to the file.
pub const SSL_CERT_DIR: &str = "SSL_CERT_DIR";
/// The same as [`SSL_CERT_FILE`], under the name that `requests` uses. Read if that is unset.
pub const REQUESTS_CA_BUNDLE: &str = "REQUESTS_CA_BUNDLE";
/// The proxy for https, in both spellings.
pub const HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// The proxy for all protocols, in both spellings.
pub const ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// Hosts that bypass the proxy, in both spellings.
pub const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// When the Slurm job ends that this process belongs to, in Unix seconds.
pub const SLURM_JOB_END_TIME: &str = "SLURM_JOB_END_TIME";
/// When that job began, in Unix seconds.
pub const SLURM_JOB_START_TIME: &str = "SLURM_JOB_START_TIME";
/// Disables colors on a terminal (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// The data folder of the embedded Hub that the command line starts and administers.
pub const HUBTOKEN_HUB_DATA: &str = "HUBTOKEN_HUB_DATA";

/// The browser to open pages with; blank for none.
pub const BROWSER: &str = "BROWSER";
/// Set for the programs of a session over SSH.
pub const SSH_CONNECTION: &str = "SSH_CONNECTION";
/// The terminal of a session over SSH.
pub const SSH_TTY: &str = "SSH_TTY";
/// Set by services that run jobs.
pub const CI: &str = "CI";
/// Set in the containers of some engines.
pub const CONTAINER: &str = "container";
/// Set in the containers of Kubernetes.
pub const KUBERNETES_SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";
/// The screen of a session under X11.
pub const DISPLAY: &str = "DISPLAY";
/// The screen of a session under Wayland.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";
/// Set where Linux runs under Windows, which then opens pages.
pub const WSL_DISTRO_NAME: &str = "WSL_DISTRO_NAME";
/// The address of the user's D-Bus session, where the system's keyring is.
pub const DBUS_SESSION_BUS_ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";
/// The folder of the user's sockets, with that of the D-Bus session.
pub const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

/// The search path for programs.
pub const PATH: &str = "PATH";
/// The user's git configuration file, instead of `~/.gitconfig`.
pub const GIT_CONFIG_GLOBAL: &str = "GIT_CONFIG_GLOBAL";
/// Makes git ignore the system-wide configuration.
pub const GIT_CONFIG_NOSYSTEM: &str = "GIT_CONFIG_NOSYSTEM";
/// The repository that git works on.
pub const GIT_DIR: &str = "GIT_DIR";
/// The working tree of that repository.
pub const GIT_WORK_TREE: &str = "GIT_WORK_TREE";
/// Where git stops searching for a repository.
pub const GIT_CEILING_DIRECTORIES: &str = "GIT_CEILING_DIRECTORIES";

/// Variables that look like a token variable but are read by none of the Hub's own libraries: other
/// libraries read them, or containers use them for a mounted secret.
///
/// A trace lists those that are set, because they are a common cause of "no token found".
pub const LOOKALIKES: [&str; 38] = [
    "HUGGINGFACEHUB_API_TOKEN",
    "HUGGINGFACEHUB_API_KEY",
    "HUGGINGFACEHUB_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "HUGGINGFACE_HUB_API_TOKEN",
    "HUGGINGFACE_TOKEN",
    "HUGGINGFACE_ACCESS_TOKEN",
    "HUGGINGFACE_API_KEY",
    "HUGGINGFACE_API_TOKEN",
    "HUGGING_FACE_TOKEN",
    "HUGGING_FACE_ACCESS_TOKEN",
    "HUGGING_FACE_API_KEY",
    "HUGGING_FACE_API_TOKEN",
    "HUGGING_FACE_HUB_API_TOKEN",
    "HF_ACCESS_TOKEN",
    "HF_API_TOKEN",
    "HF_API_KEY",
    "HF_AUTH_TOKEN",
    "HF_HUB_TOKEN",
    "HF_KEY",
    "HUGGINGFACE_KEY",
    // A path instead of a value.
    "HF_TOKEN_FILE",
    "HF_TOKEN_FILE_PATH",
    "HF_TOKEN_SECRET_FILE",
    "HF_TOKEN__FILE",
    "HF_TOKENFILE",
    "FILE__HF_TOKEN",
    "HF_API_TOKEN_FILE",
    "HF_HUB_TOKEN_FILE",
    "HF_HUB_TOKEN_PATH",
    "HUGGING_FACE_HUB_TOKEN_FILE",
    "HUGGING_FACE_HUB_TOKEN_PATH",
    "HUGGING_FACE_TOKEN_FILE",
    "HUGGINGFACE_HUB_TOKEN_FILE",
    "HUGGINGFACE_HUB_TOKEN_PATH",
    "HUGGINGFACE_TOKEN_FILE",
    "HUGGINGFACE_TOKEN_PATH",
    "HUGGINGFACEHUB_API_TOKEN_FILE",
];

/// Whether a variable's name says that it holds the path of a file.
#[must_use]
pub fn names_a_file(name: &str) -> bool {
    name.ends_with("FILE") || name.ends_with("_PATH") || name.starts_with("FILE__")
}

/// Where environment variables are read from.
pub trait Environment {
    /// The value of a variable, or `None` if it is unset.
    fn get(&self, name: &str) -> Option<OsString>;

    /// A copy of all variables, for starting a program.
    fn all(&self) -> StaticEnvironment;

    /// Whether the values of these variables are accepted, each with its position in the list.
    /// Every call that uses a cached token asks this, so an environment may know a quicker way than
    /// to read and copy one variable after the other.
    fn are_accepted(
        &self,
        names: &'static [&'static str],
        accepts: &mut dyn FnMut(usize, Option<&[u8]>) -> bool,
    ) -> bool {
        names.iter().enumerate().all(|(position, name)| {
            let value = self.get(name);
            accepts(
                position,
                value.as_ref().map(|value| value.as_encoded_bytes()),
            )
        })
    }
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

    fn all(&self) -> StaticEnvironment {
        StaticEnvironment::of_process()
    }
}

/// A fixed environment, for tests and for values that were read earlier.
///
/// ```
/// use hubtoken_core::env::{Environment, StaticEnvironment};
///
/// let environment = StaticEnvironment::from([("HF_ENDPOINT", "http://127.0.0.1:8080")]);
/// assert_eq!(environment.get("HF_ENDPOINT").as_deref(), Some("http://127.0.0.1:8080".as_ref()));
/// assert_eq!(environment.get("HF_TOKEN"), None);
/// ```
#[derive(Clone, Default)]
pub struct StaticEnvironment(HashMap<String, OsString>);

impl<const N: usize> From<[(&str, &str); N]> for StaticEnvironment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        )
    }
}

impl StaticEnvironment {
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

impl Environment for StaticEnvironment {
    fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(name).cloned()
    }

    fn all(&self) -> StaticEnvironment {
        self.clone()
    }
}

/// A variable as text, or `None` if it is unset, blank or not UTF-8.
#[must_use]
pub fn text(environment: &dyn Environment, name: &str) -> Option<String> {
    environment
        .get(name)?
        .into_string()
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The first of several variables that is set and not blank.
#[must_use]
pub fn first_text(environment: &dyn Environment, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(environment, name))
}

/// A switch: on for `1`, `ON`, `YES` and `TRUE` in any case, as in the Hub's libraries.
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
            let environment = StaticEnvironment::from([(HF_HUB_OFFLINE, value)]);
            assert_eq!(is_offline(&environment), on, "{value}");
        }
        assert!(!is_offline(&StaticEnvironment::default()));
    }

    #[test]
    fn blank_text_is_not_set() {
        let environment = StaticEnvironment::from([("A", " "), ("B", "b")]);
        assert_eq!(first_text(&environment, &["A", "B"]).as_deref(), Some("b"));
    }
}
