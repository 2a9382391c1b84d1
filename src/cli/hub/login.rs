//! `hubtoken hub login`: approves and denies the logins of programs, lists and ends them.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::admin_client::DataArgs;
use super::rendering::Reply;
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub login approve BCDF-GHJK --user alice
  hubtoken hub login list alice
  hubtoken hub login end alice 6568a1b2c3d4e5f601234567

A program that logs in shows a code and waits. A user decides about it on the page that the program
names; this decides about it in the user's place.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Log in the program that shows a code
    Approve {
        /// The code that the program shows
        code: String,
        /// The user in whose name it acts
        #[arg(long, value_name = "USER")]
        user: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Refuse the program that shows a code
    Deny {
        /// The code that the program shows
        code: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// List a user's logins, newest first
    List {
        /// The user
        user: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// End a login: its access and refresh tokens stop working at once
    End {
        /// The user
        user: String,
        /// The id of the login, which `list` shows
        id: String,
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
        Command::Approve { code, user, place } => run_admin(&place, context, output, |admin| {
            let body = json!({ "userCode": code, "user": user });
            let approved = admin.ask(Method::POST, &["logins", "approve"], Some(&body))?;
            let client = approved["client"]
                .as_str()
                .unwrap_or("A program")
                .to_owned();
            Ok(Reply::Done {
                field: "approved",
                value: json!({ "user": user, "client": client }),
                sentence: format!("{client} is logged in as {user}"),
            })
        }),
        Command::Deny { code, place } => run_admin(&place, context, output, |admin| {
            let body = json!({ "userCode": code });
            let denied = admin.ask(Method::POST, &["logins", "deny"], Some(&body))?;
            let client = denied["client"].as_str().unwrap_or("A program").to_owned();
            Ok(Reply::Done {
                field: "denied",
                value: json!({ "client": client }),
                sentence: format!("{client} is not logged in"),
            })
        }),
        Command::List { user, place } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "logins",
                items: admin.get(&["users", &user, "logins"])?,
                columns: &["id", "client", "created_at", "last_used_at", "expires_at"],
            })
        }),
        Command::End { user, id, place } => run_admin(&place, context, output, |admin| {
            admin.ask(Method::DELETE, &["users", &user, "logins", &id], None)?;
            Ok(Reply::Done {
                field: "ended",
                value: json!({ "user": user, "id": id }),
                sentence: format!("the login {id} of {user} has ended"),
            })
        }),
    }
}
