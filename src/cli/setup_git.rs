//! `hubtoken setup-git`: makes git get the Hub's password from hubtoken.

use serde_json::json;

use super::args::{endpoint_or_ambient, endpoint_to_undo};
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::git::helper_command;
use crate::git::setup::{self, Git, Scope};
use crate::resolve::in_effect::InEffect;
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken setup-git                 for huggingface.co, or where HF_ENDPOINT points
  hubtoken setup-git --local         for the repository in this folder alone
  hubtoken setup-git --undo

git then uses the token of the folder that it runs in, or of the user in the URL, for that Hub alone.
Its other helpers are disabled for that Hub; nothing changes for other hosts. Running it again
changes nothing.

Exit codes: 0 done, or nothing to do; 1 git or the program for it to run is missing, or git cannot
write its configuration; 2 wrong usage.")]
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
    let named = arguments.endpoint.as_deref();
    let endpoint = if arguments.undo {
        endpoint_to_undo(named, context.environment)?
    } else {
        endpoint_or_ambient(named, context.environment)?
    };
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
    // Undoing needs no program: it may be what was uninstalled.
    let helper = (!arguments.undo)
        .then(|| helper_command::helper(context.program.as_deref(), context.environment))
        .transpose()
        .map_err(Failure::Git)?;
    let changed = match &helper {
        None => git.undo(&key),
        Some(helper) => git.set_up(&key, helper),
    }
    .map_err(Failure::Git)?;
    let warnings: Vec<String> = match &helper {
        None => elsewhere(&git, &endpoint),
        Some(_) => missing_token(context, &endpoint).into_iter().collect(),
    };
    let scope = git.scope.name();
    if output.is_json() {
        output.object(&json!({
            "endpoint": endpoint.as_str(),
            "scope": scope,
            "key": key,
            "helper": helper,
            "changed": changed,
            "warnings": warnings,
            "error": null,
        }));
        return Ok(Code::Success);
    }
    for warning in &warnings {
        output.warning(warning);
    }
    let mut page = output.page();
    page.paragraph(&match (helper, changed) {
        (Some(helper), true) => format!(
            "git now asks hubtoken for {endpoint}. Written to its {scope} configuration: {key} = \
             {helper}, after an empty value that leaves other helpers aside for this Hub alone. \
             `hubtoken setup-git --undo` takes both back"
        ),
        (Some(_), false) => {
            format!("git already asks hubtoken for {endpoint}; nothing was changed")
        }
        (None, true) => format!(
            "git no longer asks hubtoken for {endpoint}: {key} was removed from its {scope} \
             configuration"
        ),
        (None, false) => format!(
            "git's {scope} configuration has no entry of hubtoken's for {endpoint}; nothing was \
             changed"
        ),
    });
    output.show(&page);
    Ok(Code::Success)
}

/// Says that git gets no token for a Hub, and how to change that.
fn missing_token(context: &Context<'_>, endpoint: &Endpoint) -> Option<String> {
    match has_token(context, endpoint) {
        Ok(HubToken::InUse) => None,
        Ok(HubToken::Disabled) => Some(format!(
            "{} is set, so git gets no token of {endpoint}: unset it where git runs",
            env::HF_HUB_DISABLE_IMPLICIT_TOKEN
        )),
        Ok(HubToken::Stored(name)) => Some(format!(
            "no token of {endpoint} is in use in this folder, so git gets one only where a folder \
             or the user in the URL selects it: run `hubtoken use {}` in the repository, or put \
             the user before the host",
            redacted(&name)
        )),
        Ok(HubToken::Missing) => Some(format!(
            "there is no token of {endpoint} on this machine, so git gets no password for it. Store \
             one with `hubtoken login --endpoint {endpoint}`"
        )),
        Err(error) => Some(format!(
            "whether there is a token of {endpoint} cannot be said: {}",
            Failure::from(error).message()
        )),
    }
}

/// Which token a Hub has on this machine.
enum HubToken {
    /// The folder's, or one that was not asked for.
    InUse,
    /// Not the folder's: the stored token of this name.
    Stored(String),
    /// None is used unless a program asks for one, and git's helper does not.
    Disabled,
    Missing,
}

fn has_token(context: &Context<'_>, endpoint: &Endpoint) -> Result<HubToken, Error> {
    match token_context::in_effect(context)? {
        InEffect::Disabled => return Ok(HubToken::Disabled),
        InEffect::Token(credential) if credential.endpoint.owns(endpoint.as_str()) => {
            return Ok(HubToken::InUse);
        }
        // What it belongs to is known only when it is asked, which may want a key to be touched.
        InEffect::Unasked(_) => return Ok(HubToken::InUse),
        InEffect::Token(_) | InEffect::Nothing => {}
    }
    for entry in token_context::token_store(context)?.list()? {
        let entry = entry?;
        if entry.token.is_ok() && entry.endpoint.owns(endpoint.as_str()) {
            return Ok(HubToken::Stored(entry.name));
        }
    }
    Ok(HubToken::Missing)
}

/// Our helpers for a Hub that are left after an undo, in files that it does not change.
fn elsewhere(git: &Git<'_>, endpoint: &Endpoint) -> Vec<String> {
    let helpers = git.configured_helpers().unwrap_or_default();
    helpers
        .iter()
        .filter(|helper| helper.url.as_deref() == Some(endpoint.as_str()))
        .map(|helper| {
            redacted(&format!(
                "git still asks hubtoken for {endpoint}, because of {}: remove {} from it",
                helper.origin, helper.value
            ))
        })
        .collect()
}
