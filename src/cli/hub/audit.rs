//! `hubtoken hub audit`: shows who did what to what, when, and from where.

use reqwest::Method;
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::admin_client::{Admin, DataArgs};
use super::rendering::{Reply, renamed};
use super::run_admin::run_admin;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::identity::timestamp;
use crate::cli::output::Output;
use crate::token::ELLIPSIS;

/// How many entries the Hub returns per page.
const PAGE: u32 = 1000;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub audit --limit 20
  hubtoken hub audit --user alice --since 2026-01-31
  hubtoken hub audit --organization acme --act approval --json

The newest entries come first. An entry identifies a token by its ID, its name and its last four
characters, never by its value.")]
pub struct Args {
    /// Actions by this user, and on this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Actions in this organization
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// Only this action, such as token.refresh, or token for all actions on tokens
    #[arg(long, value_name = "ACT")]
    act: Option<String>,
    /// Not before this day or time, in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// The maximum number of entries
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    place: DataArgs,
}

/// Parses a day, or a time on a day.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| {
            Date::parse(text, format_description!("[year]-[month]-[day]"))
                .map(|day| day.midnight().assume_utc())
        })
        .map_err(|_| "a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// Runs the verb.
///
/// # Errors
///
/// The Hub reports an error, or no Hub is running.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    run_admin(&arguments.place, context, output, |admin| {
        Ok(reply(arguments.entries(admin)?, output.is_json()))
    })
}

impl Args {
    /// Reads entries page by page.
    fn entries(&self, admin: &Admin<'_>) -> Result<Vec<Value>, Failure> {
        let mut entries = Vec::new();
        let mut before: Option<i64> = None;
        let mut left = self.limit;
        while left > 0 {
            let asked = left.min(PAGE);
            let parameters: Vec<(&str, String)> = [
                ("user", self.user.clone()),
                ("organization", self.organization.clone()),
                ("act", self.act.clone()),
                ("since", self.since.and_then(timestamp)),
                ("before", before.map(|id| id.to_string())),
                ("limit", Some(asked.to_string())),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
            let mut answer = admin.ask_with(Method::GET, &["audit"], &parameters, None)?;
            if let Some(Value::Array(page)) = answer.get_mut("entries").map(Value::take) {
                left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(left));
                entries.extend(page);
            }
            before = answer["next"].as_i64();
            if before.is_none() {
                break;
            }
        }
        Ok(entries)
    }
}

/// In JSON an entry has all its fields; the table combines some of them into one column.
fn reply(entries: Vec<Value>, is_json: bool) -> Reply {
    let (items, columns): (Value, &[&str]) = if is_json {
        (entries.into(), &[])
    } else {
        let rows = entries.into_iter().map(|entry| row(&renamed(entry)));
        let columns = &["when", "who", "act", "on", "detail", "address"];
        (rows.collect(), columns)
    };
    Reply::List {
        field: "entries",
        items,
        columns,
    }
}

/// An entry as a table row.
fn row(entry: &Value) -> Value {
    let text = |field: &str| entry[field].as_str().map(ToOwned::to_owned);
    let token = text("token_name").map(|name| {
        format!(
            "token `{name}` (hf_{ELLIPSIS}{})",
            text("last4").unwrap_or_default()
        )
    });
    let parts = [
        text("organization"),
        text("repository"),
        text("user"),
        token,
    ];
    let on: Vec<String> = parts.into_iter().flatten().collect();
    let when = text("at").map(|at| at.replace('T', " ").chars().take(19).collect::<String>());
    let mut row = Map::new();
    for (name, value) in [
        ("when", when),
        ("who", text("actor_name").or_else(|| text("actor"))),
        ("act", text("act")),
        ("on", Some(on.join(", "))),
        ("detail", text("detail")),
        ("address", text("address")),
    ] {
        row.insert(name.to_owned(), value.into());
    }
    Value::Object(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn days_and_moments() {
        let day = moment("2026-01-31").unwrap();
        assert_eq!(moment("2026-01-31T00:00:00Z").unwrap(), day);
        assert_eq!(moment("2026-01-31T02:00:00+02:00").unwrap(), day);
        for wrong in ["", "yesterday", "31.1.2026", "2026-02-30"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_entry_is_a_line() {
        let entry = json!({
            "at": "2026-01-02T03:04:05.678Z", "act": "token.create", "actor": "admin-key",
            "actor_name": null, "address": "127.0.0.1", "user": "alice", "organization": null,
            "token_name": "ci", "last4": "abcd", "repository": null, "detail": "read",
        });
        assert_eq!(
            row(&entry),
            json!({
                "when": "2026-01-02 03:04:05", "who": "admin-key", "act": "token.create",
                "on": "alice, token `ci` (hf_…abcd)", "detail": "read", "address": "127.0.0.1",
            })
        );
    }
}
