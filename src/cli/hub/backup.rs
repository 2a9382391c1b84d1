//! `hubtoken hub backup` and `restore`: save a Hub to one file, and restore it from one.

use std::path::PathBuf;

use serde_json::json;

use super::admin_client::DataArgs;
use super::data_args::folder;
use super::rendering::done;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;
use crate::hub::{self, Backup, HubError};

/// Arguments of `backup`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub backup --data /srv/hub /backup           in a folder: hub-<time>.tar
  hubtoken hub backup --data /srv/hub /backup/hub.tar

The Hub may be running and in use. The file contains users, digests of tokens, hashes of passwords
and all repositories, so protect it like the data folder; its mode is 0600. It does not contain the
admin key.")]
pub struct BackupArguments {
    /// The file to write, which must not exist; or a folder, where the file is named after the time
    target: PathBuf,
    #[command(flatten)]
    place: DataArgs,
}

/// Arguments of `restore`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub restore --data /srv/hub /backup/hub.tar

The data folder must be empty or not exist. Everything is checked first: each file against its
digest, the database, and that each repository has every object that its branches and tags need.
Tokens and passwords work as before; the next start creates a new admin key.")]
pub struct RestoreArguments {
    /// The file that `hubtoken hub backup` wrote
    archive: PathBuf,
    #[command(flatten)]
    place: DataArgs,
}

/// Makes a backup.
///
/// # Errors
///
/// The folder contains no Hub, or a file cannot be read or written.
pub fn backup(
    arguments: &BackupArguments,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let data = folder(&arguments.place, context)?;
    let target = from_here(&arguments.target, context);
    let made = hub::backup(&data, &target, context.now).map_err(|error| failed(&error))?;
    show(output, "backup", &made, "is backed up in");
    Ok(Code::Success)
}

/// Restores a backup.
///
/// # Errors
///
/// The file is not a complete backup, or the folder is not empty.
pub fn restore(
    arguments: &RestoreArguments,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let data = folder(&arguments.place, context)?;
    let archive = from_here(&arguments.archive, context);
    let made = hub::restore(&archive, &data).map_err(|error| failed(&error))?;
    show(output, "restored", &made, "is restored to");
    Ok(Code::Success)
}

fn from_here(path: &std::path::Path, context: &Context<'_>) -> PathBuf {
    match &context.folder {
        Some(folder) => folder.join(path),
        None => path.to_owned(),
    }
}

fn show(output: &Output<'_, '_>, field: &str, made: &Backup, verb: &str) {
    let path = made.path.display().to_string();
    let sentence = format!(
        "the Hub with its {} repositories ({} bytes) {verb} {path}",
        made.repositories, made.bytes
    );
    let value = json!({ "path": path, "bytes": made.bytes, "repositories": made.repositories });
    done(output, field, value, &sentence);
}

fn failed(error: &HubError) -> Failure {
    Error::hub(error.to_string()).into()
}
