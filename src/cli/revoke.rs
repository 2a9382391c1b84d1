//! `hubtoken revoke`: makes the Hub invalidate tokens, and forgets them here.

use std::path::PathBuf;

use serde_json::json;
use zeroize::Zeroizing;

use super::args::{TimeoutArgs, TokenArgs, endpoint_or_ambient};
use super::confirmation::confirm;
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context::{self, Session};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::git::own_helpers;
use crate::identity::Settings;
use crate::manage::leaked_values::{LeakedValues, MAXIMUM_VALUES};
use crate::manage::revoke::outcome::Outcome;
use crate::manage::revoke::{Revocation, Revoked, State};
use crate::sanitize::{redacted, redacted_path};
use crate::store::logout::Removed;

/// More rows than this are counted, unless something is wrong with a row.
const MOST_ROWS: usize = 20;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken revoke                            the token that is used here, after a question
  hubtoken revoke ci --yes                   a stored one
  hubtoken revoke --leaked build.log --yes   every token of the Hub in a file of any kind
  hubtoken revoke --stdin --yes < tokens.txt

The Hub invalidates each value at once and for everybody; that cannot be undone. What was sent is
removed from this machine as well, and whoami is asked whether it is dead, until the Hub limits the
rate. Values of more than 200 characters, as OAuth logins have, are not sent: the Hub takes none.
Keys of other services are never sent. --leaked finds what looks like a secret of the Hub; with
--stdin, a line that is one word is a value as well, whatever its form. Exit codes: 0 all are dead; 1
a token is alive or was not sent, or nothing was found; 2 wrong usage, or no answer to the question;
3 the Hub could not be reached, or did not say whether all are dead.")]
pub struct Args {
    /// The stored token [default: the token that is used here]
    #[arg(conflicts_with_all = ["stdin", "leaked"])]
    name: Option<String>,
    /// Read values from standard input, one on each line, or in any text
    #[arg(long)]
    stdin: bool,
    /// Find the values in this file
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    leaked: Option<PathBuf>,
    /// The Hub of the values [default: that of the stored token, or `HF_ENDPOINT`]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Do not ask before it is done
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    wait: TimeoutArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// No token, no consent, or a Hub that takes no value.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let target = target(arguments, context)?;
    if target.values.is_empty() {
        return Err(
            Error::TokenFormat(format!("there is no token of a Hub in {}", target.what)).into(),
        );
    }
    if !arguments.yes {
        let words = ("revoke", "Nothing was revoked");
        confirm(context, output, &target.question, words)?;
    }
    let token_store = token_context::token_store(context)?;
    let client = context.client();
    let settings = Settings::read(context.environment);
    let revocation = Revocation {
        client: &client,
        endpoint: &target.endpoint,
        settings: &settings,
        interrupt: context.interrupt,
    };
    let options = token_context::fresh(arguments.wait.timeout);
    let outcome = revocation.run(&target.values, &token_store, &options);
    let is_nothing = outcome.is_nothing();
    let Outcome {
        revoked,
        removed,
        mut warnings,
        failure,
    } = outcome;
    warnings.extend(own_helpers::take_back(context.environment, &removed.in_git));
    for warning in &warnings {
        output.warning(warning);
    }
    let code = code(&revoked);
    let is_interrupted = matches!(failure, Some(Error::Interrupted));
    let failure = failure.map(Failure::from);
    show(
        output,
        &target,
        &revoked,
        &removed,
        failure.as_ref(),
        &warnings,
    );
    if let Some(failure) = failure {
        if !output.is_json() {
            output.problem(&failure);
        }
        return Ok(if is_nothing || is_interrupted {
            failure.code()
        } else {
            code
        });
    }
    Ok(code)
}

/// What is revoked.
struct Target {
    values: Vec<Zeroizing<String>>,
    endpoint: Endpoint,
    /// Where the values come from, to follow "in".
    what: String,
    /// The question.
    question: String,
}

