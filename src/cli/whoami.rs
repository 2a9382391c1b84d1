//! `hubtoken whoami`: shows the user and the role, and nothing else.

use serde_json::json;

use super::args::{TimeoutArgs, TokenArgs};
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::{identity_json, role_name, token_json};
use super::output::Output;
use super::token_context::{self, Session};

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken whoami                            alice (write)
  hubtoken whoami --json | jq -r .identity.user

Exit codes: 0 the token is valid; 1 no token, or the Hub rejects it; 2 the configuration is invalid;
3 the Hub could not be reached.")]
pub struct Args {
    #[command(flatten)]
    which: TokenArgs,
    #[command(flatten)]
    wait: TimeoutArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// No token, or no answer from the Hub.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let session = Session::open(context, &arguments.which)?;
    for warning in &session.warnings {
        output.warning(warning);
    }
    let identity = session
        .identify(&token_context::fresh(arguments.wait.timeout))?
        .identity;
    if output.is_json() {
        output.object(&json!({
            "endpoint": session.credential.endpoint.as_str(),
            "token": token_json(&session.credential),
            "identity": identity_json(&identity),
            "warnings": session.warnings,
            "error": null,
        }));
    } else {
        let mut page = output.page();
        page.paragraph(&format!("{} ({})", identity.user, role_name(&identity)));
        output.show(&page);
    }
    Ok(Code::Success)
}
