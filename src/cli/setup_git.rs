//! `hubtoken setup-git`: makes git get the Hub's password from hubtoken.

use serde_json::json;

use super::args::endpoint_or_ambient;
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use crate::git::setup::{self, Git, Scope};

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken setup-git                 for huggingface.co, or where HF_ENDPOINT points
  hubtoken setup-git --local         for the repository in this folder alone
  hubtoken setup-git --undo

git then uses the token of the folder that it runs in, for that Hub alone. Its other helpers are
disabled for that Hub; nothing changes for other hosts. Running it again changes nothing.

Exit codes: 0 done, or nothing to do; 1 git is missing, or cannot write its configuration; 2 wrong
usage.")]
pub struct Args {
    /// The Hub to set up, if not the public one or that of `HF_ENDPOINT`
    // A string: clap would repeat a value that it cannot parse, and it may contain a password.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Write to the user's configuration, which is the default
    #[arg(long, conflicts_with = "local")]
    global: bool,
    /// Write to the configuration of the repository in this folder
    #[arg(long)]
    local: bool,
    /// Remove what this verb has written, and nothing else
    #[arg(long)]
    undo: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// git is missing or fails.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let endpoint = endpoint_or_ambient(arguments.endpoint.as_deref(), context.environment)?;
    let git = Git {
        environment: context.environment,
        folder: context.folder.as_deref(),
        scope: if arguments.local {
            Scope::Local
        } else {
            Scope::Global
        },
    };
    let key = setup::key(&endpoint);
    let helper = setup::helper(context.program.as_deref()).map_err(Failure::Git)?;
    let changed = if arguments.undo {
        git.undo(&key)
    } else {
        git.set_up(&key, &helper)
    }
    .map_err(Failure::Git)?;
    let scope = git.scope.name();
    if output.is_json() {
        output.object(&json!({
            "endpoint": endpoint.as_str(),
            "scope": scope,
            "key": key,
            "helper": (!arguments.undo).then_some(helper),
            "changed": changed,
            "error": null,
        }));
        return Ok(Code::Success);
    }
    let mut page = output.page();
    page.paragraph(&match (arguments.undo, changed) {
        (false, true) => format!(
            "git now asks hubtoken for {endpoint}. Written to its {scope} configuration: {key} = \
             {helper}, after an empty value that leaves other helpers aside for this Hub alone. \
             `hubtoken setup-git --undo` takes both back"
        ),
        (false, false) => format!("git already asks hubtoken for {endpoint}; nothing was changed"),
        (true, true) => format!(
            "git no longer asks hubtoken for {endpoint}: {key} was removed from its {scope} \
             configuration"
        ),
        (true, false) => format!(
            "git's {scope} configuration has no entry of hubtoken's for {endpoint}; nothing was \
             changed"
        ),
    });
    output.show(&page);
    Ok(Code::Success)
}
