//! `hubtoken rename`: gives a stored token another name, on this machine only.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken rename ci ci-old

The token keeps its name on the Hub. Exit codes: 0 done; 1 no token of the old name, or the new name
is taken; 2 files that cannot be read or written.")]
pub struct Args {
    /// The stored token
    old: String,
    /// Its new name
    new: String,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, a name that is taken, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let token_store = token_context::token_store(context)?;
    let renamed = token_store.rename(&arguments.old, &arguments.new)?;
    let name = renamed.name;
    for warning in &renamed.warnings {
        output.warning(warning);
    }
    if output.is_json() {
        let warnings = renamed.warnings;
        output.object(&json!({ "name": name, "warnings": warnings, "error": null }));
    } else {
        let mut page = output.page();
        page.paragraph(&redacted(&format!("`{}` is now `{name}`", arguments.old)));
        output.show(&page);
    }
    Ok(Code::Success)
}
