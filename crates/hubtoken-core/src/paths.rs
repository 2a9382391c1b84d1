//! Defines every path that hubtoken uses, in one place.
//!
//! The token file and the stored tokens are shared with `huggingface_hub` and are located where
//! that library looks for them. The configuration file belongs to hubtoken. Nothing in this module
//! touches the disk.
//!
//! The identity cache is in `HF_HOME`, not next to the token file that `HF_TOKEN_PATH` names. That
//! variable usually points into a mounted secret, which is read-only.

use std::path::{Path, PathBuf};

use crate::env::{self, Environment};
use crate::folder::HomeUser;
use crate::sanitize::redacted_path;

/// The project's configuration file.
pub const PROJECT_FILE: &str = "hubtoken.toml";
/// The file that may hold a `[tool.hubtoken]` table.
pub const PYPROJECT_FILE: &str = "pyproject.toml";

/// The paths selected by an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// The folder shared by the Hub's libraries: `HF_HOME`.
    pub home: Option<PathBuf>,
    /// The file of the active token: `HF_TOKEN_PATH`, else `token` in `HF_HOME`.
    pub token: Option<PathBuf>,
    /// The named tokens: `stored_tokens` next to the token file.
    pub stored_tokens: Option<PathBuf>,
    /// Cached identities, shared by all processes on this machine: `hubtoken/identities` in
    /// `HF_HOME`. Not next to a token file named by `HF_TOKEN_PATH`, which is often on a read-only
    /// mount.
    pub identities: Option<PathBuf>,
    /// What tokens were used for, by project: `hubtoken/uses` in `HF_HOME`.
    pub uses: Option<PathBuf>,
    /// The user's configuration: `hubtoken/config.toml` in the user's configuration folder.
    pub user_configuration: Option<PathBuf>,
    /// In whose home these paths are.
    pub home_user: HomeUser,
}

impl Paths {
    /// The paths for an environment. A path is `None` if it depends on the home folder and there is
    /// none.
    #[must_use]
    pub fn new(environment: &dyn Environment) -> Self {
        let home = home(environment);
        let cache = path(environment, env::XDG_CACHE_HOME)
            .or_else(|| home.as_ref().map(|home| home.join(".cache")));
        let hf_home = path(environment, env::HF_HOME)
            .or_else(|| cache.map(|cache| cache.join("huggingface")));
        let named = path(environment, env::HF_TOKEN_PATH);
        let stored_tokens = match &named {
            Some(token) => token.parent().map(Path::to_owned),
            None => hf_home.clone(),
        }
        .map(|folder| folder.join("stored_tokens"));
        let own = |name| {
            let folder = hf_home.as_ref()?;
            Some(folder.join("hubtoken").join(name))
        };
        let (identities, uses) = (own("identities"), own("uses"));
        let hf_home_folder = hf_home.clone();
        let token = if env::is_on(environment, env::HUGGINGFACE_CO_STAGING) {
            // Staging has its own token file but shares the stored tokens.
            home.as_ref()
                .map(|home| home.join(".cache/huggingface_staging/token"))
        } else {
            named.or_else(|| hf_home.map(|folder| folder.join("token")))
        };
        Self {
            home: hf_home_folder,
            token,
            stored_tokens,
            identities,
            uses,
            user_configuration: configuration_folder(environment, home.as_deref())
                .map(|folder| folder.join("hubtoken").join("config.toml")),
            home_user: HomeUser {
                sudo: env::text(environment, env::SUDO_UID)
                    .and_then(|text| text.trim().parse().ok()),
                home,
            },
        }
    }
}

