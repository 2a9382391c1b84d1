//! The exchange of an id token of a CI job for a token of this Hub (RFC 8693): the Hub's
//! side of a trusted publisher.
//!
//! The order matters. An issuer's keys are only fetched if a publisher of the wanted resource names
//! that issuer, and a caller who has not proved anything learns nothing: a repository that does not
//! exist, one without publishers, and one with other publishers give the same answer. Once the
//! signature is verified, the answer says which claim does not match, because that is what people
//! need to know; it says what the id token has there, not what the publisher wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use serde_json::json;
use time::Duration;
use url::Url;

use super::error::{OAuthError, uncacheable};
use super::id_token::{IdToken, IdTokenProblem, Mismatch, VerifiedIdToken};
use super::issue::{Issued, issue};
use super::issuer_keys::FetchProblem;
use super::jwk_set::PublicKeys;
use super::parameters::Parameters;
use crate::auth::authentication::address_key;
use crate::error::HubError;
use crate::local_url::is_on_this_machine;
use crate::registry::{
    AuditAction, AuditContext, Entity, EntityType, IssuedGrant, LoginScope, LoginScopes, Publisher,
    Repository, RepositoryType, Resource, Subject, UsedIdToken,
};
use crate::state::HubState;

pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How long an issued token is valid, as on the real Hub.
const LIFETIME: Duration = Duration::hours(1);
/// The longest name under which a token is listed, in characters.
const MAX_NAME: usize = 100;

/// What was asked for, as far as it exists.
struct Target {
    /// As it was written.
    resource: String,
    repository: Option<Repository>,
    publishers: Vec<Publisher>,
}

pub(super) async fn exchange(
    state: &Arc<HubState>,
    extensions: &Extensions,
    context: &AuditContext,
    parameters: &Parameters,
) -> Result<Response, OAuthError> {
    let limit = state
        .services
        .oauth
        .exchanges
        .hit(address_key(extensions), context.at);
    if limit.exceeded {
        return Err(OAuthError::RateLimited(limit));
    }
    let required = |name: &str| {
        parameters
            .get(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("`{name}` is missing")))
    };
    if required("subject_token_type")? != ID_TOKEN {
        return Err(OAuthError::invalid_request(format!(
            "`subject_token_type` must be {ID_TOKEN}: this Hub exchanges nothing else"
        )));
    }
    let (token, resource) = (required("subject_token")?, required("resource")?);
    let target = find(state, resource).await?;
    let token = IdToken::parse(token).map_err(|problem| refused(&problem))?;
    let (publisher, verified) = match_publisher(state, context, &target, &token).await?;
    let issued = issue_for(state, context, &target, &publisher, &verified).await?;
    Ok(answer(&issued, context))
}

