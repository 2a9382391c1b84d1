//! `hubtoken hub`: runs an embedded Hub, and administers one that runs.
//!
//! `serve` is the Hub itself; `init`, `backup` and `restore` work on its data folder. The other verbs speak to it as any program could: over HTTP, with
//! the admin key from its data folder. So they work while it serves, and see what it sees.

mod admin;
mod approval;
mod audit;
mod backup;
mod init;
mod member;
mod offline;
mod organization;
mod policy;
mod rendering;
mod repository;
mod run_admin;
mod serve;
mod token;
mod typed;
mod upstreams;
mod user;
mod waiting;

use clap::{Args, Subcommand};

use super::exit_code::Code;
use super::failure::Failure;
use super::output::Output;
use super::world::World;

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken hub serve --data ./hub            in one terminal; in another:
  export HUBTOKEN_HUB_DATA=./hub
  hubtoken hub user create alice
  export HF_TOKEN=$(hubtoken hub token create alice --name laptop --role write)
  hubtoken hub token list alice")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a Hub in the foreground
    // Boxed, since its many options would make every verb as large.
    Serve(Box<serve::Arguments>),
    /// Make a data folder with its first administrator
    Init(init::Arguments),
    /// Back up a Hub, also while it runs
    Backup(backup::BackupArguments),
    /// Make a data folder from a backup
    Restore(backup::RestoreArguments),
    /// Create, list, rename, refresh and delete access tokens
    Token(token::Arguments),
    /// Create and list users
    User(user::Arguments),
    /// Create and list organizations
    Organization(organization::Arguments),
    /// Set, list and remove the members of an organization
    Member(member::Arguments),
    /// Create, list and delete repositories
    Repository(repository::Arguments),
    /// Show and set which tokens of its members an organization lets in
    Policy(policy::Arguments),
    /// List the tokens that asked an organization to be let in, and decide about them
    Approval(approval::Arguments),
    /// Show who did what, when, and from where
    Audit(audit::Arguments),
}

/// Runs the verb.
///
/// # Errors
///
/// As the verb below.
pub fn run(
    arguments: Arguments,
    world: &World<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Verb::Serve(arguments) => serve::run(&arguments, world, output),
        Verb::Init(arguments) => init::run(&arguments, world, output),
        Verb::Backup(arguments) => backup::backup(&arguments, world, output),
        Verb::Restore(arguments) => backup::restore(&arguments, world, output),
        Verb::Token(arguments) => token::run(arguments, world, output),
        Verb::User(arguments) => user::run(arguments, world, output),
        Verb::Organization(arguments) => organization::run(arguments, world, output),
        Verb::Member(arguments) => member::run(arguments, world, output),
        Verb::Repository(arguments) => repository::run(arguments, world, output),
        Verb::Policy(arguments) => policy::run(arguments, world, output),
        Verb::Approval(arguments) => approval::run(arguments, world, output),
        Verb::Audit(arguments) => audit::run(&arguments, world, output),
    }
}
