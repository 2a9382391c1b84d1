//! `hubtoken logout`: removes stored tokens from this machine.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::stored::Stored;
use super::token_context;
use crate::git::own_helpers;
use crate::identity::Settings;
use crate::sanitize::redacted;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken logout                            the active token
  hubtoken logout ci
  hubtoken logout --all

A value that is also stored under another name stays there, and stays the active token if it is.
The token stays valid on the Hub: delete it there as well if it may have leaked. The answer says
which token is used now: another stored one, that of a variable, a command or a notebook's vault. A
copy that --add-to-git-credential gave to git's own helper is taken back. Exit codes:
0 it was removed, or --all found none; 1 no token of this name, or no active one; 2 files that cannot
be read or written.")]
pub struct Args {
    /// The stored token [default: the active one]
    name: Option<String>,
    /// Remove all stored tokens and the active one
    #[arg(long, conflicts_with_all = ["name", "token_name"])]
    all: bool,
    /// The name, as an option of `hf auth logout`
    #[arg(long, hide = true, value_name = "NAME", conflicts_with = "name")]
    token_name: Option<String>,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let token_store = token_context::token_store(context)?;
    let name = arguments.name.as_ref().or(arguments.token_name.as_ref());
    let mut removed = match name {
        _ if arguments.all => token_store.remove_all()?,
        Some(name) => token_store.remove(name)?,
        None => token_store.remove_active()?,
    };
    let shadow = token_context::shadow(context, "is still used", " to be without a token");
    removed.warnings.extend(shadow);
    let settings = Settings::read(context.environment);
    let client = context.client();
    for digest in &removed.tokens {
        client.invalidate_shared(&settings, *digest);
    }
    let kept = own_helpers::take_back(context.environment, &removed.in_git);
    removed.warnings.extend(kept);
    for warning in &removed.warnings {
        output.warning(warning);
    }
    let done = removed.active || !removed.names.is_empty();
    // The change is made: what cannot be read now does not undo it.
    let stored = Stored::read(context, &client);
    let now = match &stored {
        Ok(stored) => stored.after_logout(context, removed.active),
        Err(error) => format!("which token is used here now cannot be told: {error}"),
    };
    if output.is_json() {
        output.object(&json!({
            "names": removed.names.iter().map(|name| redacted(name)).collect::<Vec<_>>(),
            "active": removed.active,
            "also_stored_as": removed.also_stored_as.iter().map(|name| redacted(name)).collect::<Vec<_>>(),
            "token": stored.as_ref().map(Stored::in_effect_json).unwrap_or_default(),
            "note": now,
            "warnings": removed.warnings,
            "error": null,
        }));
    } else {
        let mut page = output.page();
        page.paragraph(&match removed.names.as_slice() {
            [] if done => {
                "the active token, which had no name, was removed from this machine".to_owned()
            }
            [] => "there was nothing to log out".to_owned(),
            names => redacted(&format!("removed from this machine: {}", names.join(", "))),
        });
        if !removed.also_stored_as.is_empty() {
            page.paragraph(&redacted(&format!(
                "the same token is still stored as: {}",
                removed.also_stored_as.join(", ")
            )));
        }
        page.paragraph(&now);
        output.show(&page);
    }
    Ok(if done || arguments.all {
        Code::Success
    } else {
        Code::Refused
    })
}
