//! `hubtoken hub`: runs an embedded Hub, and administers a running one.
//!
//! `serve` is the Hub itself; `init`, `backup` and `restore` work on its data folder. `wait` and the
//! other verbs send requests to it like any other program: over HTTP, with the admin key from its data
//! folder. They therefore work while it serves, and see the same state.

mod admin_client;
mod approval;
mod audit;
mod backup;
mod data_args;
mod init;
mod interruptible;
mod keys;
mod login;
mod member;
mod organization;
mod password_prompt;
mod policy;
mod publisher;
mod rendering;
mod repository;
mod run_admin;
mod serve;
mod token;
mod upstreams;
mod user;
mod wait;

use clap::Subcommand;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub serve --data ./hub            in one terminal; in another:
  export HUBTOKEN_HUB_DATA=./hub
  hubtoken hub user create alice
  export HF_TOKEN=$(hubtoken hub token create alice --name laptop --role write)
  hubtoken hub token list alice")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a Hub in the foreground
    // Boxed, since its many options would make every verb as large.
    Serve(Box<serve::Args>),
    /// Wait until a Hub that was started in the background accepts requests
    Wait(wait::Args),
    /// Create a data folder with its first administrator
    Init(init::Args),
    /// Back up a Hub, which may be running
    Backup(backup::BackupArguments),
    /// Create a data folder from a backup
    Restore(backup::RestoreArguments),
    /// Create, list, rename, refresh and delete access tokens
    Token(token::Args),
    /// Approve and deny the logins of programs, list and end them
    Login(login::Args),
    /// List the keys that sign the tokens of logins, or make a new one
    Keys(keys::Args),
    /// Create and list users
    User(user::Args),
    /// Create and list organizations
    Organization(organization::Args),
    /// Set, list and remove the members of an organization
    Member(member::Args),
    /// Create, list and delete repositories
    Repository(repository::Args),
    /// Let jobs of a CI provider exchange their id tokens, without a stored secret
    Publisher(publisher::Args),
    /// Show and set which of its members' tokens an organization accepts
    Policy(policy::Args),
    /// List the tokens that requested access to an organization, and decide about them
    Approval(approval::Args),
    /// Show who did what, when, and from where
    Audit(audit::Args),
}

/// Runs the verb.
///
/// # Errors
///
/// As the subcommand.
pub fn run(
    arguments: Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Command::Serve(arguments) => serve::run(&arguments, context, output),
        Command::Wait(arguments) => wait::run(&arguments, context, output),
        Command::Init(arguments) => init::run(&arguments, context, output),
        Command::Backup(arguments) => backup::backup(&arguments, context, output),
        Command::Restore(arguments) => backup::restore(&arguments, context, output),
        Command::Token(arguments) => token::run(arguments, context, output),
        Command::Login(arguments) => login::run(arguments, context, output),
        Command::Keys(arguments) => keys::run(&arguments, context, output),
        Command::User(arguments) => user::run(arguments, context, output),
        Command::Organization(arguments) => organization::run(arguments, context, output),
        Command::Member(arguments) => member::run(arguments, context, output),
        Command::Repository(arguments) => repository::run(arguments, context, output),
        Command::Publisher(arguments) => publisher::run(arguments, context, output),
        Command::Policy(arguments) => policy::run(arguments, context, output),
        Command::Approval(arguments) => approval::run(arguments, context, output),
        Command::Audit(arguments) => audit::run(&arguments, context, output),
    }
}
