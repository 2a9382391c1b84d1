//! `hubtoken explain`: which source has the token, which others it hides, and which are broken.

use serde_json::json;

use super::args::TokenArgs;
use super::context::Context;
use super::error::{Failure, trace_json};
use super::exit_code::Code;
use super::output::Output;
use super::token_context;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken explain
  hubtoken explain --json | jq -r '.trace[] | select(.answer == \"shadowed\") | .source'

No request is sent. Exit codes: 0 a token was found; 1 no source has one; 2 the configuration
is invalid.")]
pub struct Args {
    #[command(flatten)]
    which: TokenArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// A source that was requested by name is broken.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let trace = token_context::explain(context, &arguments.which)?;
    let found = trace.found();
    let endpoint = trace.endpoint.as_deref();
    if output.is_json() {
        output.object(&json!({
            "endpoint": endpoint,
            "token": found.map(|step| json!({ "mask": step.mask, "source": step.source })),
            "trace": trace_json(&trace),
            "error": null,
        }));
    } else {
        let mut page = output.page();
        page.paragraph(&match (found, endpoint) {
            (Some(step), Some(endpoint)) => format!(
                "{} from {}, for {endpoint}",
                step.mask.as_deref().unwrap_or("a token"),
                step.source
            ),
            _ => "no token. Set HF_TOKEN, or log in with `hubtoken login`".to_owned(),
        });
        page.trace(&trace);
        output.show(&page);
    }
    Ok(if found.is_some() {
        Code::Success
    } else {
        Code::Refused
    })
}