async fn find(state: &HubState, resource: &str) -> Result<Target, OAuthError> {
    let parsed = Resource::parse(resource)
        .map_err(|error: HubError| OAuthError::invalid_request(error.to_string()))?;
    let registry = &state.registry;
    let (repository, publishers) = match parsed {
        Resource::Repository(kind, namespace, name) => {
            match registry.find_repository(kind, namespace, name).await? {
                Some(found) => {
                    let publishers = registry.publishers_of_repository(&found.id).await?;
                    (Some(found), publishers)
                }
                None => (None, Vec::new()),
            }
        }
        Resource::User(name) => match registry.user(name).await {
            Ok(user) => (None, registry.publishers_of_user(&user.id).await?),
            Err(HubError::UnknownUser { .. }) => (None, Vec::new()),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Target {
        resource: resource.to_owned(),
        repository,
        publishers,
    })
}

/// The publisher that trusts an id token.
async fn match_publisher(
    state: &Arc<HubState>,
    context: &AuditContext,
    target: &Target,
    token: &IdToken,
) -> Result<(Publisher, VerifiedIdToken), OAuthError> {
    // Each set of keys is used once, however many publishers have it.
    let mut by_keys: BTreeMap<Option<&str>, Vec<&Publisher>> = BTreeMap::new();
    for publisher in &target.publishers {
        if publisher.issuer == token.issuer() {
            let keys = publisher.keys.as_deref();
            by_keys.entry(keys).or_default().push(publisher);
        }
    }
    let mut failure = None;
    let mut nearest: Option<Vec<Mismatch>> = None;
    for (keys, publishers) in by_keys {
        let keys = match keys_of(state, context, token, keys).await {
            Ok(keys) => keys,
            Err(problem) => {
                failure.get_or_insert_with(|| unavailable(problem));
                continue;
            }
        };
        let verified = match token.verify(&keys, &state.endpoint, context.at) {
            Ok(verified) => verified,
            Err(problem) => {
                failure = Some(refused(&problem));
                continue;
            }
        };
        for publisher in publishers {
            let mismatches = verified.mismatches(&publisher.claims);
            if mismatches.is_empty() {
                return Ok((publisher.clone(), verified));
            }
            if nearest
                .as_ref()
                .is_none_or(|best| mismatches.len() < best.len())
            {
                nearest = Some(mismatches);
            }
        }
    }
    if let Some(mismatches) = nearest {
        return Err(refuse_claims(state, context, target, &mismatches).await?);
    }
    Err(failure.unwrap_or_else(|| {
        OAuthError::invalid_grant(format!(
            "{} does not exist, or has no trusted publisher with the issuer of this id token",
            target.resource
        ))
    }))
}

async fn keys_of(
    state: &HubState,
    context: &AuditContext,
    token: &IdToken,
    own: Option<&str>,
) -> Result<Arc<PublicKeys>, FetchProblem> {
    if let Some(own) = own {
        let keys = PublicKeys::parse(own.as_bytes()).map_err(FetchProblem::Keys)?;
        return Ok(Arc::new(keys));
    }
    // What others can reach must not be made to ask the machine that it runs on.
    let allow_local = Url::parse(&state.endpoint).is_ok_and(|url| is_on_this_machine(&url));
    let has_key = |keys: &PublicKeys| token.has_key_in(keys);
    let issuers = &state.services.oauth.issuers;
    issuers
        .get(token.issuer(), allow_local, context.at, has_key)
        .await
}

async fn issue_for(
    state: &HubState,
    context: &AuditContext,
    target: &Target,
    publisher: &Publisher,
    verified: &VerifiedIdToken,
) -> Result<Issued, OAuthError> {
    let user = state.registry.user(&publisher.user).await?;
    let grant = match &target.repository {
        Some(repository) => {
            if let Some(reason) = state.why_not_publish(&user, repository).await? {
                return Err(OAuthError::invalid_grant(reason));
            }
            IssuedGrant::Repository(entity(repository))
        }
        None => IssuedGrant::Scopes(LoginScopes::of([LoginScope::GatedRepos])),
    };
    let name: String = verified
        .subject
        .chars()
        .filter(|each| !each.is_control())
        .take(MAX_NAME)
        .collect();
    let exchanged = UsedIdToken {
        publisher_id: &publisher.id,
        digest: &verified.digest,
        expires_at: verified.expires_at,
    };
    match issue(state, (&user, &name), &grant, LIFETIME, exchanged, context).await {
        Ok(issued) => Ok(issued),
        Err(error @ HubError::UsedIdToken) => {
            record_refusal(state, context, target, "the id token was used before").await?;
            Err(OAuthError::invalid_grant(error.to_string()))
        }
        Err(HubError::UnknownPublisher { .. }) => Err(OAuthError::invalid_grant(
            "the trusted publisher was deleted just now",
        )),
        Err(error) => Err(error.into()),
    }
}

async fn refuse_claims(
    state: &HubState,
    context: &AuditContext,
    target: &Target,
    mismatches: &[Mismatch],
) -> Result<OAuthError, HubError> {
    let shown: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    let shown = shown.join(", and ");
    record_refusal(state, context, target, &shown).await?;
    Ok(OAuthError::invalid_grant(format!(
        "no trusted publisher of {} matches the claims of the id token: {shown}",
        target.resource
    )))
}

async fn record_refusal(
    state: &HubState,
    context: &AuditContext,
    target: &Target,
    reason: &str,
) -> Result<(), HubError> {
    let subject = match &target.repository {
        Some(repository) => {
            Subject::repository(repository.page()).in_organization(&repository.namespace)
        }
        None => Subject::user(&target.resource),
    };
    let subject = subject.with_detail(reason);
    state
        .registry
        .record(AuditAction::PublisherRefuse, subject, context)
        .await
}

fn entity(repository: &Repository) -> Entity {
    Entity {
        id: repository.id.clone(),
        kind: match repository.kind {
            RepositoryType::Model => EntityType::Model,
            RepositoryType::Dataset => EntityType::Dataset,
            RepositoryType::Space => EntityType::Space,
        },
        name: repository.full_name(),
    }
}

fn refused(problem: &IdTokenProblem) -> OAuthError {
    OAuthError::invalid_grant(format!("the id token {problem}"))
}

/// Says nothing about the id token, so the status is not that of a refusal.
fn unavailable(problem: FetchProblem) -> OAuthError {
    OAuthError::Protocol {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "temporarily_unavailable",
        description: format!("the keys of the id token's issuer {problem}"),
    }
}

fn answer(issued: &Issued, context: &AuditContext) -> Response {
    let left = (issued.expires_at - context.at).whole_seconds().max(0);
    let body = json!({
        "access_token": issued.value.reveal(),
        "token_type": "bearer",
        "expires_in": left,
        "issued_token_type": ACCESS_TOKEN,
    });
    uncacheable(StatusCode::OK, &body)
}
