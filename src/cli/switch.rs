//! `hubtoken switch`: make a stored token the active one.

use clap::Args;
use serde_json::json;

use super::exit_code::Code;
use super::failure::Failure;
use super::output::Output;
use super::session;
use super::world::World;
use crate::printable::printable;

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken switch ci

`huggingface_hub` and everything above it use the active token too. Exit codes: 0 done; 2 no token
of this name, one of another Hub than HF_ENDPOINT, or files that cannot be written.")]
pub struct Arguments {
    /// The stored token
    name: String,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, one of another Hub, or files that cannot be written.
pub fn run(
    arguments: &Arguments,
    world: &World<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let switched = session::machine(world)?.switch(&arguments.name)?;
    let name = switched.name;
    let shadow = session::shadow(world, "goes before the active token", "");
    let warnings: Vec<String> = switched.warnings.into_iter().chain(shadow).collect();
    for warning in &warnings {
        output.warning(warning);
    }
    if output.is_json() {
        output.object(&json!({ "name": printable(&name), "warnings": warnings, "error": null }));
    } else {
        let mut page = output.page();
        page.paragraph(&printable(&format!("`{name}` is the active token")));
        output.show(&page);
    }
    Ok(Code::Success)
}
