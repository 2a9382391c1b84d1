//! `hubtoken hub token`: manages the access tokens of a Hub's users.
//!
//! Only `create` and `refresh` write a token's value: alone to standard output, so that a script
//! can capture it. Everything else they report goes to standard error.

use std::fmt;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin_client::DataArgs;
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::cli::args::seconds;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::identity::timestamp;
use crate::cli::output::Output;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub token create alice --name laptop --role write
  hubtoken hub token create alice --name ci --role fine-grained \\
      --scope alice/model=repo.write --scope datasets/acme/x=repo.content.read
  hubtoken hub token list alice
  hubtoken hub token change alice ci --role fine-grained --scope alice=repo.content.read
  hubtoken hub token refresh alice laptop    # a new value; the old one is invalid at once

`create` and `refresh` write only the value to standard output. It is not shown again.")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a token and write its value to standard output
    Create(Create),
    /// List the tokens of a user
    List {
        /// The owner of the tokens
        user: String,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Rename a token
    Rename {
        #[command(flatten)]
        which: TokenArgs,
        /// The new name
        new_name: String,
    },
    /// Change a token's permissions; organizations that approved it must approve it again
    Change {
        #[command(flatten)]
        which: TokenArgs,
        #[command(flatten)]
        permissions: Permissions,
    },
    /// Give a token a new value and write it to standard output; the old one is invalid at once
    Refresh(TokenArgs),
    /// Delete a token, which is invalid at once
    Delete(TokenArgs),
}

/// Selects an existing token.
#[derive(clap::Args)]
struct TokenArgs {
    /// The owner of the token
    user: String,
    /// The token's name or ID
    token: String,
    #[command(flatten)]
    place: DataArgs,
}

#[derive(clap::Args)]
struct Create {
    /// The owner of the token
    user: String,
    /// The token's name
    #[arg(long)]
    name: String,
    #[command(flatten)]
    permissions: Permissions,
    /// The lifetime in seconds; without it, the token does not expire
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    expires_in: Option<Duration>,
    #[command(flatten)]
    place: DataArgs,
}

#[derive(clap::Args)]
struct Permissions {
    /// The token's role
    #[arg(long, value_enum)]
    role: RoleName,
    /// Permissions of a fine-grained token on an entity: alice, alice/model, datasets/alice/x; may
    /// be repeated
    #[arg(long, value_name = "ENTITY=PERMISSION[,...]")]
    scope: Vec<String>,
    /// Permissions of a fine-grained token that apply everywhere; may be repeated
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',')]
    global: Vec<String>,
    /// Let a fine-grained token read public gated repositories
    #[arg(long)]
    gated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Read,
    Write,
    FineGrained,
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
        Command::Create(create) => {
            let body = create.body(context)?;
            run_admin(&create.place, context, output, |admin| {
                let path = ["users", &create.user, "tokens"];
                Ok(Reply::TokenValue {
                    answer: admin.ask(Method::POST, &path, Some(&body))?,
                    subject: format!("token `{}` of {}", create.name, create.user),
                })
            })
        }
        Command::List { user, place } => run_admin(&place, context, output, |admin| {
            Ok(Reply::List {
                field: "tokens",
                items: admin.get(&["users", &user, "tokens"])?,
                columns: &[
                    "name",
                    "role",
                    "last4",
                    "created_at",
                    "last_used_at",
                    "expires_at",
                    "inference_requests",
                    "id",
                ],
            })
        }),
        Command::Rename { which, new_name } => run_admin(&which.place, context, output, |admin| {
            let body = json!({ "name": new_name });
            let info = admin.ask(Method::PATCH, &which.path(), Some(&body))?;
            Ok(Reply::Done {
                field: "info",
                value: renamed(info),
                sentence: format!("{which} is now `{new_name}`"),
            })
        }),
        Command::Change { which, permissions } => {
            let body = permissions.body()?;
            run_admin(&which.place, context, output, |admin| {
                let info = admin.ask(Method::PUT, &which.path_to("permissions"), Some(&body))?;
                Ok(Reply::Done {
                    field: "info",
                    value: renamed(info),
                    sentence: format!("{which} has the new permissions"),
                })
            })
        }
        Command::Refresh(which) => run_admin(&which.place, context, output, |admin| {
            Ok(Reply::TokenValue {
                answer: admin.ask(Method::POST, &which.path_to("refresh"), None)?,
                subject: format!("new value of {which}"),
            })
        }),
        Command::Delete(which) => run_admin(&which.place, context, output, |admin| {
            admin.ask(Method::DELETE, &which.path(), None)?;
            Ok(Reply::Done {
                field: "deleted",
                value: json!({ "user": which.user, "token": which.token }),
                sentence: format!("{which} was deleted"),
            })
        }),
    }
}

impl TokenArgs {
    fn path(&self) -> [&str; 4] {
        ["users", &self.user, "tokens", &self.token]
    }

    /// The path of one of the token's resources.
    fn path_to<'a>(&'a self, last: &'a str) -> [&'a str; 5] {
        ["users", &self.user, "tokens", &self.token, last]
    }
}

impl fmt::Display for TokenArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "token `{}` of {}", self.token, self.user)
    }
}

impl Permissions {
    fn body(&self) -> Result<Value, Failure> {
        let is_scoped = !self.scope.is_empty() || !self.global.is_empty() || self.gated;
        if is_scoped && self.role != RoleName::FineGrained {
            return Err(Failure::Usage(
                "--scope, --global and --gated are for --role fine-grained: the other roles do \
                 whatever their user may do"
                    .to_owned(),
            ));
        }
        let role = match self.role {
            RoleName::Read => "read",
            RoleName::Write => "write",
            RoleName::FineGrained => "fineGrained",
        };
        let mut body = json!({ "role": role });
        if self.role == RoleName::FineGrained {
            let scopes: Result<Vec<Value>, Failure> =
                self.scope.iter().map(|text| scope(text)).collect();
            body["scopes"] = scopes?.into();
            body["global"] = json!(self.global);
            body["canReadGatedRepos"] = self.gated.into();
        }
        Ok(body)
    }
}

impl Create {
    fn body(&self, context: &Context<'_>) -> Result<Value, Failure> {
        let mut body = self.permissions.body()?;
        body["name"] = self.name.as_str().into();
        if let Some(duration) = self.expires_in {
            let end = time::Duration::try_from(duration)
                .ok()
                .and_then(|duration| context.now.checked_add(duration))
                .and_then(timestamp)
                .ok_or_else(|| Failure::Usage("--expires-in is too far ahead".to_owned()))?;
            body["expiresAt"] = end.into();
        }
        Ok(body)
    }
}

fn scope(text: &str) -> Result<Value, Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "`{text}` is not a valid scope; write it like alice/model=repo.write or alice=repo.content.read,repo.write"
        ))
    };
    let (entity, permissions) = text.split_once('=').ok_or_else(wrong)?;
    let permissions: Vec<&str> = permissions.split(',').map(str::trim).collect();
    if entity.trim().is_empty() || permissions.iter().any(|permission| permission.is_empty()) {
        return Err(wrong());
    }
    Ok(json!({ "entity": entity.trim(), "permissions": permissions }))
}
