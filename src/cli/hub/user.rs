//! `hubtoken hub user`: creates and lists accounts, and sets their passwords.

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

/// The verb's arguments.
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
    // No password option: it would be visible in the arguments, and a private Hub identifies users
    // by their tokens.
    Create {
        /// The user's name
        name: String,
        /// The display name
        #[arg(long, value_name = "NAME")]
        fullname: Option<String>,
        /// The e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Set the password with which a user signs in
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
            email,
            place,
        } => run_admin(&place, context, output, |admin| {
            let body = json!({ "name": name, "fullname": fullname, "email": email });
            let user = admin.ask(Method::POST, &["users"], Some(&body))?;
            Ok(Reply::Done {
                field: "user",
                value: renamed(user),
                sentence: format!("user {name} was created"),
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
