//! `hubtoken use`: selects a stored token for one folder.
//!
//! This gives each application its own token: the folder's configuration names the token, so that
//! only programs in that folder use it.

use serde_json::json;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::error::Error;
use crate::paths;
use crate::resolve::pin::pin;
use crate::resolve::placed::shadow_warning;
use crate::resolve::{Argument, Inputs, Request};
use crate::sanitize::{redacted, redacted_path};
use crate::store::token_store::foreign_warning;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken use ci          programs in this folder, and below it, use the stored token `ci`
  hubtoken use --undo      they use the default token again

It writes profile = \"ci\" to the folder's hubtoken.toml, or to its pyproject.toml if that has
a [tool.hubtoken] table. Nothing outside the folder changes; `hubtoken switch` is for that.
`huggingface_hub` does not read it itself: `hubtoken run -- COMMAND` and activate() pass the token.

Exit codes: 0 done, or with --undo nothing to undo; 1 no token of this name; 2 an invalid
configuration, or files that cannot be read or written.")]
pub struct Args {
    /// The stored token
    #[arg(required_unless_present = "undo", conflicts_with = "undo")]
    name: Option<String>,
    /// Remove the folder's choice
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
            Error::Store("the working directory is gone, or cannot be read".to_owned()).into(),
        );
    };
    let mut warnings = Vec::new();
    if let Some(name) = &arguments.name {
        // Before anything is written, checks that the token is stored and valid.
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
        let effect = "takes precedence over the token that a folder names";
        warnings.extend(shadow_warning(context.environment, effect, ""));
    }
    if let Some(hidden) = &pinned.shadows {
        warnings.push(format!(
            "{} no longer applies here: of the project's files, only the nearest does",
            redacted_path(hidden)
        ));
    }
    if let Some(objection) = &pinned.objection {
        warnings.push(format!(
            "{} was written, and does not count yet: {objection}. Take away that right, or list \
             the folder in HUBTOKEN_SAFE_DIRECTORIES, or in safe_directories of your own \
             configuration",
            redacted_path(&pinned.file)
        ));
    }
    for warning in &warnings {
        output.warning(warning);
    }
    let note = arguments.name.as_ref().map(|_| {
        "`huggingface_hub` does not read this file: it and everything above it use the token of \
         this folder in programs that `hubtoken run -- COMMAND` starts, and after activate() in \
         Python"
    });
    if output.is_json() {
        output.object(&json!({
            "file": pinned.file,
            "profile": arguments.name,
            "changed": pinned.changed,
            "note": note,
            "warnings": warnings,
            "error": null,
        }));
    } else {
        let home = paths::home(context.environment);
        let file = paths::display(&pinned.file, home.as_deref());
        let mut page = output.page();
        page.paragraph(&redacted(&match (&arguments.name, pinned.changed) {
            (Some(name), true) if pinned.objection.is_some() => {
                format!("`{name}` is the token that {file} names")
            }
            (Some(name), true) => format!("`{name}` is the token of this folder: {file}"),
            (Some(name), false) => format!("`{name}` is already the token of this folder: {file}"),
            (None, true) => format!("this folder no longer names a token: {file}"),
            (None, false) => "this folder does not name a token".to_owned(),
        }));
        if let Some(note) = note {
            page.paragraph(note);
        }
        output.show(&page);
    }
    Ok(Code::Success)
}
