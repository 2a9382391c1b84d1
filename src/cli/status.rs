//! `hubtoken status`: whose the token is, where it comes from, and which other tokens it hides.
//!
//! What this machine knows is shown even if the Hub cannot be reached, because that is when users
//! run it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::advice::{Advice, TokenInUse};
use super::args::{TimeoutArgs, TokenArgs};
use super::context::Context;
use super::error::{Failure, trace_json};
use super::exit_code::Code;
use super::git_helpers;
use super::identity::{identity_json, identity_rows, token_json};
use super::layout::Layout;
use super::list::shown_value;
use super::output::Output;
use super::stored::{Stored, moment};
use super::token_context::{self, Session};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::git::configured_helper::ConfiguredHelper;
use crate::identity::Settings;
use crate::identity::client::Client;
use crate::identity::model::Identity;
use crate::recipient::objection;
use crate::resolve::ambient_endpoint;
use crate::sanitize::{redacted, redacted_path};
use crate::store::Entry;
use crate::trace::{SourceStatus, Trace};

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken status
  hubtoken status --profile ci
  hubtoken status --advice     # what would narrow the token
  hubtoken status --json | jq -r .identity.role

Without a token it names the stored ones, as `hubtoken list` shows them.

--advice compares what the token can do with what the project in this folder requires in its
configuration or has asked for (`hubtoken require`, require_role and require_permission), and has the
links that create narrower tokens. It says nothing where nothing is known.

Exit codes: 0 the token is valid; 1 no token, or the Hub rejects it; 2 the configuration is invalid;
3 the Hub could not be reached, and only what this machine knows is shown.")]
pub struct Args {
    #[command(flatten)]
    which: TokenArgs,
    #[command(flatten)]
    wait: TimeoutArgs,
    /// Say what would narrow the token
    #[arg(long)]
    advice: bool,
}

/// What is known about the token.
#[derive(Default)]
struct Report {
    endpoint: Option<Endpoint>,
    credential: Option<Arc<Credential>>,
    identity: Option<Arc<Identity>>,
    stored: Option<Stored>,
    warnings: Vec<String>,
    trace: Trace,
    git_helpers: Vec<ConfiguredHelper>,
    /// The folder in which processes share what the Hub says, and why it is not used.
    shared_cache: (Option<PathBuf>, Option<String>),
    advice: Vec<Advice>,
    /// Whether the advice is shown, and not only that there is some.
    shows_advice: bool,
    failure: Option<Failure>,
}

/// Runs the verb.
///
/// # Errors
///
/// An invalid endpoint, or an interrupt. Every other failure is part of the report.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    arguments.which.endpoint(context.environment)?;
    let mut report = gather(arguments, context)?;
    report.git_helpers = git_helpers::configured(context);
    report.advice = report.advise(context);
    report.shows_advice = arguments.advice;
    let gone = report
        .git_helpers
        .iter()
        .filter_map(ConfiguredHelper::warning);
    report.warnings.extend(gone);
    if output.is_json() {
        output.object(&report.to_json());
    } else {
        for warning in &report.warnings {
            output.warning(warning);
        }
        let mut page = output.page();
        report.fill(&mut page, context);
        output.show(&page);
        if let Some(failure) = &report.failure {
            output.problem(failure);
        }
    }
    Ok(report.failure.as_ref().map_or(Code::Success, Failure::code))
}

fn gather(arguments: &Args, context: &Context<'_>) -> Result<Report, Failure> {
    let mut report = gather_token(arguments, context)?;
    // After the request, which may have created the folder.
    let settings = Settings::read(context.environment);
    let problem = settings.shared_cache_problem(context.environment);
    report.shared_cache = (settings.shared_cache, problem);
    Ok(report)
}

fn gather_token(arguments: &Args, context: &Context<'_>) -> Result<Report, Failure> {
    let mut report = Report {
        // Even without a token, the Hub it would be sent to is worth showing.
        endpoint: ambient_endpoint(context.environment).ok(),
        ..Report::default()
    };
    let session = match Session::open(context, &arguments.which) {
        Ok(session) => session,
        Err(error) => {
            if let Error::TokenNotFound { trace, .. } = &error {
                report.trace = (**trace).clone();
            }
            report.failure = Some(error.into());
            report.read_stored(context, &context.client());
            return Ok(report);
        }
    };
    // A source after the one in use may be broken in a way that aborts the whole trace; the one in
    // use is still worth showing.
    report.trace = token_context::explain(context, &arguments.which).unwrap_or_default();
    match session.identify(&token_context::fresh(arguments.wait.timeout)) {
        Ok(known) => report.identity = Some(known.identity),
        Err(Error::Interrupted) => return Err(Error::Interrupted.into()),
        Err(error) => report.failure = Some(error.into()),
    }
    report.endpoint = Some(session.credential.endpoint.clone());
    report.warnings.clone_from(&session.warnings);
    let misdirection = token_context::misdirection(context, &session.credential);
    report.warnings.extend(misdirection);
    report.read_stored(context, &session.client);
    report.credential = Some(session.credential);
    Ok(report)
}

