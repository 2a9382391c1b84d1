//! `hubtoken list`: the stored tokens, read from the files alone.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::{date, timestamp};
use super::output::Output;
use super::token_context;
use crate::paths;
use crate::sanitize::redacted;
use crate::store::Entry;
use crate::token::Token;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken list
  hubtoken list --json | jq -r '.tokens[] | select(.active) | .name'

No request is sent. User, role and age are what the Hub reported at login; a token that
`hf auth login` stored shows `-`. Exit codes: 0 even if there is none; 2 the files cannot be read.")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
///
/// The files cannot be read.
pub fn run(context: &Context<'_>, output: &Output<'_, '_>) -> Result<Code, Failure> {
    let token_store = token_context::token_store(context)?;
    let entries = token_store.list()?.collect::<Result<Vec<_>, _>>()?;
    let path = token_store.path();
    if output.is_json() {
        let tokens: Value = entries
            .iter()
            .map(|entry| to_json(entry, &path.display().to_string()))
            .collect();
        output.object(&json!({ "tokens": tokens, "error": null }));
        return Ok(Code::Success);
    }
    let mut page = output.page();
    if entries.is_empty() {
        page.paragraph("no token is stored. Store one with `hubtoken login`");
    } else {
        let place = paths::display(path, paths::home(context.environment).as_deref());
        let titles = [
            "",
            "name",
            "token",
            "user",
            "role",
            "endpoint",
            "age",
            "expires",
            "stored in",
        ];
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| row(entry, &place, context.now))
            .collect();
        page.table(&titles.map(str::to_owned), &rows);
    }
    output.show(&page);
    Ok(Code::Success)
}

fn to_json(entry: &Entry, place: &str) -> Value {
    json!({
        "name": redacted(&entry.name),
        "mask": entry.token.as_ref().ok().map(Token::mask),
        "user": entry.user,
        "role": entry.role,
        "endpoint": entry.endpoint.as_str(),
        "created_at": entry.created_at.and_then(moment).and_then(timestamp),
        "expires_at": entry.expires_at.and_then(moment).and_then(timestamp),
        "active": entry.active,
        "stored_in": place,
        "problem": entry.token.as_ref().err().map(ToString::to_string),
    })
}

fn row(entry: &Entry, place: &str, now: OffsetDateTime) -> Vec<String> {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let days = |created: OffsetDateTime| format!("{} days", (now - created).whole_days().max(0));
    let expires = |moment: OffsetDateTime| {
        let past = if moment <= now { ", past" } else { "" };
        format!("{}{past}", date(moment))
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        if entry.active { "*" } else { "" }.to_owned(),
        redacted(&entry.name),
        entry
            .token
            .as_ref()
            .map_or_else(|_| "broken".to_owned(), Token::mask),
        known(&entry.user),
        known(&entry.role),
        entry.endpoint.to_string(),
        or_dash(entry.created_at.and_then(moment).map(days)),
        or_dash(entry.expires_at.and_then(moment).map(expires)),
        place.to_owned(),
    ]
}

fn moment(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
