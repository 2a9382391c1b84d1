//! `hubtoken hub approval`: lists and decides the approval requests of an organization.

use clap::Subcommand;
use reqwest::Method;

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
  hubtoken hub approval list acme
  hubtoken hub approval approve acme laptop
  hubtoken hub approval revoke acme 64b0c0ffee0000000000a001

A token is listed once it has requested access: when it is created with a scope on the organization,
or on its first use there. Select it by its ID, or by its name if only one on the list has it.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the tokens that requested access, pending ones first
    List {
        /// The organization
        organization: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Approve a token; also reverts a revocation
    Approve(TokenArgs),
    /// Deny a token that was never approved
    Deny(TokenArgs),
    /// Block a token from the organization, whatever the policy says; it still works elsewhere
    Revoke(TokenArgs),
}

#[derive(clap::Args)]
struct TokenArgs {
    /// The organization
    organization: String,
    /// The token's ID or name
    token: String,
    #[command(flatten)]
    place: DataArgs,
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
    let (which, decision, participle) = match arguments.verb {
        Command::List {
            organization,
            place,
        } => {
            return run_admin(&place, context, output, |admin| {
                Ok(Reply::List {
                    field: "approvals",
                    items: admin.get(&["organizations", &organization, "approvals"])?,
                    columns: &[
                        "status",
                        "user",
                        "name",
                        "role",
                        "last4",
                        "created_at",
                        "asked_at",
                        "decided_by",
                        "id",
                    ],
                })
            });
        }
        Command::Approve(which) => (which, "approve", "approved by"),
        Command::Deny(which) => (which, "deny", "denied by"),
        Command::Revoke(which) => (which, "revoke", "revoked by"),
    };
    run_admin(&which.place, context, output, |admin| {
        let path = [
            "organizations",
            &which.organization,
            "approvals",
            &which.token,
            decision,
        ];
        let approval = admin.ask(Method::POST, &path, None)?;
        let text = |field: &str| approval[field].as_str().unwrap_or("?").to_owned();
        let sentence = format!(
            "token `{}` of {} is {participle} {}",
            text("name"),
            text("user"),
            which.organization
        );
        Ok(Reply::Done {
            field: "approval",
            value: renamed(approval),
            sentence,
        })
    })
}
