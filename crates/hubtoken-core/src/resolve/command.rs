//! Runs a `token_command`, a program that prints a token.
//!
//! `token_command` in the user's configuration is a program and its arguments, for example a
//! password manager or a team's token broker. It is started directly, without a shell. Its standard
//! output is the token, or a JSON object with `token` and optionally `expires_at` (RFC 3339, or
//! seconds since 1970). Its standard error is inherited, so the user sees its prompts and errors
//! unchanged. Messages from this module never quote either stream.
//!
//! The program runs in the folder of the configuration, never in a cloned repository, which could
//! plant files for it.

use std::io::{ErrorKind, Read, Result as IoResult};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::slow_source::SourceAnswer;
use crate::env::{self, StaticEnvironment};

/// The maximum output size, in bytes.
const MAXIMUM_OUTPUT: u64 = 64 * 1024;
/// How long it may take to report that a program was stopped at its deadline.
pub(super) const KILL_GRACE: Duration = Duration::from_secs(2);
/// How often to check whether the program has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The output of a program that prints more than a token.
#[derive(Deserialize)]
struct Output {
    token: Zeroizing<String>,
    expires_at: Option<End>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    Seconds(u64),
    Text(String),
}

/// Runs a program to completion and parses its output.
///
/// `folder` is its working directory. It is killed after `timeout`.
#[must_use]
pub fn run(
    argv: &[String],
    folder: &Path,
    variables: &StaticEnvironment,
    timeout: Duration,
) -> SourceAnswer {
    let deadline = Instant::now() + timeout;
    let mut child = match start(argv, folder, variables) {
        Ok(child) => child,
        Err(problem) => return SourceAnswer::Failed(problem),
    };
    let late = || {
        SourceAnswer::Failed(format!(
            "did not end within {} seconds and was stopped",
            timeout.as_secs_f64()
        ))
    };
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        // On a separate thread, because a read cannot be canceled.
        thread::spawn(move || {
            // The receiver is gone if the program took too long.
            let _ = send.send(read(stdout));
        });
    }
    let Ok(output) = receive.recv_timeout(timeout) else {
        stop(&mut child);
        return late();
    };
    let output = match output {
        Ok(output) if output.len() as u64 <= MAXIMUM_OUTPUT => output,
        outcome => {
            stop(&mut child);
            return SourceAnswer::Failed(match outcome {
                Ok(_) => format!("wrote more than {MAXIMUM_OUTPUT} bytes"),
                Err(error) => format!("cannot be read: {}", error.kind()),
            });
        }
    };
    match end(&mut child, deadline) {
        None => {
            stop(&mut child);
            late()
        }
        Some(status) if status.success() => parse_output(&output),
        Some(status) => SourceAnswer::Failed(format!("failed with {}", describe(status))),
    }
}

fn start(argv: &[String], folder: &Path, variables: &StaticEnvironment) -> Result<Child, String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("is empty".to_owned());
    };
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter())
        .env(env::HUBTOKEN_IN_TOKEN_COMMAND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                "was not found. Use an absolute path; neither `~` nor `$NAME` is expanded"
                    .to_owned()
            }
            kind => format!("cannot be started: {kind}"),
        })
}

fn read(stdout: impl Read) -> IoResult<Zeroizing<Vec<u8>>> {
    // Large enough from the start: a growing buffer would leave copies behind.
    let capacity = usize::try_from(MAXIMUM_OUTPUT + 1).unwrap_or(usize::MAX);
    let mut output = Zeroizing::new(Vec::with_capacity(capacity));
    stdout.take(MAXIMUM_OUTPUT + 1).read_to_end(&mut output)?;
    Ok(output)
}

/// Waits for a program that has closed its output to exit; `None` if that takes too long.
fn end(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            _ => return None,
        }
    }
}

fn stop(child: &mut Child) {
    // It may have exited already; either way, no process is left behind.
    let _ = child.kill();
    let _ = child.wait();
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
    let Ok(Output { token, expires_at }) = serde_json::from_str(text) else {
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
