//! Git over HTTP: clone, fetch and push with a token as the password.
//!
//! A repository is a bare git repository already, so what is pushed is at once what the API serves, and the other way
//! round: there is one storage. The protocol is git's own affair. `git http-backend` is run for each request, in
//! surroundings that we set (`program`), and bodies pass through in bounded memory (`gateway`); we decide who may ask
//! for what, before anything runs and again before a push is taken over (`push`), and say why not (`refusal`).
//!
//! ```text
//! request ─► access ─► place ─► git http-backend ─► git receive-pack ─► pre-receive ─┐
//!                                     ▲   │                                           │ may it be taken over?
//!                 body, inflated ─────┘   └─► answer, as it comes     access, again ◄─┘
//! ```
//!
//! Without the program `git` the rest of the Hub works, and this says so.

pub(super) mod blob;
mod child;
mod feed;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gateway;
mod inflate;
mod program;
mod push;
mod question;
pub(super) mod refusal;
mod relay;
pub(super) mod service;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};

use self::gateway::{Call, Service};
use self::refusal::open_to_write;
use super::access::Action;
use super::answers::{Answer, ApiError};
use super::authentication::Caller;
use super::extract::body::drain;
use super::extract::repository::Address;
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

/// Where references point: how every clone, fetch and push begins.
async fn references(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let service = match query.as_deref() {
        Some("service=git-upload-pack") => Service::UploadPack,
        Some("service=git-receive-pack") => Service::ReceivePack,
        _ => {
            return Err(ApiError::bad_request(
                "This Hub speaks git's smart protocol alone: `service` must be git-upload-pack or git-receive-pack",
            ));
        }
    };
    let call = open(state, caller, address, headers, service).await?;
    call.advertise().await
}

async fn upload_pack(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    serve(state, caller, address, headers, body, Service::UploadPack).await
}

async fn receive_pack(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    serve(state, caller, address, headers, body, Service::ReceivePack).await
}

async fn serve(
    state: Arc<HubState>,
    caller: Caller,
    address: Address,
    headers: HeaderMap,
    body: Body,
    service: Service,
) -> Answer {
    let admitted = match expects(&headers, service) {
        Ok(()) => open(state, caller, address, headers, service).await,
        Err(error) => Err(error),
    };
    match admitted {
        Ok(call) => call.serve(body).await,
        Err(error) => {
            drain(body).await;
            Err(error)
        }
    }
}

/// The content type keeps web pages out: no form and no simple request of a browser can send it.
fn expects(headers: &HeaderMap, service: Service) -> Result<(), ApiError> {
    let expected = format!("application/x-{}-request", service.name());
    match headers.get(CONTENT_TYPE) {
        Some(given) if given.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("The content type must be {expected}"),
        )),
    }
}

/// Lets a request in: a repository that is there, to which the caller may do this.
async fn open(
    state: Arc<HubState>,
    caller: Caller,
    address: Address,
    headers: HeaderMap,
    service: Service,
) -> Result<Call, ApiError> {
    let address = address.without_git_ending();
    let repository = match service {
        Service::UploadPack => address.open(&state, &caller, Action::Read).await?,
        Service::ReceivePack => open_to_write(&state, &caller, &address).await?,
    };
    // Its folder is there, and what a killed Hub left in it is gone.
    state.on_content(&repository, |_| Ok(())).await?;
    Ok(Call {
        state,
        caller,
        address,
        repository,
        service,
        headers,
    })
}
