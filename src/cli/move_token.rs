//! `hubtoken move`: moves a stored token between the file and the system's keyring.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::sanitize::redacted;
use crate::store::Moved;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("place").required(true),
    after_help = "\
Examples:
  hubtoken move ci --keyring
  hubtoken move ci --file

In the keyring a token is used by its name: `hubtoken use`, `--profile`, profile=. It is not the
active token there, because huggingface_hub reads that from a file. The value is written to its new
place and read back before it is removed from the old one. Exit codes: 0 done; 1 no token of this
name; 2 a keyring that is locked, missing or silent, or files that cannot be read or written."
)]
pub struct Args {
    /// The stored token
    name: String,
    /// Move it to the system's keyring
    #[arg(long, group = "place")]
    keyring: bool,
    /// Move it to the file that `huggingface_hub` reads
    #[arg(long, group = "place")]
    file: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, a keyring that does not do it, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let token_store = token_context::token_store(context)?;
    let moved = if arguments.keyring {
        token_store.move_to_keyring(&arguments.name)?
    } else {
        token_store.move_to_file(&arguments.name)?
    };
    for warning in &moved.warnings {
        output.warning(warning);
    }
    if output.is_json() {
        output.object(&json!({
            "name": redacted(&moved.name),
            "keyring": arguments.keyring,
            "changed": moved.changed,
            "was_active": moved.was_active,
            "warnings": moved.warnings,
            "error": null,
        }));
    } else {
        let mut page = output.page();
        page.paragraph(&redacted(&outcome(&moved, arguments.keyring)));
        output.show(&page);
    }
    Ok(Code::Success)
}

/// What was done, as a sentence without the final period.
fn outcome(moved: &Moved, to_keyring: bool) -> String {
    let name = &moved.name;
    let place = if to_keyring { "keyring" } else { "file" };
    match (moved.changed, to_keyring) {
        (false, _) => format!("`{name}` is in the {place} already"),
        (true, false) => {
            format!("`{name}` is in the file now: `hubtoken switch {name}` makes it the active one")
        }
        (true, true) if moved.was_active => format!(
            "`{name}` is in the keyring now, and no longer the active token. Use it by its name: \
             `hubtoken use {name}` for a folder, `hubtoken run --profile {name} -- COMMAND`"
        ),
        (true, true) => format!("`{name}` is in the keyring now"),
    }
}
