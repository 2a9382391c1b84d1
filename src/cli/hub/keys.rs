//! `hubtoken hub keys`: lists the keys that sign the tokens of logins, or makes a new one.

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
  hubtoken hub keys
  hubtoken hub keys --rotate
  hubtoken hub keys --rotate --withdraw      the file of the keys may have been read

The first key signs, and is replaced by itself after 90 days. The others are served at /oauth/jwks
until the tokens that they signed have ended. The Hub itself accepts a token whatever key signed it, as
long as its login lasts.")]
pub struct Args {
    /// Make a new key now
    #[arg(long)]
    rotate: bool,
    /// Stop serving the earlier keys at once: programs that verify tokens reject those that they signed
    #[arg(long, requires = "rotate")]
    withdraw: bool,
    #[command(flatten)]
    place: DataArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub reports an error, or no Hub is running.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    run_admin(&arguments.place, context, output, |admin| {
        if !arguments.rotate {
            return Ok(Reply::List {
                field: "keys",
                items: admin.get(&["signing-keys"])?,
                columns: &["id", "created_at", "signs_until", "served_until"],
            });
        }
        let body = json!({ "withdraw": arguments.withdraw });
        let key = admin.ask(Method::POST, &["signing-keys", "rotate"], Some(&body))?;
        let id = key["id"].as_str().unwrap_or_default();
        let earlier = if arguments.withdraw {
            "the earlier keys are served no longer"
        } else {
            "the earlier keys are served until their tokens have ended"
        };
        Ok(Reply::Done {
            field: "rotated",
            sentence: format!("the Hub signs with the key {id} now; {earlier}"),
            value: renamed(key),
        })
    })
}
