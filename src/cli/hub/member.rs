//! `hubtoken hub member`: who belongs to an organisation, with which role.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::admin::{Admin, Where};
use super::rendering::{done, listed};
use crate::cli::exit_code::Code;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::world::World;

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
        /// The role in the organisation
        #[arg(value_enum)]
        role: RoleName,
        #[command(flatten)]
        place: Where,
    },
    /// List the members
    List {
        /// The organisation
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
    /// The organisation
    organization: String,
    /// The user
    user: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Admin,
    Write,
    Contributor,
    Read,
    #[value(name = "no_access")]
    NoAccess,
}

impl RoleName {
    fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Contributor => "contributor",
            Self::Read => "read",
            Self::NoAccess => "no_access",
        }
    }
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
        Verb::Set { who, role, place } => {
            let body = json!({ "role": role.word() });
            Admin::open(&place, world)?.ask(Method::PUT, &who.path(), Some(&body))?;
            let member = json!({
                "organization": who.organization,
                "user": who.user,
                "role": role.word(),
            });
            let sentence = format!(
                "{} is in {} with the role {}",
                who.user,
                who.organization,
                role.word()
            );
            done(output, "member", member, &sentence);
        }
        Verb::List {
            organization,
            place,
        } => {
            let path = ["organizations", &organization, "members"];
            let members = Admin::open(&place, world)?.ask(Method::GET, &path, None)?;
            listed(output, "members", members, &["user", "role"]);
        }
        Verb::Remove { who, place } => {
            Admin::open(&place, world)?.ask(Method::DELETE, &who.path(), None)?;
            let removed = json!({ "organization": who.organization, "user": who.user });
            done(
                output,
                "removed",
                removed,
                &format!("{} is no longer in {}", who.user, who.organization),
            );
        }
    }
    Ok(Code::Success)
}
