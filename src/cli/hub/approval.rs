//! `hubtoken hub approval`: the tokens that an organization was asked to let in.

use clap::Subcommand;
use reqwest::Method;

use super::admin_client::DataArgs;
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
  hubtoken hub approval list acme
  hubtoken hub approval approve acme laptop
  hubtoken hub approval revoke acme 64b0c0ffee0000000000a001

A token is on the list once it asked: by being made with a scope on the organization, or by its first
use there. It is named by its id, or by its name if only one of those on the list has it.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the tokens that asked, those that wait first
    List {
        /// The organization
        organization: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Let a token in; also takes a revocation back
    Approve(TokenArgs),
    /// Turn down a token that was never let in
    Deny(TokenArgs),
    /// Keep a token out of the organization, whatever the policy says; it works elsewhere
    Revoke(TokenArgs),
}

#[derive(clap::Args)]
struct TokenArgs {
    /// The organization
    organization: String,
    /// The token's id or name
    token: String,
    #[command(flatten)]
    place: DataArgs,
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
        Command::Approve(which) => (which, "approve", "let in to"),
        Command::Deny(which) => (which, "deny", "turned down by"),
        Command::Revoke(which) => (which, "revoke", "shut out of"),
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
