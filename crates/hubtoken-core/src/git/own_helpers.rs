//! Hands a token to git's own credential helpers, and takes it back.
//!
//! `hf auth login --add-to-git-credential` does this, and people bring the option along. The helpers
//! that the user configured (`store`, `cache`, the keychain of the system) then keep a copy, which
//! `hubtoken setup-git` avoids: with it, git asks hubtoken for the token each time. The value goes
//! through standard input. git runs in the home folder, so that no repository's configuration
//! chooses the helper.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use zeroize::Zeroizing;

use super::failure::{not_run, refusal};
use super::helper::USERNAME;
use super::helper_command::is_ours;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::paths;
use crate::sanitize::redacted;
use crate::token::Token;

/// Who answers git's next question about the Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// hubtoken, which keeps no copy: there is nothing to hand over.
    Hubtoken,
    /// The user's own helper, which has the token now.
    OwnHelper(String),
}

impl Answerer {
    /// What git has now, as a sentence without the final period.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Hubtoken => {
                "git asks hubtoken for the token of this Hub already, so it was given no copy"
                    .to_owned()
            }
            Self::OwnHelper(helper) => format!(
                "git's credential helper `{helper}` has a copy, until the token is logged out"
            ),
        }
    }
}

/// Hands a token to the helpers that git uses for a Hub.
///
/// # Errors
///
/// A warning for the user, whose token is stored already: git is missing or fails, or has no helper
/// for this Hub.
pub fn give(
    environment: &dyn Environment,
    endpoint: &Endpoint,
    token: &Token,
) -> Result<Answerer, String> {
    approve(environment, endpoint, token)
        .map_err(|problem| format!("git was not given the token: {problem}"))
}

/// Makes git's helpers forget tokens of these Hubs. Returns warnings for the user: git is missing or
/// fails.
#[must_use]
pub fn take_back(environment: &dyn Environment, given: &[(Endpoint, Token)]) -> Vec<String> {
    let warning = |(endpoint, token): &(Endpoint, Token)| {
        let problem = hand_over(environment, "reject", endpoint, token).err()?;
        let mask = token.mask();
        Some(format!(
            "git's own helper may keep its copy of {mask}: {problem}"
        ))
    };
    given.iter().filter_map(warning).collect()
}

fn approve(
    environment: &dyn Environment,
    endpoint: &Endpoint,
    token: &Token,
) -> Result<Answerer, String> {
    let url = endpoint.as_str();
    let found = git(
        environment,
        &[
            "config",
            "--null",
            "--get-urlmatch",
            "credential.helper",
            url,
        ],
        None,
    )?;
    let helper = match found.status.code() {
        Some(0) => String::from_utf8_lossy(&found.stdout)
            .trim_end_matches('\0')
            .to_owned(),
        // The key does not exist.
        Some(1) => String::new(),
        _ => return Err(refusal("git's configuration cannot be read", &found)),
    };
    if is_ours(&helper) {
        return Ok(Answerer::Hubtoken);
    }
    if helper.is_empty() {
        return Err(
            "it has no credential helper for this Hub. `hubtoken setup-git` makes it ask hubtoken, \
             which needs no copy"
                .to_owned(),
        );
    }
    hand_over(environment, "approve", endpoint, token)?;
    Ok(Answerer::OwnHelper(redacted(&helper)))
}

fn hand_over(
    environment: &dyn Environment,
    operation: &str,
    endpoint: &Endpoint,
    token: &Token,
) -> Result<(), String> {
    let description = Zeroizing::new(format!(
        "url={endpoint}\nusername={USERNAME}\npassword={}\n\n",
        token.expose()
    ));
    let output = git(environment, &["credential", operation], Some(&description))?;
    if output.status.success() {
        return Ok(());
    }
    Err(refusal(
        &format!("`git credential {operation}` failed"),
        &output,
    ))
}

fn git(
    environment: &dyn Environment,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<Output, String> {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .env_clear()
        .envs(environment.all().iter())
        .env_remove(env::GIT_DIR)
        .env_remove(env::GIT_WORK_TREE)
        // A helper that has nothing must not lead to a prompt.
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(home) = paths::home(environment).filter(|home| home.is_dir()) {
        command.current_dir(home);
    }
    let mut child = command.spawn().map_err(|error| not_run(&error))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A git that has ended without reading reports why by its exit code.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(|error| not_run(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;

    const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";

    fn environment(home: &std::path::Path, configuration: &str) -> StaticEnvironment {
        std::fs::write(home.join(".gitconfig"), configuration).unwrap();
        let mut environment = StaticEnvironment::of_process();
        for name in [
            "XDG_CONFIG_HOME",
            "GIT_CONFIG_GLOBAL",
            "GIT_CEILING_DIRECTORIES",
        ] {
            environment.unset(name);
        }
        environment.set("HOME", home);
        environment.set("GIT_CONFIG_NOSYSTEM", "1");
        environment
    }

    #[test]
    fn the_users_own_helper_keeps_a_copy_until_it_is_taken_back() {
        let home = tempfile::tempdir().unwrap();
        let kept = home.path().join("kept");
        let helper = format!("store --file={}", kept.display());
        let environment = environment(
            home.path(),
            &format!("[credential]\n\thelper = \"{helper}\"\n"),
        );
        let token = Token::parse(VALUE).unwrap().unwrap();
        let hub = Endpoint::parse("https://hub.example").unwrap();
        let answerer = give(&environment, &hub, &token).unwrap();
        assert_eq!(answerer, Answerer::OwnHelper(helper));
        let text = || std::fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(text(), format!("https://hf_user:{VALUE}@hub.example\n"));
        assert_eq!(take_back(&environment, &[(hub, token)]), [""; 0]);
        assert_eq!(text(), "");
    }

    #[test]
    fn git_that_asks_hubtoken_or_has_no_helper_gets_no_copy() {
        let home = tempfile::tempdir().unwrap();
        let token = Token::parse(VALUE).unwrap().unwrap();
        let hub = Endpoint::parse("https://hub.example").unwrap();
        let asks_us = environment(
            home.path(),
            "[credential \"https://hub.example\"]\n\thelper =\n\thelper = !hubtoken git-credential\n",
        );
        let answerer = give(&asks_us, &hub, &token).unwrap();
        assert_eq!(answerer, Answerer::Hubtoken);
        for configuration in [
            "",
            "[credential]\n\thelper = store\n[credential \"https://hub.example\"]\n\thelper =\n",
        ] {
            let without_helper = environment(home.path(), configuration);
            let problem = give(&without_helper, &hub, &token).unwrap_err();
            assert!(
                problem.starts_with("git was not given the token: it has no credential helper"),
                "{problem}"
            );
        }
        let mut broken = environment(home.path(), "[credential\n");
        assert!(give(&broken, &hub, &token).is_err());
        broken.set("PATH", home.path());
        let problem = give(&broken, &hub, &token).unwrap_err();
        assert!(problem.contains("Install git"), "{problem}");
        let warnings = take_back(&broken, &[(hub, token)]);
        assert!(
            warnings[0].contains("may keep its copy of hf_"),
            "{warnings:?}"
        );
        assert!(warnings[0].contains("Install git"), "{warnings:?}");
    }
}
