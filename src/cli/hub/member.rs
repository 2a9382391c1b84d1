//! `hubtoken hub member`: manages the members of an organization and their roles.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use reqwest::Method;
use serde_json::json;

use super::admin_client::DataArgs;
use super::rendering::Reply;
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::hub::OrganizationRole;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub member set acme alice write
  hubtoken hub member list acme")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add a user, or change the user's role
    Set {
        #[command(flatten)]
        who: MemberArgs,
        /// The role in the organization
        #[arg(value_parser = organization_role())]
        role: OrganizationRole,
        #[command(flatten)]
        place: DataArgs,
    },
    /// List the members
    List {
        /// The organization
        organization: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Remove a user
    Remove {
        #[command(flatten)]
        who: MemberArgs,
        #[command(flatten)]
        place: DataArgs,
    },
}

#[derive(clap::Args)]
struct MemberArgs {
    /// The organization
    organization: String,
    /// The user
    user: String,
}

/// Parses an [`OrganizationRole`]; clap also lists the values in the help.
fn organization_role() -> impl TypedValueParser<Value = OrganizationRole> {
    let words = OrganizationRole::ALL.map(OrganizationRole::as_str);
    PossibleValuesParser::new(words)
        .try_map(|word| OrganizationRole::parse(&word).ok_or("not a role in an organization"))
}

impl MemberArgs {
    fn path(&self) -> [&str; 4] {
        ["organizations", &self.organization, "members", &self.user]
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
    match arguments.verb {
        Command::Set { who, role, place } => run_admin(&place, context, output, |admin| {
            let role = role.as_str();
            admin.ask(Method::PUT, &who.path(), Some(&json!({ "role": role })))?;
            let MemberArgs { organization, user } = who;
            Ok(Reply::Done {
                field: "member",
                value: json!({ "organization": organization, "user": user, "role": role }),
                sentence: format!("{user} is in {organization} with the role {role}"),
            })
        }),
        Command::List {
            organization,
            place,
        } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "members",
                items: admin.get(&["organizations", &organization, "members"])?,
                columns: &["user", "role"],
            })
        }),
        Command::Remove { who, place } => run_admin(&place, context, output, |admin| {
            admin.ask(Method::DELETE, &who.path(), None)?;
            let MemberArgs { organization, user } = who;
            Ok(Reply::Done {
                field: "removed",
                value: json!({ "organization": organization, "user": user }),
                sentence: format!("{user} is no longer in {organization}"),
            })
        }),
    }
}
