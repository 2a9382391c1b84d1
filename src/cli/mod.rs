//! The command line, `hubtoken`: the library's checks for shells, scripts, and job prologues.
//!
//! It reports which token is in use, whose it is, and whether it has the access that is needed.
//! [`run`] does not access the process it runs in: everything it reads, writes, and remembers is
//! in a [`Context`]. Tests therefore need no process, two runs in one process are independent, and
//! the Python layer makes no decisions.
//!
//! Exit codes are the same for every verb, since job prologues act on them: see [`Code`]. With
//! `--json` each verb writes one object to standard output and nothing else; a failure is an
//! object under `error`. Without it, results go to standard output and problems to standard error,
//! each once.

mod advice;
mod args;
mod ascii;
mod browser;
mod command;
mod confirmation;
mod context;
mod descriptors;
mod error;
mod exec;
mod exit_code;
mod explain;
mod git_credential;
mod git_helpers;
#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "hub/unavailable.rs"]
mod hub;
mod identity;
mod layout;
mod list;
mod login;
mod logout;
mod move_token;
mod oidc;
mod output;
mod rename;
mod require;
mod revoke;
mod run;
mod secret_in_args;
mod service_accounts;
mod setup_git;
mod status;
mod stored;
mod switch;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod token_context;
mod use_profile;
mod whoami;
mod wrapping;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use browser::{Browser, NoBrowser, qr_code};
use command::{Args, dispatch};
pub use context::{Context, Input, NoPrompt, Prompt, Stream, Typed};
pub use descriptors::{Descriptor, Descriptors, NoDescriptors};
use error::Failure;
pub use exec::{Exec, ReplaceProcess};
pub use exit_code::Code;
use output::Output;

/// Runs the command line and returns its exit code.
///
/// `arguments` begin with the program's name, as `argv` does.
///
/// ```
/// use hubtoken::cli::{self, Input, ReplaceProcess, Stream, NoBrowser, NoDescriptors, NoPrompt, Context};
/// use hubtoken::env::StaticEnvironment;
/// use hubtoken::interrupt::NeverInterrupted;
/// use hubtoken::oauth::SystemPace;
/// use hubtoken::resolve::Resolver;
///
/// let (mut output, mut errors, mut input) = (Vec::new(), Vec::new(), std::io::empty());
/// let context = Context {
///     environment: &StaticEnvironment::default(),
///     folder: None,
///     program: None,
///     stdin: Input::from(&mut input),
///     prompt: &NoPrompt(""),
///     stdout: Stream::to(&mut output),
///     stderr: Stream::to(&mut errors),
///     width: None,
///     now: time::OffsetDateTime::UNIX_EPOCH,
///     interrupt: &NeverInterrupted,
///     launcher: &ReplaceProcess,
///     browser: &NoBrowser,
///     descriptors: &NoDescriptors,
///     pace: &SystemPace,
///     resolver: Resolver::default(),
///     client: None,
/// };
/// let code = cli::run(["hubtoken", "--version"].map(Into::into), &context);
/// drop(context);
/// assert_eq!(code, 0);
/// assert!(output.starts_with(b"hubtoken "));
/// ```
pub fn run(arguments: impl IntoIterator<Item = OsString>, context: &Context<'_>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let output = Output::new(context, &arguments);
    let code = match secret_in_args::find(&arguments) {
        Some(problem) => output.failed(&Failure::Usage(problem)),
        None => parse(arguments, context, &output),
    };
    output.finish(code) as u8
}

/// Runs `git-credential` alone, for the standalone helper program.
///
/// `arguments` begin with the program's name. git adds one, the operation.
///
/// ```
/// use hubtoken::cli::{self, Input, ReplaceProcess, Stream, NoBrowser, NoDescriptors, NoPrompt, Context};
/// use hubtoken::env::StaticEnvironment;
/// use hubtoken::interrupt::NeverInterrupted;
/// use hubtoken::oauth::SystemPace;
/// use hubtoken::resolve::Resolver;
///
/// let (mut output, mut errors) = (Vec::new(), Vec::new());
/// let mut input: &[u8] = b"protocol=https\nhost=huggingface.co\n\n";
/// let context = Context {
///     environment: &StaticEnvironment::from([(
///         "HF_TOKEN",
///         "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
///     )]),
///     folder: None,
///     program: None,
///     stdin: Input::from(&mut input),
///     prompt: &NoPrompt(""),
///     stdout: Stream::to(&mut output),
///     stderr: Stream::to(&mut errors),
///     width: None,
///     now: time::OffsetDateTime::UNIX_EPOCH,
///     interrupt: &NeverInterrupted,
///     launcher: &ReplaceProcess,
///     browser: &NoBrowser,
///     descriptors: &NoDescriptors,
///     pace: &SystemPace,
///     resolver: Resolver::default(),
///     client: None,
/// };
/// let arguments = ["git-credential-hubtoken", "get"].map(Into::into);
/// assert_eq!(cli::run_git_helper(arguments, &context), 0);
/// drop(context);
/// assert!(output.starts_with(b"username=hf_user\npassword="));
/// ```
pub fn run_git_helper(arguments: impl IntoIterator<Item = OsString>, context: &Context<'_>) -> u8 {
    let output = Output::new(context, &[]);
    let operations: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let code = git_credential::run_standalone(&operations, context, &output)
        .unwrap_or_else(|failure| output.failed(&failure));
    output.finish(code) as u8
}

fn parse(arguments: Vec<OsString>, context: &Context<'_>, output: &Output<'_, '_>) -> Code {
    // The width comes from the context, so that clap does not query a terminal itself.
    let width = context.width.filter(|_| context.stdout.is_terminal);
    let command = Args::command().term_width(width.unwrap_or(0));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Args::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => dispatch(arguments.verb, context, output),
        Err(error) => output.clap(&error),
    }
}
