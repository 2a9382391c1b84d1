//! Git over HTTP: clone, fetch and push, with a token as the password.
//!
//! A repository is a bare git repository, so pushes and the API share one storage and see each
//! other's changes at once. Each request runs `git http-backend` in a controlled environment
//! (`command`), and bodies are streamed in bounded memory (`http_backend`). The Hub checks authorization
//! before anything runs and again before a push is accepted (`hook_channel`), and explains a denial
//! (`push_errors`).
//!
//! ```text
//! request ─► access ─► permit ─► git http-backend ─► git receive-pack ─► pre-receive
//!                                     ▲   │                                   ▲
//!                 body, inflated ─────┘   └─► response, streamed              └─ access, again
//! ```
//!
//! If `git` is not installed, the rest of the Hub works, and these routes respond with an error
//! that says so.

pub(super) mod blob;
mod command;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hook_channel;
mod http_backend;
mod inflate;
mod pre_receive;
mod process_group;
pub(super) mod push_errors;
pub(super) mod service;
mod stdin;
mod stdout;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};

use self::http_backend::{GitRequest, Service};
use self::push_errors::open_for_writing;
use super::auth::access::Action;
use super::auth::authentication::Caller;
use super::extract::body::drain;
use super::extract::repository::RepositoryRef;
use super::response::{ApiError, ApiResult};
use super::state::HubState;

pub(crate) fn routes() -> Router<Arc<HubState>> {
    let mut router = Router::new();
    for prefix in ["", "/datasets", "/spaces"] {
        let repository = format!("{prefix}/{{namespace}}/{{name}}");
        router = router
            .route(&format!("{repository}/info/refs"), get(references))
            .route(&format!("{repository}/git-upload-pack"), post(upload_pack))
            .route(
                &format!("{repository}/git-receive-pack"),
                post(receive_pack),
            );
    }
    router.layer(DefaultBodyLimit::disable())
}

/// Lists the references, which is how every clone, fetch and push begins.
async fn references(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> ApiResult {
    let service = match query.as_deref() {
        Some("service=git-upload-pack") => Service::UploadPack,
        Some("service=git-receive-pack") => Service::ReceivePack,
        _ => {
            return Err(ApiError::bad_request(
                "This Hub supports only git's smart protocol: `service` must be git-upload-pack or \
                 git-receive-pack",
            ));
        }
    };
    let request = open(state, caller, target, headers, service).await?;
    request.advertise().await
}

async fn upload_pack(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    serve(state, caller, target, headers, body, Service::UploadPack).await
}

async fn receive_pack(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    serve(state, caller, target, headers, body, Service::ReceivePack).await
}

async fn serve(
    state: Arc<HubState>,
    caller: Caller,
    target: RepositoryRef,
    headers: HeaderMap,
    body: Body,
    service: Service,
) -> ApiResult {
    let accepted = match check_content_type(&headers, service) {
        Ok(()) => open(state, caller, target, headers, service).await,
        Err(error) => Err(error),
    };
    match accepted {
        Ok(request) => request.serve(body).await,
        Err(error) => {
            drain(body).await;
            Err(error)
        }
    }
}

/// Checks the content type, which protects against web pages: no HTML form or CORS-simple request
/// can send this type.
fn check_content_type(headers: &HeaderMap, service: Service) -> Result<(), ApiError> {
    let expected = format!("application/x-{}-request", service.name());
    match headers.get(CONTENT_TYPE) {
        Some(given) if given.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("The content type must be {expected}"),
        )),
    }
}

/// Authorizes a request: the repository must exist, and the caller must have access.
async fn open(
    state: Arc<HubState>,
    caller: Caller,
    target: RepositoryRef,
    headers: HeaderMap,
    service: Service,
) -> Result<GitRequest, ApiError> {
    let target = target.without_git_suffix();
    let repository = match service {
        Service::UploadPack => target.open(&state, &caller, Action::Read).await?,
        Service::ReceivePack => open_for_writing(&state, &caller, &target).await?,
    };
    // Ensures that its folder exists and that leftovers of a killed Hub are removed.
    state.with_repository(&repository, |_| Ok(())).await?;
    Ok(GitRequest {
        state,
        caller,
        target,
        repository,
        service,
        headers,
    })
}
