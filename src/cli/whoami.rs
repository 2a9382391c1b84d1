//! `hubtoken whoami`: the user and the role, and no more.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::arguments::{Wait, Which};
use super::failure::Failure;
use super::identity::{identity_json, role_name, token_json};
use super::output::Output;
use super::session::{self, Session};
use super::{Code, World};
use crate::require::stale_warning;

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken whoami                            alice (write)
  hubtoken whoami --json | jq -r .identity.user

Exit codes: 0 the token is good; 1 no token, or the Hub rejects it; 2 the configuration makes no
sense; 3 the Hub could not be asked.")]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    wait: Wait,
}

/// Runs the verb.
///
/// # Errors
///
/// No token, or no answer.
pub fn run(arguments: &Arguments, world: &World<'_>, output: &Output<'_, '_>) -> Result<Code, Failure> {
    let session = Session::open(world, &arguments.which)?;
    for warning in &session.warnings {
        output.warning(warning);
    }
    let options = session::options(Some(Duration::ZERO), arguments.wait.timeout);
    let known = session.identify(&options)?;
    let stale = stale_warning(&session.credential, &known);
    if output.is_json() {
        let warnings: Vec<_> = session.warnings.into_iter().chain(stale).collect();
        output.object(&json!({
            "endpoint": session.credential.endpoint.as_str(),
            "token": token_json(&session.credential),
            "identity": identity_json(&known.identity),
            "warnings": warnings,
            "error": null,
        }));
    } else {
        if let Some(warning) = stale {
            output.warning(&warning);
        }
        let mut page = output.page();
        page.paragraph(&format!("{} ({})", known.identity.user, role_name(&known.identity)));
        output.show(&page);
    }
    Ok(Code::Success)
}
