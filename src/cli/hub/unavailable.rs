//! `hubtoken hub` in a build without the embedded Hub: always an error.

use std::ffi::OsString;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;

/// Accepts any arguments, since all of them fail the same way.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// Reports that this build has no embedded Hub.
///
/// # Errors
///
/// Always.
pub fn run(
    _arguments: Args,
    _world: &Context<'_>,
    _output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    Err(Failure::Usage(
        "this build of hubtoken has no embedded Hub: it was built without the Cargo feature `hub`. \
         Install a build that has it"
            .to_owned(),
    ))
}
