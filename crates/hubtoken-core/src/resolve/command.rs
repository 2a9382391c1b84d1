//! Runs a `token_command`, a program that prints a token.
//!
//! `token_command` in the user's configuration is a program and its arguments, for example a
//! password manager or a team's token broker. It is started directly, without a shell. Its standard
//! output is the token, or a JSON object with `token` and optionally `expires_at` (RFC 3339, or
//! seconds since 1970). Its standard error is inherited, so the user sees its prompts and errors
//! unchanged. Messages from this module never quote either stream. Its answer counts when it ends,
//! even if a process that it started keeps its standard output open.
//!
//! The program runs in the folder of the configuration, never in a cloned repository, which could
//! plant files for it.

mod group;
mod output;

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use self::group::Group;
use self::output::{MAXIMUM_OUTPUT, Output};
use super::slow_source::SourceAnswer;
use crate::env::{self, StaticEnvironment};
use crate::interrupt::Interrupt;

/// How long it may take to report that a program was stopped at its deadline.
pub(super) const KILL_GRACE: Duration = Duration::from_secs(2);
/// How often to check whether the program has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The output of a program that prints more than a token.
#[derive(Deserialize)]
struct Object {
    token: Zeroizing<String>,
    expires_at: Option<End>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    Seconds(u64),
    Text(String),
}

/// Why a program was stopped.
enum Stopped {
    Late,
    TooLong,
    Interrupted,
    Unreadable(ErrorKind),
}

/// Runs a program to its end and parses its output.
///
/// `folder` is its working directory. It is stopped after `timeout`, or when `interrupt` is set,
/// with everything that it started. What it leaves running when it ends is not waited for.
#[must_use]
pub fn run(
    argv: &[String],
    folder: &Path,
    variables: &StaticEnvironment,
    timeout: Duration,
    interrupt: &dyn Interrupt,
) -> SourceAnswer {
    let deadline = Instant::now() + timeout;
    let group = match start(argv, folder, variables) {
        Ok(group) => group,
        Err(problem) => return SourceAnswer::Failed(problem),
    };
    match wait(group, deadline, interrupt) {
        Ok((status, output)) if status.success() => parse_output(output.bytes()),
        Ok((status, _)) => SourceAnswer::Failed(format!("failed with {}", describe(status))),
        Err(Stopped::Late) => SourceAnswer::Failed(format!(
            "did not end within {} seconds and was stopped",
            timeout.as_secs_f64()
        )),
        Err(Stopped::TooLong) => {
            SourceAnswer::Failed(format!("wrote more than {MAXIMUM_OUTPUT} bytes"))
        }
        Err(Stopped::Interrupted) => SourceAnswer::Failed("was stopped".to_owned()),
        Err(Stopped::Unreadable(kind)) => SourceAnswer::Failed(format!("cannot be read: {kind}")),
    }
}

/// Waits for a program to end, or stops it.
fn wait(
    mut group: Group,
    deadline: Instant,
    interrupt: &dyn Interrupt,
) -> Result<(ExitStatus, Output), Stopped> {
    let unreadable = |error: Error| Stopped::Unreadable(error.kind());
    let opened = match group.take_stdout() {
        Some(stdout) => Output::of(stdout),
        None => Err(ErrorKind::BrokenPipe.into()),
    };
    let mut output = match opened {
        Ok(output) => output,
        Err(error) => {
            group.stop();
            return Err(unreadable(error));
        }
    };
    loop {
        // Before the output is read, which is complete once the program has ended.
        let status = group.ended();
        let read = output.read();
        let reason = match (status, read) {
            (Ok(Some(_)), _) if output.is_too_long() => return Err(Stopped::TooLong),
            (Ok(Some(status)), Ok(())) => return Ok((status, output)),
            (Ok(Some(_)), Err(error)) => return Err(unreadable(error)),
            (_, Err(error)) | (Err(error), _) => unreadable(error),
            _ if output.is_too_long() => Stopped::TooLong,
            _ if Instant::now() >= deadline => Stopped::Late,
            _ if interrupt.is_set() => Stopped::Interrupted,
            _ => {
                thread::sleep(POLL_INTERVAL);
                continue;
            }
        };
        group.stop();
        return Err(reason);
    }
}

fn start(argv: &[String], folder: &Path, variables: &StaticEnvironment) -> Result<Group, String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("is empty".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter())
        .env(env::HUBTOKEN_IN_TOKEN_COMMAND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    Group::start(&mut command).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "was not found. Use an absolute path; neither `~` nor `$NAME` is expanded".to_owned()
        }
        kind => format!("cannot be started: {kind}"),
    })
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return format!("signal {signal}");
        }
    }
    status
        .code()
        .map_or_else(|| "no code".to_owned(), |code| format!("code {code}"))
}

/// Parses the output of a program: a token, or a JSON object that contains one.
#[must_use]
pub fn parse_output(output: &[u8]) -> SourceAnswer {
    let Ok(text) = std::str::from_utf8(output) else {
        return SourceAnswer::Failed("wrote something that is not text (UTF-8)".to_owned());
    };
    let text = text.trim();
    if text.is_empty() {
        return SourceAnswer::Absent;
    }
    if !text.starts_with('{') {
        return SourceAnswer::value(Zeroizing::new(text.to_owned()));
    }
    // The parser's own message could quote the output.
    let Ok(Object { token, expires_at }) = serde_json::from_str(text) else {
        return SourceAnswer::Failed("wrote a JSON object without a string `token`".to_owned());
    };
    let expires_at = match expires_at.map(|end| end.to_time()) {
        None => None,
        Some(Some(time)) => Some(time),
        Some(None) => {
            return SourceAnswer::Failed(
                "wrote an `expires_at` that is neither RFC 3339 nor seconds since 1970".to_owned(),
            );
        }
    };
    SourceAnswer::Value {
        text: Arc::new(token),
        expires_at,
    }
}

impl End {
    fn to_time(&self) -> Option<SystemTime> {
        match self {
            Self::Seconds(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(*seconds)),
            Self::Text(text) => OffsetDateTime::parse(text, &Rfc3339).ok().map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests;
