//! `hubtoken oidc`: what the id token of this CI job states, and what it would be exchanged for.
//!
//! A Hub that refuses an exchange does not say which claim did not match. This shows the claims of
//! the job, what the token is for, and the trusted publisher that would match, without the id token
//! itself. Nothing is exchanged.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::{date, distance, timestamp};
use super::layout::Layout;
use super::output::Output;
use super::stored::moment;
use crate::endpoint::Endpoint;
use crate::env;
use crate::error::Error;
use crate::identity::Settings;
use crate::oauth::{Claims, IdTokenSource, Resource};
use crate::resolve::ambient_endpoint;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken oidc                     in a job of a CI
  hubtoken oidc --json | jq .publisher

The id token is HF_OIDC_ID_TOKEN, or is requested from GitHub Actions; it is never shown, and
nothing is exchanged for it. `hubtoken status` makes the exchange and asks the Hub about the token.

Exit codes: 0 the claims are shown; 1 GitHub Actions refuses an id token; 2 there is none, or
HF_OIDC_RESOURCE is invalid; 3 GitHub Actions could not be reached.")]
pub struct Args {}

/// What the job could exchange.
struct Report {
    resource: Option<Resource>,
    endpoint: Endpoint,
    id_tokens: IdTokenSource,
    claims: Option<Claims>,
}

/// Runs the verb.
///
/// # Errors
///
/// No id token, an invalid resource or endpoint, or an interrupt.
pub fn run(context: &Context<'_>, output: &Output<'_, '_>) -> Result<Code, Failure> {
    let report = gather(context)?;
    if output.is_json() {
        output.object(&report.to_json(context.now));
    } else {
        for warning in report.warnings(context.now) {
            output.warning(&warning);
        }
        let mut page = output.page();
        report.fill(&mut page, context.now);
        output.show(&page);
    }
    Ok(Code::Success)
}

fn gather(context: &Context<'_>) -> Result<Report, Error> {
    let environment = context.environment;
    let resource = env::text(environment, env::HF_OIDC_RESOURCE);
    let resource = resource.map(|text| Resource::parse(&text)).transpose()?;
    let endpoint = ambient_endpoint(environment)?;
    let id_tokens = IdTokenSource::read(environment)?;
    let settings = Settings::read(environment);
    let hub = context.client().token_endpoint(&endpoint, &settings);
    let claims = id_tokens.fetch(&hub, context.interrupt)?.claims();
    Ok(Report {
        resource,
        endpoint,
        id_tokens,
        claims,
    })
}

impl Report {
    /// Why an exchange would be refused, as far as that can be seen here.
    fn warnings(&self, now: OffsetDateTime) -> Vec<String> {
        let Some(claims) = &self.claims else {
            return vec!["the id token has no claims that can be read".to_owned()];
        };
        let mut warnings = Vec::new();
        if !claims.is_for(self.endpoint.as_str()) {
            warnings.push(format!(
                "the audience (aud) of the id token is {}, and {} accepts its own address alone: \
                 request the id token for {}",
                claims.get("aud").unwrap_or("missing"),
                self.endpoint,
                self.endpoint
            ));
        }
        if self.expires_at().is_some_and(|end| end <= now) {
            warnings.push(format!(
                "the id token has expired: set {} to a new one, shortly before it is needed",
                env::HF_OIDC_ID_TOKEN
            ));
        }
        if self.resource.is_none() {
            warnings.push(format!(
                "{} is not set, so nothing is exchanged",
                env::HF_OIDC_RESOURCE
            ));
        }
        warnings
    }

    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.claims.as_ref()?.expires_at().and_then(moment)
    }

    /// The issuer, and the claims that tell this job from others.
    fn publisher(&self) -> Option<(&str, Vec<(&str, &str)>)> {
        let claims = self.claims.as_ref()?;
        Some((claims.get("iss")?, claims.telling()))
    }

    fn to_json(&self, now: OffsetDateTime) -> Value {
        let object = |fields: Vec<(&str, &str)>| -> Map<String, Value> {
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect()
        };
        let claims = self.claims.as_ref().map(|claims| {
            let fields = claims.fields().iter();
            object(
                fields
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect(),
            )
        });
        let publisher = self.publisher().map(|(issuer, claims)| {
            json!({
                "resource": self.resource.as_ref().map(ToString::to_string),
                "issuer": issuer,
                "claims": object(claims),
                "url": self.settings_url(),
            })
        });
        json!({
            "endpoint": self.endpoint.as_str(),
            "resource": self.resource.as_ref().map(ToString::to_string),
            "id_token": {
                "source": match &self.id_tokens {
                    IdTokenSource::Given(_) => "variable",
                    IdTokenSource::GitHub(_) => "github",
                },
                "expires_at": self.expires_at().and_then(timestamp),
                "claims": claims,
            },
            "publisher": publisher,
            "warnings": self.warnings(now),
            "error": null,
        })
    }

    fn settings_url(&self) -> Option<String> {
        let resource = self.resource.as_ref()?;
        Some(resource.settings_url(&self.endpoint))
    }

    fn fill(&self, page: &mut Layout, now: OffsetDateTime) {
        match &self.resource {
            Some(resource) => {
                page.strong_row("resource", &resource.to_string());
                page.row("", &format!("its token {}", resource.describe_right()));
            }
            None => page.row("resource", "none"),
        }
        page.row("endpoint", self.endpoint.as_str());
        page.row("id token", &format!("from {}", self.id_tokens.describe()));
        if let Some(end) = self.expires_at() {
            page.row(
                "expires",
                &format!("{} ({})", date(end), distance(end, now)),
            );
        }
        if let Some(claims) = &self.claims {
            page.list("claims", claims.fields());
        }
        let Some((issuer, claims)) = self.publisher() else {
            return;
        };
        page.row(
            "publisher",
            &format!("a trusted publisher that matches: issuer {issuer}"),
        );
        for (name, value) in claims {
            page.row("", &format!("{name} = {value}"));
        }
        if let Some(url) = self.settings_url() {
            page.row("", &format!("add it at {url}"));
        }
    }
}
