//! `hubtoken list`: the stored tokens, read from the files alone.

use serde_json::json;
use time::OffsetDateTime;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::date;
use super::output::Output;
use super::stored::{Stored, moment};
use crate::sanitize::redacted;
use crate::store::Entry;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken list
  hubtoken list --json | jq -r '.tokens[] | select(.active) | .name'

No request is sent. User, role and age are what the Hub reported at login, or since then to any
program on this machine that used hubtoken. A token that `hf auth login` stored shows `-` until
then, and one that was stored with --no-verify shows `unverified`. The star marks the token that is
used here when none is given. If that is not a stored one, a line says what it is: a variable, a
configuration file, a command. The values of some tokens are in the system's keyring, which is not
asked. Exit codes: 0 even if there is none; 2 the files cannot be read.")]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
///
/// The files cannot be read.
pub fn run(context: &Context<'_>, output: &Output<'_, '_>) -> Result<Code, Failure> {
    let stored = Stored::read(context, &context.client())?;
    let note = stored.note(context);
    if output.is_json() {
        output.object(&json!({
            "tokens": stored.to_json(),
            "token": stored.in_effect_json(),
            "note": note,
            "error": null,
        }));
        return Ok(Code::Success);
    }
    let mut page = output.page();
    if stored.entries.is_empty() {
        page.paragraph("no token is stored. Store one with `hubtoken login`");
    } else {
        let first = &stored.entries[0].endpoint;
        let has_one_endpoint = stored.entries.iter().all(|entry| entry.endpoint == *first);
        let mut titles = vec!["", "name", "token", "user", "role", "age", "expires"];
        if !has_one_endpoint {
            titles.push("endpoint");
        }
        let rows: Vec<Vec<String>> = stored
            .entries
            .iter()
            .map(|entry| {
                let mut row = row(entry, stored.is_active(entry), context.now);
                if !has_one_endpoint {
                    row.push(entry.endpoint.to_string());
                }
                row
            })
            .collect();
        let titles: Vec<String> = titles.into_iter().map(str::to_owned).collect();
        page.table(&titles, &rows);
        page.paragraph("");
        page.paragraph(&if has_one_endpoint {
            format!("for {first}, stored in {}", stored.place)
        } else {
            format!("stored in {}", stored.place)
        });
    }
    if let Some(note) = note {
        page.paragraph(&note);
    }
    output.show(&page);
    Ok(Code::Success)
}

/// The mask, or where the value is.
pub fn shown_value(entry: &Entry) -> String {
    match &entry.token {
        Ok(token) => token.mask(),
        Err(_) if entry.keyring.is_some() => "in the keyring".to_owned(),
        Err(_) => "broken".to_owned(),
    }
}

fn row(entry: &Entry, is_active: bool, now: OffsetDateTime) -> Vec<String> {
    let is_unverified = entry.verified == Some(false);
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let days = |created: OffsetDateTime| format!("{} days", (now - created).whole_days().max(0));
    let expires = match entry.expires_at.and_then(moment) {
        Some(moment) if moment <= now && entry.renewable => {
            format!("{}, renewed when used", date(moment))
        }
        Some(moment) if moment <= now => format!("{}, past", date(moment)),
        Some(moment) if entry.renewable => format!("{}, renewed before", date(moment)),
        Some(moment) => date(moment),
        None if entry.verified == Some(true) => "never".to_owned(),
        None => "-".to_owned(),
    };
    vec![
        if is_active { "*" } else { "" }.to_owned(),
        redacted(&entry.name),
        shown_value(entry),
        known(&entry.user),
        if is_unverified {
            "unverified".to_owned()
        } else {
            known(&entry.role)
        },
        entry
            .created_at
            .and_then(moment)
            .map_or_else(|| "-".to_owned(), days),
        expires,
    ]
}
