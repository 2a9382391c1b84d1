//! `hubtoken use`: a stored token for one folder.
//!
//! One token per app: the folder's own configuration names the token, so that its programs use it
//! and no other folder's do.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::error::Error;
use crate::paths;
use crate::printable::{printable, printable_path};
use crate::resolve::pin::pin;
use crate::resolve::placed::shadow_warning;
use crate::resolve::{Argument, Inputs, Request};
use crate::store::machine::foreign_warning;

/// What the verb takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken use ci          programs in this folder, and below it, use the stored token `ci`
  hubtoken use --undo      they use what everybody uses

It writes profile = \"ci\" into the folder's hubtoken.toml, or into its pyproject.toml if that has
a [tool.hubtoken] table. Nothing outside the folder changes; `hubtoken switch` is for that.
`huggingface_hub` itself does not read it: `hubtoken run -- COMMAND` and activate() hand it the token.

Exit codes: 0 done; 1 no token of this name; 2 a configuration that makes no sense, or a file that
cannot be written.")]
pub struct Args {
    /// The stored token
    #[arg(required_unless_present = "undo", conflicts_with = "undo")]
    name: Option<String>,
    /// Take the folder's own choice back
    #[arg(long)]
    undo: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// No such token, or a file that is broken or cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let Some(folder) = context.folder.as_deref() else {
        return Err(
            Error::Store("the working directory is gone, or cannot be told".to_owned()).into(),
        );
    };
    let mut warnings = Vec::new();
    if let Some(name) = &arguments.name {
        // Before anything is written: it is stored, and it is a token.
        let found = context.resolver.resolve(
            &Request {
                argument: Argument::Ambient,
                endpoint: None,
                profile: Some(name),
            },
            &Inputs::read(context.environment, None),
        )?;
        let credential = found.credential;
        warnings.extend(credential.and_then(|found| foreign_warning(&found.token, name)));
    }
    let pinned = pin(
        folder,
        arguments.name.as_deref(),
        &token_context::trust(context)?,
    )?;
    if arguments.name.is_some() {
        let effect = "goes before what a folder names";
        warnings.extend(shadow_warning(context.environment, effect, ""));
    }
    if let Some(hidden) = &pinned.hides {
        warnings.push(format!(
            "{} no longer counts here: the nearest file does, as a whole",
            printable_path(hidden)
        ));
    }
    if let Some(objection) = &pinned.objection {
        warnings.push(format!(
            "{} was written, and does not count yet: {objection}. Take away that right, or list \
             the folder in HUBTOKEN_SAFE_DIRECTORIES, or in safe_directories of your own \
             configuration",
            printable_path(&pinned.file)
        ));
    }
    for warning in &warnings {
        output.warning(warning);
    }
    if output.is_json() {
        output.object(&json!({
            "file": pinned.file,
            "profile": arguments.name,
            "changed": pinned.changed,
            "warnings": warnings,
            "error": null,
        }));
    } else {
        let home = paths::home(context.environment);
        let file = paths::display(&pinned.file, home.as_deref());
        let mut page = output.page();
        page.paragraph(&printable(&match (&arguments.name, pinned.changed) {
            (Some(name), true) if pinned.objection.is_some() => {
                format!("`{name}` is the token that {file} names")
            }
            (Some(name), true) => format!("`{name}` is the token of this folder: {file}"),
            (Some(name), false) => format!("`{name}` is the token of this folder already: {file}"),
            (None, true) => format!("this folder has no token of its own any more: {file}"),
            (None, false) => "this folder has no token of its own".to_owned(),
        }));
        output.show(&page);
    }
    Ok(Code::Success)
}
