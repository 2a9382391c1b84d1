//! `hubtoken switch`: makes a stored token the active one.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::login;
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken switch ci

`huggingface_hub` and everything above it use the active token too. Exit codes: 0 done; 1 no token
of this name; 2 one of another Hub than HF_ENDPOINT, or files that cannot be read or written.")]
pub struct Args {
    /// The stored token
    #[arg(required_unless_present = "token_name")]
    name: Option<String>,
    /// The name, as an option of `hf auth switch`
    #[arg(long, hide = true, value_name = "NAME", conflicts_with = "name")]
    token_name: Option<String>,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, one of another Hub, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let name = arguments.name.as_ref().or(arguments.token_name.as_ref());
    let name = name.ok_or_else(|| Failure::Usage("name the stored token".to_owned()))?;
    let token_store = token_context::token_store(context)?;
    let switched = token_store.switch(name)?;
    let in_effect = token_context::in_effect(context).ok();
    let another = login::switch_warning(context.environment, &switched, in_effect.as_ref());
    let warnings: Vec<&String> = switched.warnings.iter().chain(&another).collect();
    for warning in &warnings {
        output.warning(warning);
    }
    if output.is_json() {
        let name = redacted(&switched.name);
        output.object(&json!({ "name": name, "warnings": warnings, "error": null }));
    } else {
        let mut page = output.page();
        page.paragraph(&login::switched(&switched, in_effect.as_ref()));
        output.show(&page);
    }
    Ok(Code::Success)
}