/// The user's home folder: `HOME` (`USERPROFILE` on Windows), or else what the system reports.
#[must_use]
pub fn home(environment: &dyn Environment) -> Option<PathBuf> {
    let variable = if cfg!(windows) {
        env::USERPROFILE
    } else {
        env::HOME
    };
    environment
        .get(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(std::env::home_dir)
        .filter(|home| !home.as_os_str().is_empty())
}

fn configuration_folder(environment: &dyn Environment, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(folder) = path(environment, env::XDG_CONFIG_HOME) {
        return Some(folder);
    }
    if cfg!(windows) {
        return path(environment, env::APPDATA);
    }
    home.map(|home| home.join(".config"))
}

/// A variable that names a path. A blank value counts as unset.
fn path(environment: &dyn Environment, name: &str) -> Option<PathBuf> {
    let value = environment.get(name)?;
    match value.to_str() {
        Some(text) if text.trim().is_empty() => None,
        Some(text) => Some(expand(environment, text)),
        // Not UTF-8: used without expansion.
        None => Some(PathBuf::from(value)),
    }
}

/// Expands a leading `~`, `$NAME` and `${NAME}` like Python's `os.path`. Unset variables are left
/// as written.
#[must_use]
pub fn expand(environment: &dyn Environment, text: &str) -> PathBuf {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, from) = rest.split_at(start);
        expanded.push_str(before);
        let (name, written) = variable_name(from);
        match (!name.is_empty()).then(|| environment.get(name)).flatten() {
            Some(value) => expanded.push_str(&value.to_string_lossy()),
            None => expanded.push_str(&from[..written]),
        }
        rest = &from[written..];
    }
    expanded.push_str(rest);
    match expanded.strip_prefix('~') {
        Some("") => home(environment).unwrap_or_else(|| "~".into()),
        Some(tail) if tail.starts_with('/') => {
            home(environment).map_or_else(|| expanded.clone().into(), |home| home.join(&tail[1..]))
        }
        _ => expanded.into(),
    }
}

/// The name at the start of `$NAME…` or `${NAME}…`, and the length of the whole reference in bytes.
fn variable_name(text: &str) -> (&str, usize) {
    let after = &text[1..];
    if let Some(braced) = after.strip_prefix('{') {
        return match braced.find('}') {
            Some(end) => (&braced[..end], end + 3),
            None => ("", 1),
        };
    }
    let end = after
        .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .unwrap_or(after.len());
    (&after[..end], end + 1)
}

/// Formats a path for display, with `~` for the home folder.
#[must_use]
pub fn display(path: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", redacted_path(rest)),
        _ => redacted_path(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::StaticEnvironment;

    fn token_path(pairs: &[(&str, &str)]) -> Option<PathBuf> {
        let mut environment = StaticEnvironment::from([("HOME", "/home/alice")]);
        for (name, value) in pairs {
            environment.set(name, value);
        }
        Paths::new(&environment).token
    }

    #[test]
    fn the_token_file_is_where_huggingface_hub_looks() {
        for (pairs, expected) in [
            (&[][..], "/home/alice/.cache/huggingface/token"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/token"),
            (
                &[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")],
                "/home/alice/hf/token",
            ),
            (&[("HF_HOME", " ")], "/home/alice/.cache/huggingface/token"),
            (
                &[
                    ("HF_TOKEN_PATH", "$SECRETS/hf"),
                    ("SECRETS", "/run/secrets"),
                ],
                "/run/secrets/hf",
            ),
            (
                &[("HUGGINGFACE_CO_STAGING", "1"), ("HF_HOME", "/hf")],
                "/home/alice/.cache/huggingface_staging/token",
            ),
        ] {
            assert_eq!(token_path(pairs), Some(expected.into()), "{pairs:?}");
        }
    }

    #[test]
    fn stored_tokens_are_beside_a_named_token_file() {
        let environment =
            StaticEnvironment::from([("HOME", "/h"), ("HF_TOKEN_PATH", "/run/secrets/hf")]);
        assert_eq!(
            Paths::new(&environment).stored_tokens,
            Some("/run/secrets/stored_tokens".into())
        );
    }

    #[test]
    fn expansion_follows_python() {
        let environment = StaticEnvironment::from([("HOME", "/h"), ("A", "a")]);
        for (text, expected) in [
            ("~", "/h"),
            ("~/x", "/h/x"),
            ("~bob/x", "~bob/x"),
            ("/$A/${A}/$B/${B}", "/a/a/$B/${B}"),
            ("/$", "/$"),
            ("/${A", "/${A"),
            ("$A$A", "aa"),
        ] {
            assert_eq!(
                expand(&environment, text),
                PathBuf::from(expected),
                "{text}"
            );
        }
    }
}
