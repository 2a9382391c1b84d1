//! `hubtoken hub init`: creates a data folder with its first administrator.

use serde_json::json;

use super::admin_client::DataArgs;
use super::data_args::folder;
use super::password_prompt;
use super::rendering::done;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;
use crate::hub::{Hub, HubError, HubOptions, Secret};

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub init --data /srv/hub --admin alice
  hubtoken hub init --data /srv/hub --admin alice --password-stdin < password.txt

There is no default password. The one that is typed is not shown, and must have 12 characters or
more. The folder is created if it does not exist; no Hub may be running in it. This works only once:
a Hub that has an administrator is not changed.

Exit codes: 0 done; 1 the Hub has an administrator, or is running, or its folder cannot be used; 2
wrong usage, a weak password, or a name that is not valid.")]
pub struct Args {
    /// The first administrator's name; an existing user of that name becomes the administrator
    #[arg(long, value_name = "NAME")]
    admin: String,
    /// The display name
    #[arg(long, value_name = "NAME")]
    fullname: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: DataArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// The folder cannot be used, the password is weak, or an administrator already exists.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let data = folder(&arguments.place, context)?;
    let password = password_prompt::password(arguments.password_stdin, context, output)?;
    let name = &arguments.admin;
    // A Hub that runs only briefly and is not announced: it can create a folder and a user.
    let hub = Hub::start(&HubOptions {
        data: Some(data.clone()),
        ..HubOptions::default()
    })
    .map_err(failed)?;
    let made = hub.create_first_administrator(
        name,
        arguments.fullname.as_deref().unwrap_or(name),
        arguments.email.as_deref(),
        Secret::new(password.to_string()),
    );
    hub.stop();
    let user = made.map_err(failed)?;
    let path = data.display().to_string();
    let sentence = format!("{} administers the Hub in {path}", user.name);
    done(
        output,
        "initialized",
        json!({ "data": path, "administrator": user.name }),
        &sentence,
    );
    Ok(Code::Success)
}

fn failed(error: HubError) -> Failure {
    match error {
        HubError::WeakPassword { .. } | HubError::InvalidName { .. } => {
            Failure::Usage(error.to_string())
        }
        error => Error::hub(error.to_string()).into(),
    }
}
