//! `hubtoken hub organization`: creates and lists organizations.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::admin_client::DataArgs;
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub organization create acme
  hubtoken hub member set acme alice write")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create an organization
    Create {
        /// Its name
        name: String,
        /// The display name
        #[arg(long, value_name = "NAME")]
        fullname: Option<String>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// List the organizations
    List {
        #[command(flatten)]
        place: DataArgs,
    },
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub reports an error, or no Hub is running.
pub fn run(
    arguments: Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Command::Create {
            name,
            fullname,
            place,
        } => run_admin(&place, context, output, |admin| {
            let body = json!({ "name": name, "fullname": fullname });
            let made = admin.ask(Method::POST, &["organizations"], Some(&body))?;
            Ok(Reply::Done {
                field: "organization",
                value: renamed(made),
                sentence: format!("organization {name} was created"),
            })
        }),
        Command::List { place } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "organizations",
                items: admin.get(&["organizations"])?,
                columns: &["name", "full_name", "created_at"],
            })
        }),
    }
}
