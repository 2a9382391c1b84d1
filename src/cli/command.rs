//! The command line as clap parses it: the verbs, and the module that runs each of them.

use clap::{Parser, Subcommand, ValueEnum};

use super::context::Context;
use super::exit_code::Code;
use super::output::Output;
use super::{
    explain, git_credential, hub, list, login, logout, move_token, oidc, rename, require, revoke,
    run, service_accounts, setup_git, status, switch, token, use_profile, whoami,
};

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "hubtoken",
    bin_name = "hubtoken",
    version,
    about = "Hugging Face Hub access tokens: which one is in use, whose it is, and whether it will do",
    after_help = "\
Examples:
  hubtoken status                            who am I, with which token, from where
  hubtoken require write --repo acme/model   stop a job before it wastes its time
  hubtoken explain                           which token wins, and what it hides

Exit codes:
  0    yes, or done
  1    no: denied, rejected, not found, no token, not done
  2    wrong usage, or an invalid configuration
  3    unknown: the Hub could not be reached, which says nothing about the token
  130  stopped by Ctrl-C

A token is never an argument: set HF_TOKEN, or log in with `hubtoken login`."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Command,
    /// Options of every verb.
    #[command(flatten)]
    _shared: GlobalArgs,
}

/// Parsed here for the help and for validation; [`Output`](super::output::Output) reads them
/// earlier.
#[derive(clap::Args)]
struct GlobalArgs {
    /// Write one JSON object to standard output and nothing else; a failure is under "error"
    #[arg(long, global = true)]
    json: bool,
    /// When to use colors; auto means on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Command {
    /// Show who the token belongs to, where it comes from, and which other tokens it hides
    Status(status::Args),
    /// Show the user and the role on one line
    Whoami(whoami::Args),
    /// Check that the token has the access that is needed, for scripts and job prologues
    Require(require::Args),
    /// Show which source the token comes from, without contacting the Hub
    Explain(explain::Args),
    /// Log in with the browser, or check a token with the Hub and store it on this machine
    Login(login::Args),
    /// Remove a stored token from this machine
    Logout(logout::Args),
    /// Make the Hub invalidate tokens, such as leaked ones, and remove them from this machine
    Revoke(revoke::Args),
    /// List the stored tokens, without contacting the Hub
    List(list::Args),
    /// Make a stored token the active one
    Switch(switch::Args),
    /// Use a stored token in this folder and nowhere else
    Use(use_profile::Args),
    /// Give a stored token another name
    Rename(rename::Args),
    /// Move a stored token to the system's keyring, or back to the file
    Move(move_token::Args),
    /// Print the token
    Token(token::Args),
    /// Run a command with the token in its environment
    Run(run::Args),
    /// Show what the id token of this CI job states, and what it is exchanged for
    Oidc(oidc::Args),
    /// Manage an organization's accounts that belong to no person, and their tokens
    ServiceAccounts(service_accounts::Args),
    /// Make git get the Hub's password from hubtoken
    SetupGit(setup_git::Args),
    /// Answer git's request for a password; git runs this
    GitCredential(git_credential::Args),
    /// Run an embedded Hub and administer it
    Hub(hub::Args),
}

/// Runs a verb and reports its failure, if it fails.
pub fn dispatch(verb: Command, context: &Context<'_>, output: &Output<'_, '_>) -> Code {
    let done = match verb {
        Command::Status(arguments) => status::run(&arguments, context, output),
        Command::Whoami(arguments) => whoami::run(&arguments, context, output),
        Command::Require(arguments) => require::run(&arguments, context, output),
        Command::Explain(arguments) => explain::run(&arguments, context, output),
        Command::Login(arguments) => login::run(&arguments, context, output),
        Command::Logout(arguments) => logout::run(&arguments, context, output),
        Command::Revoke(arguments) => revoke::run(&arguments, context, output),
        Command::List(_) => list::run(context, output),
        Command::Switch(arguments) => switch::run(&arguments, context, output),
        Command::Use(arguments) => use_profile::run(&arguments, context, output),
        Command::Rename(arguments) => rename::run(&arguments, context, output),
        Command::Move(arguments) => move_token::run(&arguments, context, output),
        Command::Token(arguments) => token::run(&arguments, context, output),
        Command::Run(arguments) => run::run(&arguments, context, output),
        Command::Oidc(_) => oidc::run(context, output),
        Command::ServiceAccounts(arguments) => service_accounts::run(arguments, context, output),
        Command::SetupGit(arguments) => setup_git::run(&arguments, context, output),
        Command::GitCredential(arguments) => git_credential::run(&arguments, context, output),
        Command::Hub(arguments) => hub::run(arguments, context, output),
    };
    done.unwrap_or_else(|failure| output.failed(&failure))
}