impl Report {
    /// Reads the stored tokens. If they cannot be read, the token in use is still worth showing.
    fn read_stored(&mut self, context: &Context<'_>, client: &Client) {
        match Stored::read(context, client) {
            Ok(stored) => self.stored = Some(stored),
            Err(error) => {
                let warning = error.to_string();
                let is_told = self
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.message() == warning);
                if !is_told {
                    self.warnings.push(warning);
                }
            }
        }
    }

    /// The stored tokens with the value of the token in use.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        let credential = self.credential.as_ref();
        let stored = self.stored.as_ref().zip(credential);
        stored
            .into_iter()
            .flat_map(|(stored, credential)| stored.with_value(&credential.token))
    }

    /// What would narrow the token, as far as the Hub says what it can do.
    fn advise(&self, context: &Context<'_>) -> Vec<Advice> {
        let (Some(credential), Some(identity)) = (&self.credential, &self.identity) else {
            return Vec::new();
        };
        let token = TokenInUse {
            credential,
            identity,
            stored: self.stored.as_ref(),
            end: self.end(),
        };
        Advice::about(&token, context)
    }

    /// The earliest known expiry of the token: the Hub's, its source's, or the one that is stored with
    /// it.
    fn end(&self) -> Option<OffsetDateTime> {
        let identity = self.identity.as_ref();
        let stored = self.entries().filter_map(|entry| entry.expires_at);
        let stored = stored.filter_map(moment);
        let credential = self.credential.as_ref();
        let known = credential.and_then(|known| known.expires_at.unix_milliseconds());
        let known = known.and_then(|end| i64::try_from(end / 1000).ok());
        stored
            .chain(identity.and_then(|identity| identity.expires_at))
            .chain(known.and_then(moment))
            .min()
    }

    fn to_json(&self) -> Value {
        let credential = self.credential.as_ref();
        json!({
            "endpoint": self.endpoint.as_ref().map(Endpoint::as_str),
            "token": credential.map(|credential| token_json(credential)),
            "identity": self.identity.as_ref().map(|identity| identity_json(identity)),
            "stored": self.stored.as_ref().map(Stored::to_json),
            "trace": trace_json(&self.trace),
            "git_helpers": self.git_helpers.iter().map(git_helpers::to_json).collect::<Vec<_>>(),
            "warnings": self.warnings,
            "advice": self.advice.iter().map(Advice::to_json).collect::<Vec<_>>(),
            "shared_cache": {
                "folder": self.shared_cache.0.as_deref().map(redacted_path),
                "problem": self.shared_cache.1,
            },
            "error": self.failure.as_ref().map(Failure::to_json_without_trace),
        })
    }

    fn fill(&self, page: &mut Layout, context: &Context<'_>) {
        if let Some(credential) = &self.credential {
            let mask = credential.token.mask();
            let token = format!("{mask} {}", credential.source.provenance());
            page.row("token", &token);
            if let Some(objection) = objection(&credential.token, &credential.endpoint) {
                page.row("not sent", &format!("it {objection}"));
            }
            for entry in self.entries() {
                let unverified = if entry.verified == Some(false) {
                    ", unverified"
                } else {
                    ""
                };
                let place = if entry.keyring.is_some() {
                    ", in the keyring"
                } else {
                    ""
                };
                let name = redacted(&entry.name);
                page.row("stored as", &format!("`{name}`{unverified}{place}"));
            }
        } else {
            page.row("token", "none");
            self.fill_stored(page);
        }
        if let Some(endpoint) = &self.endpoint {
            page.row("endpoint", endpoint.as_str());
        }
        if let Some(identity) = &self.identity {
            let credential = self.credential.as_deref();
            let is_renewed = credential.is_some_and(Credential::renews_itself);
            identity_rows(page, identity, (self.end(), is_renewed), context.now);
        }
        if self.shows_advice && self.advice.is_empty() && self.identity.is_some() {
            page.row(
                "advice",
                "none: nothing is known that would narrow the token",
            );
        } else if self.shows_advice {
            for advice in &self.advice {
                advice.show(page);
            }
        } else if !self.advice.is_empty() {
            let how = match self.advice.len() {
                1 => "it can be narrowed".to_owned(),
                ways => format!("it can be narrowed in {ways} ways"),
            };
            page.row("advice", &format!("{how}: `hubtoken status --advice`"));
        }
        if let (_, Some(problem)) = &self.shared_cache {
            page.row("shared cache", &format!("not used: {problem}"));
        }
        for (label, answer) in [
            ("shadowed", SourceStatus::Shadowed),
            ("broken", SourceStatus::Broken),
            ("refused", SourceStatus::Refused),
            ("not read", SourceStatus::Ignored),
            ("skipped", SourceStatus::Skipped),
        ] {
            let steps: Vec<_> = self
                .trace
                .steps
                .iter()
                .filter(|step| step.status == answer)
                .map(|step| {
                    let mask = step.mask.as_deref().unwrap_or_default();
                    let comma = if mask.is_empty() { "" } else { ", " };
                    (step.source.clone(), format!("{mask}{comma}{}", step.detail))
                })
                .collect();
            page.list(label, &steps);
        }
    }

    /// The stored tokens, none of which is in use.
    fn fill_stored(&self, page: &mut Layout) {
        let Some(stored) = self.stored.as_ref() else {
            return;
        };
        let known = |entry: &Entry| {
            let mask = shown_value(entry);
            let role = entry.role.as_deref().unwrap_or("no role");
            match &entry.user {
                Some(user) => format!("{mask}, {user} ({role})"),
                None if entry.verified == Some(false) => format!("{mask}, unverified"),
                None => mask,
            }
        };
        let items: Vec<(String, String)> = stored
            .entries
            .iter()
            .map(|entry| (redacted(&entry.name), known(entry)))
            .collect();
        page.list("stored", &items);
        if !items.is_empty() {
            let how = "`hubtoken switch NAME` selects one, `hubtoken use NAME` for this folder";
            page.row("", how);
        }
    }
}
