//! `hubtoken hub publisher`: lets jobs of a CI provider exchange their id tokens for tokens of the
//! Hub.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin_client::DataArgs;
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::bounded_file;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;

/// The largest file with an issuer's keys, in bytes; as large as the Hub accepts.
const MAXIMUM_KEYS: u64 = 64 << 10;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub publisher create alice/model --issuer github \\
      --claim repository=alice/train --claim ref=refs/heads/main
  hubtoken hub publisher create datasets/acme/data --user alice \\
      --issuer https://gitlab.example --claim project_path=acme/data
  hubtoken hub publisher create alice --issuer gitlab --claim project_path=alice/train
  hubtoken hub publisher list
  hubtoken hub publisher delete 65a1b2c3d4e5f60718293a4b")]
pub struct Args {
    #[command(subcommand)]
    verb: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trust the jobs of a CI provider that have certain claims
    Create(Create),
    /// List the trusted publishers
    List {
        /// Only those of this repository or user
        #[arg(value_name = "REPOSITORY|USER")]
        resource: Option<String>,
        #[command(flatten)]
        place: DataArgs,
    },
    /// Delete a trusted publisher; tokens that were issued for it are invalid at once
    Delete {
        /// The publisher's ID
        id: String,
        #[command(flatten)]
        place: DataArgs,
    },
}

#[derive(clap::Args)]
struct Create {
    /// What its tokens are for: alice/model, datasets/alice/x or spaces/alice/x to write to that
    /// repository alone; alice to read gated repositories as that user
    #[arg(value_name = "REPOSITORY|USER")]
    resource: String,
    /// The issuer of the id tokens: `github`, `gitlab`, or its URL
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// A claim that an id token must have, compared exactly; may be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE", required = true)]
    claims: Vec<String>,
    /// The user in whose name its tokens act, who may write to the repository; without it, the user
    /// whose repository it is
    #[arg(long)]
    user: Option<String>,
    /// A file with the issuer's public keys (a JWK set), so that the Hub does not fetch them
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
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
    match arguments.verb {
        Command::Create(create) => {
            let body = create.body(context)?;
            run_admin(&create.place, context, output, |admin| {
                let made = admin.ask(Method::POST, &["publishers"], Some(&body))?;
                let sentence = format!(
                    "{} trusts this publisher now; its ID is {}",
                    create.resource,
                    made["id"].as_str().unwrap_or_default()
                );
                Ok(Reply::Done {
                    field: "publisher",
                    value: publisher(made),
                    sentence,
                })
            })
        }
        Command::List { resource, place } => run_admin(&place, context, output, |admin| {
            let parameters: Vec<(&str, String)> = resource
                .iter()
                .map(|resource| ("resource", resource.clone()))
                .collect();
            let listed = admin.ask_with(Method::GET, &["publishers"], &parameters, None)?;
            Ok(Reply::List {
                field: "publishers",
                items: listed
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|each| {
                        if output.is_json() {
                            publisher(each.clone())
                        } else {
                            row(each)
                        }
                    })
                    .collect(),
                columns: &["id", "resource", "user", "issuer", "claims", "last_used_at"],
            })
        }),
        Command::Delete { id, place } => run_admin(&place, context, output, |admin| {
            admin.ask(Method::DELETE, &["publishers", &id], None)?;
            Ok(Reply::Done {
                field: "deleted",
                value: json!({ "id": id }),
                sentence: format!(
                    "publisher {id} was deleted; tokens that were issued for it no longer work"
                ),
            })
        }),
    }
}

impl Create {
    fn body(&self, context: &Context<'_>) -> Result<Value, Failure> {
        let mut claims = BTreeMap::new();
        for claim in &self.claims {
            let (name, value) = claim.split_once('=').ok_or_else(|| {
                Failure::Usage(format!(
                    "`{claim}` is not a claim; write it like repository=acme/train"
                ))
            })?;
            if claims.insert(name, value).is_some() {
                return Err(Failure::Usage(format!("the claim `{name}` is given twice")));
            }
        }
        let mut body =
            json!({ "resource": self.resource, "issuer": self.issuer, "claims": claims });
        if let Some(user) = &self.user {
            body["user"] = user.as_str().into();
        }
        if let Some(path) = &self.keys {
            let path = match &context.folder {
                Some(folder) => folder.join(path),
                None => path.clone(),
            };
            let text = bounded_file::read_bytes(&path, MAXIMUM_KEYS)
                .map_err(Error::hub)?
                .ok_or_else(|| Error::hub(format!("{} does not exist", path.display())))?;
            body["keys"] = serde_json::from_slice(&text).map_err(|_| {
                Error::hub(format!(
                    "{} does not contain a JWK set in JSON",
                    path.display()
                ))
            })?;
        }
        Ok(body)
    }
}

/// A publisher with the command line's names. Those of claims are the issuer's, and stay.
fn publisher(mut answer: Value) -> Value {
    let claims = answer["claims"].take();
    let mut shown = renamed(answer);
    shown["claims"] = claims;
    shown
}

/// The same as a row of a table.
fn row(answer: &Value) -> Value {
    let mut row = publisher(answer.clone());
    let claims: Vec<String> = row["claims"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    row["claims"] = claims.join(" ").into();
    row
}
