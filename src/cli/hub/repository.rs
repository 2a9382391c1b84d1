//! `hubtoken hub repository`: creates, lists, and deletes repositories as an administrator.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

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
  hubtoken hub repository create acme/model --private
  hubtoken hub repository create acme/data --type dataset --gated auto
  hubtoken hub repository list")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create an empty repository
    Create {
        #[command(flatten)]
        which: TokenArgs,
        /// Only visible to users with access to the namespace's private repositories
        #[arg(long)]
        private: bool,
        /// Readers must request access, which is granted automatically or manually
        #[arg(long, value_enum, value_name = "HOW")]
        gated: Option<Gate>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// List the repositories
    List {
        #[command(flatten)]
        place: DataArgs,
    },
    /// Delete a repository and everything in it
    Delete {
        #[command(flatten)]
        which: TokenArgs,
        #[command(flatten)]
        place: DataArgs,
    },
}

#[derive(clap::Args)]
struct TokenArgs {
    /// The repository
    #[arg(value_name = "NAMESPACE/NAME")]
    repository: String,
    /// The type of the repository
    #[arg(long = "type", value_enum, default_value_t, value_name = "TYPE")]
    kind: TypeName,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum TypeName {
    #[default]
    Model,
    Dataset,
    Space,
}

impl TypeName {
    fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Gate {
    Auto,
    Manual,
}

impl Gate {
    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
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
    match arguments.verb {
        Command::Create {
            which,
            private,
            gated,
            place,
        } => run_admin(&place, context, output, |admin| {
            let (kind, id) = (which.kind.word(), which.repository);
            let mut body = json!({ "type": kind, "id": id, "private": private });
            if let Some(gate) = gated {
                body["gated"] = gate.word().into();
            }
            let made = admin.ask(Method::POST, &["repositories"], Some(&body))?;
            Ok(Reply::Done {
                field: "repository",
                value: renamed(made),
                sentence: format!("{kind} {id} was created"),
            })
        }),
        Command::List { place } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "repositories",
                items: admin.get(&["repositories"])?,
                columns: &["type", "name", "private", "gated", "disabled", "created_at"],
            })
        }),
        Command::Delete { which, place } => {
            let (kind, id) = (which.kind.word(), which.repository);
            let (namespace, name) = id.split_once('/').ok_or_else(|| {
                Failure::Usage("name the repository with its namespace, like acme/model".to_owned())
            })?;
            run_admin(&place, context, output, |admin| {
                admin.ask(
                    Method::DELETE,
                    &["repositories", kind, namespace, name],
                    None,
                )?;
                Ok(Reply::Done {
                    field: "deleted",
                    value: json!({ "type": kind, "name": id }),
                    sentence: format!("{kind} {id} was deleted"),
                })
            })
        }
    }
}