fn target(arguments: &Args, context: &Context<'_>) -> Result<Target, Failure> {
    let mut values = LeakedValues::default();
    let what = if arguments.stdin {
        let mut reader = context.stdin.reader.borrow_mut();
        let what = "standard input";
        values.read(&mut **reader, true, what, context.interrupt)?;
        what.to_owned()
    } else if let Some(path) = &arguments.leaked {
        values.read_file(path, context.interrupt)?;
        redacted_path(path)
    } else {
        return stored(arguments, context);
    };
    if values.is_full() {
        return Err(Failure::Usage(format!(
            "there are more than {MAXIMUM_VALUES} values in {what}. Split it; nothing was revoked"
        )));
    }
    let endpoint = endpoint_or_ambient(arguments.endpoint.as_deref(), context.environment)?;
    let values = values.into_values();
    let count = match values.len() {
        1 => "the token".to_owned(),
        count => format!("the {count} tokens"),
    };
    Ok(Target {
        question: format!("Revoke {count} in {what} at {endpoint}, for everybody and for good?"),
        values,
        endpoint,
        what,
    })
}

/// A stored token, or the one that is used here.
fn stored(arguments: &Args, context: &Context<'_>) -> Result<Target, Failure> {
    let which = TokenArgs {
        profile: arguments.name.clone(),
        endpoint: arguments.endpoint.clone(),
    };
    let session = Session::open_explicitly(context, &which)?;
    let credential = &session.credential;
    credential.check_sendable()?;
    let described = credential.describe();
    Ok(Target {
        values: vec![Zeroizing::new(credential.token.expose().to_owned())],
        endpoint: credential.endpoint.clone(),
        question: redacted(&format!(
            "Revoke {described} at {}, for everybody and for good?",
            credential.endpoint
        )),
        what: credential.source.describe(),
    })
}

/// The exit code: what is alive comes before what is unknown.
fn code(revoked: &[Revoked]) -> Code {
    let has = |wanted: fn(&State) -> bool| revoked.iter().any(|each| wanted(&each.state));
    if has(|state| matches!(state, State::Alive | State::NotSent(_))) {
        Code::Refused
    } else if has(|state| matches!(state, State::Unverified(_))) {
        Code::Unknown
    } else {
        Code::Success
    }
}

fn show(
    output: &Output<'_, '_>,
    target: &Target,
    revoked: &[Revoked],
    removed: &Removed,
    failure: Option<&Failure>,
    warnings: &[String],
) {
    let names: Vec<String> = removed.names.iter().map(|name| redacted(name)).collect();
    if output.is_json() {
        let tokens: Vec<_> = revoked
            .iter()
            .map(|each| {
                json!({
                    "token": each.mask,
                    "fingerprint": each.digest.fingerprint(),
                    "state": each.state.as_str(),
                    "reason": each.state.reason(),
                })
            })
            .collect();
        output.object(&json!({
            "endpoint": target.endpoint.as_str(),
            "tokens": tokens,
            "removed": names,
            "active": removed.active,
            "warnings": warnings,
            "error": failure.map(Failure::to_json),
        }));
        return;
    }
    let mut page = output.page();
    // Of a long list, only what needs attention.
    let shown: Vec<&Revoked> = revoked
        .iter()
        .filter(|each| revoked.len() <= MOST_ROWS || matches!(each.state, State::Alive))
        .collect();
    if !shown.is_empty() {
        let titles = ["token", "fingerprint", "state"].map(str::to_owned);
        let rows: Vec<Vec<String>> = shown
            .iter()
            .map(|each| {
                let state = each.state.as_str();
                let state = match each.state.reason() {
                    Some(reason) => format!("{state}: {reason}"),
                    None => state.to_owned(),
                };
                vec![
                    each.mask.clone(),
                    each.digest.fingerprint(),
                    redacted(&state),
                ]
            })
            .collect();
        page.table(&titles, &rows);
        page.paragraph("");
    }
    page.paragraph(&summary(revoked, target));
    if !names.is_empty() {
        page.paragraph(&format!("removed from this machine: {}", names.join(", ")));
    } else if removed.active {
        page.paragraph("the active token was removed from this machine");
    }
    output.show(&page);
}

/// How many values are in which state, as a sentence.
fn summary(revoked: &[Revoked], target: &Target) -> String {
    let states = ["dead", "alive", "unverified", "not sent"];
    let counts = states.map(|state| {
        let count = revoked
            .iter()
            .filter(|each| each.state.as_str() == state)
            .count();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    format!("at {}: {}", target.endpoint, counts.join(", "))
}
