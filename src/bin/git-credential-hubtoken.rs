//! git's credential helper as a standalone program, so that git does not start an interpreter for
//! each request.
//!
//! Starting an interpreter takes ten times as long as a complete run of git's own helpers. This
//! program shares the verb's code, so there is one implementation and one contract. The linker
//! drops what it does not reach (clap, the HTTP client, TLS, tokio), and the binary is 1 MB.

use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::process::ExitCode;

use hubtoken::cli::{
    self, Context, Input, NoBrowser, NoDescriptors, NoPrompt, ReplaceProcess, Stream,
};
use hubtoken::env::ProcessEnvironment;
use hubtoken::interrupt::NeverInterrupted;
use hubtoken::oauth::SystemPace;
use hubtoken::resolve::Resolver;
use time::OffsetDateTime;

fn main() -> ExitCode {
    let (mut input, mut output, mut errors) = (stdin(), stdout(), stderr());
    let input_is_terminal = input.is_terminal();
    let (output_is_terminal, errors_are_terminal) = (output.is_terminal(), errors.is_terminal());
    let context = Context {
        environment: &ProcessEnvironment,
        folder: std::env::current_dir().ok(),
        program: None,
        stdin: Input::new(&mut input, input_is_terminal),
        prompt: &NoPrompt(""),
        stdout: Stream::new(&mut output, output_is_terminal),
        stderr: Stream::new(&mut errors, errors_are_terminal),
        width: None,
        now: OffsetDateTime::now_utc(),
        interrupt: &NeverInterrupted,
        launcher: &ReplaceProcess,
        browser: &NoBrowser,
        descriptors: &NoDescriptors,
        pace: &SystemPace,
        resolver: Resolver::default(),
        client: None,
    };
    ExitCode::from(cli::run_git_helper(std::env::args_os(), &context))
}
