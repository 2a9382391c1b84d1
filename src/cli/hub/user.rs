//! `hubtoken hub user`: accounts.

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::admin_client::DataArgs;
use super::password_prompt;
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;

/// What the verb takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub user create alice --fullname 'Alice Doe' --email alice@example.org
  hubtoken hub user list
  hubtoken hub user password alice
  hubtoken hub user password alice --password-stdin < password.txt")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a user
    // A password would be seen in the arguments; a Hub of one's own knows users by their tokens.
    Create {
        /// The user's name
        name: String,
        /// The name for people
        #[arg(long, value_name = "NAME")]
        fullname: Option<String>,
        /// The e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Give a user another password, with which they sign in
    Password {
        /// The user's name
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        place: DataArgs,
    },
    /// List the users
    List {
        #[command(flatten)]
        place: DataArgs,
    },
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub's own, or that none runs.
pub fn run(
    arguments: Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Command::Create {
            name,
            fullname,
            email,
            place,
        } => run_admin(&place, context, output, |admin| {
            let body = json!({ "name": name, "fullname": fullname, "email": email });
            let user = admin.ask(Method::POST, &["users"], Some(&body))?;
            Ok(Reply::Done {
                field: "user",
                value: renamed(user),
                sentence: format!("user {name} is created"),
            })
        }),
        Command::Password {
            name,
            password_stdin,
            place,
        } => run_admin(&place, context, output, |admin| {
            let password = password_prompt::password(password_stdin, context, output)?;
            let body = json!({ "password": *password });
            admin.ask(Method::PUT, &["users", &name, "password"], Some(&body))?;
            Ok(Reply::Done {
                field: "changed",
                value: json!(name),
                sentence: format!("user {name} has a new password"),
            })
        }),
        Command::List { place } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "users",
                items: admin.get(&["users"])?,
                columns: &["name", "full_name", "email", "created_at"],
            })
        }),
    }
}
