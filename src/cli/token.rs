//! `hubtoken token`: prints the value, for `$(…)`.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::args::TokenArgs;
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::token_json;
use super::output::Output;
use super::token_context::Session;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  HF_TOKEN=$(hubtoken token --profile ci) ./job

On a terminal, and with --json, the value is masked unless --reveal is given. No request is sent,
except to renew the OAuth token of a login that is about to expire.
The token is found also if HF_HUB_DISABLE_IMPLICIT_TOKEN is set.
Exit codes: 0 a token was found; 1 no source has one; 2 the configuration is invalid.")]
pub struct Args {
    #[command(flatten)]
    which: TokenArgs,
    /// Show the value even on a terminal, and in JSON
    #[arg(long)]
    reveal: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// No token.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let session = Session::open_explicitly(context, &arguments.which)?;
    for warning in &session.warnings {
        output.warning(warning);
    }
    let token = &session.credential.token;
    if output.is_json() {
        let value = if arguments.reveal {
            token.expose().into()
        } else {
            Value::Null
        };
        output.object(&json!({
            "endpoint": session.credential.endpoint.as_str(),
            "token": token_json(&session.credential),
            "value": value,
            "warnings": session.warnings,
            "error": null,
        }));
    } else if context.stdout.is_terminal && !arguments.reveal {
        let mut page = output.page();
        page.paragraph(&token.mask());
        output.show(&page);
        output.note("masked, since this is a terminal; --reveal shows the value");
    } else {
        output.raw(&Zeroizing::new(format!("{}\n", token.expose())));
    }
    Ok(Code::Success)
}
