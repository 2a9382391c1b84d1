//! `hubtoken hub member`: who belongs to an organization, with which role.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::admin::Where;
use super::rendering::Reply;
use super::run_admin::run_admin;
use crate::cli::exit_code::Code;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::world::World;
use crate::hub::OrganizationRole;

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken hub member set acme alice write
  hubtoken hub member list acme")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Take a user in, or change the role
    Set {
        #[command(flatten)]
        who: Who,
        /// The role in the organization
        #[arg(value_parser = organization_role())]
        role: OrganizationRole,
        #[command(flatten)]
        place: Where,
    },
    /// List the members
    List {
        /// The organization
        organization: String,
        #[command(flatten)]
        place: Where,
    },
    /// Put a user out
    Remove {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Args)]
struct Who {
    /// The organization
    organization: String,
    /// The user
    user: String,
}

/// The words of [`OrganizationRole`], which clap also lists in the help.
fn organization_role() -> impl TypedValueParser<Value = OrganizationRole> {
    let words = OrganizationRole::ALL.map(OrganizationRole::as_str);
    PossibleValuesParser::new(words)
        .try_map(|word| OrganizationRole::parse(&word).ok_or("not a role in an organization"))
}

impl Who {
    fn path(&self) -> [&str; 4] {
        ["organizations", &self.organization, "members", &self.user]
    }
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub's own, or that none runs.
pub fn run(
    arguments: Arguments,
    world: &World<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match arguments.verb {
        Verb::Set { who, role, place } => run_admin(&place, world, output, |admin| {
            let role = role.as_str();
            admin.ask(Method::PUT, &who.path(), Some(&json!({ "role": role })))?;
            let Who { organization, user } = who;
            Ok(Reply::Done {
                field: "member",
                value: json!({ "organization": organization, "user": user, "role": role }),
                sentence: format!("{user} is in {organization} with the role {role}"),
            })
        }),
        Verb::List {
            organization,
            place,
        } => run_admin(&place, world, output, |admin| {
            Ok(Reply::List {
                field: "members",
                items: admin.get(&["organizations", &organization, "members"])?,
                columns: &["user", "role"],
            })
        }),
        Verb::Remove { who, place } => run_admin(&place, world, output, |admin| {
            admin.ask(Method::DELETE, &who.path(), None)?;
            let Who { organization, user } = who;
            Ok(Reply::Done {
                field: "removed",
                value: json!({ "organization": organization, "user": user }),
                sentence: format!("{user} is no longer in {organization}"),
            })
        }),
    }
}
