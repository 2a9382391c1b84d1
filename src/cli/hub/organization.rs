//! `hubtoken hub organization`: organizations.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::admin::Where;
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::cli::exit_code::Code;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::world::World;

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken hub organization create acme
  hubtoken hub member set acme alice write")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Create an organization
    Create {
        /// Its name
        name: String,
        /// The name for people
        #[arg(long, value_name = "NAME")]
        fullname: Option<String>,
        #[command(flatten)]
        place: Where,
    },
    /// List the organizations
    List {
        #[command(flatten)]
        place: Where,
    },
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub's own, or that none runs.
pub fn run(
    arguments: Arguments,
    world: &World<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Verb::Create {
            name,
            fullname,
            place,
        } => run_admin(&place, world, output, |admin| {
            let body = json!({ "name": name, "fullname": fullname });
            let made = admin.ask(Method::POST, &["organizations"], Some(&body))?;
            Ok(Reply::Done {
                field: "organization",
                value: renamed(made),
                sentence: format!("organization {name} is created"),
            })
        }),
        Verb::List { place } => run_admin(&place, world, output, |admin| {
            Ok(Reply::List {
                field: "organizations",
                items: admin.get(&["organizations"])?,
                columns: &["name", "full_name", "created_at"],
            })
        }),
    }
}
