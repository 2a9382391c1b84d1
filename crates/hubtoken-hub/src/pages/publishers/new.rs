//! `/settings/publishers/new`: the form, with the fields that suit a provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::{LIST, own_repositories};
use crate::error::HubError;
use crate::pages::error::{PageResult, sentence};
use crate::pages::form::Form;
use crate::pages::view::{FormErrors, Frame, html, see_other};
use crate::pages::visitor::SignedIn;
use crate::registry::{KNOWN_ISSUERS, PublisherTrust, Repository};
use crate::state::HubState;

#[derive(Deserialize)]
pub(in crate::pages) struct ProviderQuery {
    #[serde(default)]
    provider: String,
}

#[derive(Template)]
#[template(path = "publisher_new.html")]
struct NewPage {
    frame: Frame,
    provider: String,
    provider_name: &'static str,
    user: String,
    repositories: Vec<String>,
    fields: Fields,
    errors: FormErrors,
}

/// What is typed into the form.
struct Fields {
    resource: String,
    issuer: String,
    /// The claims that have fields of their own.
    claims: Vec<(String, String)>,
    /// Other claims, one a line.
    more: String,
    keys: String,
}

impl Fields {
    fn empty(provider: &str) -> Self {
        let known = KNOWN_ISSUERS.iter().find(|known| known.slug == provider);
        Self {
            resource: String::new(),
            issuer: known.map_or("", |known| known.issuer).to_owned(),
            claims: known
                .map_or(&[][..], |known| known.claims)
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect(),
            more: String::new(),
            keys: String::new(),
        }
    }

    fn from_form(form: &Form) -> Self {
        let mut fields = Self::empty(form.field("provider"));
        for (name, value) in &mut fields.claims {
            form.field(&format!("claim.{name}"))
                .trim()
                .clone_into(value);
        }
        Self {
            resource: form.field("resource").to_owned(),
            issuer: form.field("issuer").trim().to_owned(),
            more: form.field("more").to_owned(),
            keys: form.field("keys").trim().to_owned(),
            claims: fields.claims,
        }
    }

    fn trust(&self, errors: &mut FormErrors) -> PublisherTrust {
        let mut claims = BTreeMap::new();
        for (name, value) in &self.claims {
            if !value.is_empty() {
                claims.insert(name.clone(), value.clone());
            }
        }
        for line in self.more.lines().map(str::trim) {
            if line.is_empty() {
                continue;
            }
            match line.split_once('=') {
                Some((name, value))
                    if claims
                        .insert(name.trim().to_owned(), value.trim().to_owned())
                        .is_none() => {}
                Some((name, _)) => {
                    errors.add(
                        "more",
                        format!("The claim “{}” is given twice.", name.trim()),
                    );
                }
                None => errors.add(
                    "more",
                    "Write one claim a line, such as ref=refs/heads/main.",
                ),
            }
        }
        PublisherTrust {
            issuer: self.issuer.clone(),
            claims,
            keys: (!self.keys.is_empty()).then(|| self.keys.clone()),
        }
    }
}

pub(in crate::pages) async fn form(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    Query(query): Query<ProviderQuery>,
) -> PageResult {
    let fields = Fields::empty(&query.provider);
    let view = (StatusCode::OK, FormErrors::default());
    page(&state, &signed_in, &query.provider, fields, view).await
}

pub(in crate::pages) async fn create(
    State(state): State<Arc<HubState>>,
    signed_in: SignedIn,
    form: Form,
) -> PageResult {
    let fields = Fields::from_form(&form);
    let mut errors = FormErrors::default();
    let trust = fields.trust(&mut errors);
    let repositories = own_repositories(&state, &signed_in).await?;
    let is_own = fields.resource == signed_in.user()
        || repositories
            .iter()
            .any(|each| each.page() == fields.resource);
    if !is_own {
        errors.add("resource", "Choose one of these.");
    }
    if errors.0.is_empty() {
        let context = signed_in.audit_context(&state);
        let user = Some(signed_in.user());
        match state
            .create_publisher(&fields.resource, user, trust, &context)
            .await
        {
            Ok(publisher) => {
                let notice = format!("{} trusts this publisher now.", publisher.resource);
                signed_in.set_notice(&state, &notice).await?;
                return Ok(see_other(LIST));
            }
            Err(
                HubError::InvalidOption { what, reason }
                | HubError::UnusableOption { what, reason },
            ) => {
                let field = match what.as_str() {
                    "the issuer" => "issuer",
                    "the issuer's JWK set" => "keys",
                    "the claims" if fields.claims.is_empty() => "more",
                    "the claims" => "claims",
                    _ => "resource",
                };
                errors.add(field, sentence(&format!("{what}: {reason}")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let view = (StatusCode::UNPROCESSABLE_ENTITY, errors);
    page(&state, &signed_in, form.field("provider"), fields, view).await
}

async fn page(
    state: &HubState,
    signed_in: &SignedIn,
    provider: &str,
    fields: Fields,
    (status, errors): (StatusCode, FormErrors),
) -> PageResult {
    let known = KNOWN_ISSUERS.iter().find(|known| known.slug == provider);
    let repositories = own_repositories(state, signed_in).await?;
    let page = NewPage {
        frame: signed_in.frame(state, "publishers").await?,
        provider: known.map_or("other", |known| known.slug).to_owned(),
        provider_name: known.map_or("Another provider", |known| known.name),
        user: signed_in.user().to_owned(),
        repositories: repositories.iter().map(Repository::page).collect(),
        fields,
        errors,
    };
    Ok(html(status, &page))
}
