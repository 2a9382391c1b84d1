//! The command line: `hubtoken`.
//!
//! It answers the questions of the library in a shell: which token is in use, whose it is, and
//! whether it will do. [`run`] knows nothing of the process it runs in: what it reads, where it
//! writes and what it remembers is a [`World`], so that tests need no process, two runs in one
//! process are independent, and the Python layer decides nothing.
//!
//! Exit codes are the same for every verb, since job prologues act on them: see [`Code`]. With
//! `--json` each verb writes one object to standard output and nothing else; a failure is an
//! object under `error`. Without it the answer goes to standard output and what went wrong to
//! standard error, each once.

mod args;
mod command;
mod exit_code;
mod explain;
mod failure;
mod git_credential;
#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "hub/missing.rs"]
mod hub;
mod identity;
mod launch;
mod list;
mod login;
mod logout;
mod output;
mod page;
mod pin;
mod refusal;
mod rename;
mod require;
mod run;
mod session;
mod setup_git;
mod status;
mod switch;
#[cfg(test)]
mod tests;
mod token;
mod whoami;
mod world;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _};

use command::{Arguments, dispatch};
pub use exit_code::Code;
use failure::Failure;
pub use launch::{Launch, Replace};
use output::Output;
pub use world::{Input, Stream, Text, Typing, World};

/// Runs the command line and returns its exit code.
///
/// `arguments` begin with the program's name, as `argv` does.
///
/// ```
/// use hubtoken::cli::{self, Input, Replace, Stream, Text, World};
/// use hubtoken::env::Fixed;
/// use hubtoken::interrupt::Never;
/// use hubtoken::resolve::Resolver;
///
/// let (mut output, mut errors, mut input) = (Vec::new(), Vec::new(), std::io::empty());
/// let world = World {
///     environment: &Fixed::default(),
///     folder: None,
///     program: None,
///     stdin: Input::from(&mut input),
///     typing: &Text(""),
///     stdout: Stream::to(&mut output),
///     stderr: Stream::to(&mut errors),
///     width: None,
///     now: time::OffsetDateTime::UNIX_EPOCH,
///     interrupt: &Never,
///     launcher: &Replace,
///     resolver: Resolver::default(),
///     client: None,
/// };
/// let code = cli::run(["hubtoken", "--version"].map(Into::into), &world);
/// drop(world);
/// assert_eq!(code, 0);
/// assert!(output.starts_with(b"hubtoken "));
/// ```
pub fn run(arguments: impl IntoIterator<Item = OsString>, world: &World<'_>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let output = Output::new(world, &arguments);
    let code = match refusal::find(&arguments) {
        Some(problem) => output.failed(&Failure::Usage(problem)),
        None => parse(arguments, world, &output),
    };
    output.finish(code) as u8
}

/// Runs `git-credential` alone, for the program that does nothing else.
///
/// `arguments` begin with the program's name. git adds one, the operation.
///
/// ```
/// use hubtoken::cli::{self, Input, Replace, Stream, Text, World};
/// use hubtoken::env::Fixed;
/// use hubtoken::interrupt::Never;
/// use hubtoken::resolve::Resolver;
///
/// let (mut output, mut errors) = (Vec::new(), Vec::new());
/// let mut input: &[u8] = b"protocol=https\nhost=huggingface.co\n\n";
/// let world = World {
///     environment: &Fixed::from([("HF_TOKEN", "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")]),
///     folder: None,
///     program: None,
///     stdin: Input::from(&mut input),
///     typing: &Text(""),
///     stdout: Stream::to(&mut output),
///     stderr: Stream::to(&mut errors),
///     width: None,
///     now: time::OffsetDateTime::UNIX_EPOCH,
///     interrupt: &Never,
///     launcher: &Replace,
///     resolver: Resolver::default(),
///     client: None,
/// };
/// let arguments = ["git-credential-hubtoken", "get"].map(Into::into);
/// assert_eq!(cli::run_git_helper(arguments, &world), 0);
/// drop(world);
/// assert!(output.starts_with(b"username=hf_user\npassword="));
/// ```
pub fn run_git_helper(arguments: impl IntoIterator<Item = OsString>, world: &World<'_>) -> u8 {
    let output = Output::new(world, &[]);
    let operations: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let code = git_credential::alone(&operations, world, &output)
        .unwrap_or_else(|failure| output.failed(&failure));
    output.finish(code) as u8
}

fn parse(arguments: Vec<OsString>, world: &World<'_>, output: &Output<'_, '_>) -> Code {
    // The width is the world's, so that clap asks no terminal of its own accord.
    let command = Arguments::command().term_width(world.width.unwrap_or(0));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => dispatch(arguments.verb, world, output),
        Err(error) => output.clap(&error),
    }
}
