//! `hubtoken hub policy`: shows and sets which of its members' tokens an organization accepts.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::admin_client::DataArgs;
use super::rendering::Reply;
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub policy set acme require-approval
  hubtoken hub policy get acme

allow-all accepts all tokens of its members, fine-grained-only only fine-grained ones, and
require-approval only fine-grained ones that an administrator approved or owns. Public content
stays public.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the policy
    Get {
        /// The organization
        organization: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Set the policy, which takes effect at once
    Set {
        /// The organization
        organization: String,
        /// Which tokens are accepted
        #[arg(value_enum)]
        policy: PolicyName,
        #[command(flatten)]
        place: DataArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyName {
    AllowAll,
    FineGrainedOnly,
    RequireApproval,
}

impl PolicyName {
    fn word(self) -> &'static str {
        match self {
            Self::AllowAll => "allow-all",
            Self::FineGrainedOnly => "fine-grained-only",
            Self::RequireApproval => "require-approval",
        }
    }
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
    let (organization, place, method, body) = match arguments.verb {
        Command::Get {
            organization,
            place,
        } => (organization, place, Method::GET, None),
        Command::Set {
            organization,
            policy,
            place,
        } => {
            let body = json!({ "policy": policy.word() });
            (organization, place, Method::PUT, Some(body))
        }
    };
    run_admin(&place, context, output, |admin| {
        let path = ["organizations", &organization, "policy"];
        let answer = admin.ask(method, &path, body.as_ref())?;
        let policy = answer["policy"]
            .as_str()
            .ok_or_else(|| Error::hub("the Hub's response has no policy".to_owned()))?;
        Ok(Reply::Done {
            field: "policy",
            value: policy.into(),
            sentence: format!("the token policy of {organization} is {policy}"),
        })
    })
}
