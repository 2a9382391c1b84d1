//! `hubtoken login`: stores a token that the Hub accepts.

use std::sync::Arc;

use serde_json::json;

use super::args::{TimeoutArgs, endpoint_or_ambient};
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::{identity_json, role_name, token_json};
use super::output::Output;
use super::token_context;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::identity::Settings;
use crate::login;
use crate::sanitize::redacted;
use crate::source::Source;
use crate::store::name;
use crate::token::Token;

/// The maximum length of standard input, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken login                             prompts for the token, and does not show it
  hubtoken login --token-stdin < token.txt
  hubtoken login --name ci --endpoint https://hub.example --token-stdin < token.txt

The token becomes the active one, unless it belongs to another Hub than HF_ENDPOINT: every library
would send it to the wrong one. Exit codes: 0 it is stored; 1 the Hub rejects it; 2 wrong usage; 3
the Hub could not be reached, and nothing was stored.")]
pub struct Args {
    /// Read the token from standard input
    #[arg(long)]
    token_stdin: bool,
    /// The name to store it under, instead of the Hub's name for it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The Hub that the token belongs to
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    wait: TimeoutArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// No token, one that the Hub rejects, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let endpoint = endpoint_or_ambient(arguments.endpoint.as_deref(), context.environment)?;
    if let Some(name) = &arguments.name {
        name::check(name)?;
    }
    let token_store = token_context::token_store(context)?;
    if let Some(warning) = context.resolver.insecure_warning(&endpoint) {
        output.warning(&warning);
    }
    let credential = Arc::new(Credential {
        token: read(arguments, context, output, &endpoint)?,
        source: Source::Argument,
        endpoint,
        expires_at: Expiry::default(),
    });
    let client = context.client();
    let connection = client.connect(&credential.endpoint, &Settings::read(context.environment));
    let identity = client
        .identify(
            &credential,
            &connection,
            &token_context::fresh(arguments.wait.timeout),
            context.interrupt,
        )
        .map_err(|failure| failure.into_error(&credential))?
        .identity;
    let wanted = arguments.name.clone();
    let mut saved = token_store.save(
        &wanted.clone().unwrap_or_else(|| login::name(&identity)),
        &credential.token,
        &login::metadata(&identity),
        wanted.is_some(),
    )?;
    let shadow = token_context::shadow(context, "takes precedence over the active token", "");
    saved.warnings.extend(shadow.filter(|_| saved.active));
    for warning in &saved.warnings {
        output.warning(warning);
    }
    if output.is_json() {
        output.object(&json!({
            "name": redacted(&saved.name),
            "active": saved.active,
            "endpoint": credential.endpoint.as_str(),
            "token": token_json(&credential),
            "identity": identity_json(&identity),
            "warnings": saved.warnings,
            "error": null,
        }));
        return Ok(Code::Success);
    }
    let mut page = output.page();
    let active = if saved.active {
        "and is the active token".to_owned()
    } else {
        format!(
            "and is not active, since it belongs to {}: use it by its name",
            credential.endpoint
        )
    };
    page.paragraph(&format!(
        "{} ({}) is stored as `{}` {active}",
        identity.user,
        role_name(&identity),
        redacted(&saved.name)
    ));
    output.show(&page);
    Ok(Code::Success)
}

fn read(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    endpoint: &Endpoint,
) -> Result<Token, Failure> {
    let text = if arguments.token_stdin {
        context.prompt.read(LONGEST)?
    } else {
        output.note(&format!(
            "Create a token at {endpoint}/settings/tokens. What you type or paste is not shown."
        ));
        context.prompt.ask_hidden("Token: ")?.ok_or_else(|| {
            Failure::Usage(
                "there is no terminal to prompt for the token; pass it on standard input with \
                 --token-stdin"
                    .to_owned(),
            )
        })?
    };
    Token::parse(&text)?
        .ok_or_else(|| Failure::Core(Error::TokenFormat("no token was given".to_owned())))
}
