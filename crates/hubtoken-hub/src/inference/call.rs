//! Routes for inference requests, and the upstream paths that they can reach.
//!
//! Only known paths below a model are forwarded. They are an allowlist rather than a rule about
//! dots and slashes: a client's path is compared with the list and never joined to a URL.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::admission::Guest;
use super::forward::{Destination, forward};
use super::incoming::{Head, Incoming};
use super::outgoing::Pump;
use super::upstream::{Server, Upstreams};
use crate::answers::ApiError;
use crate::authentication::Caller;
use crate::extract::body::drain;
use crate::state::HubState;

/// The paths allowed below a model: the inference endpoints of vLLM, TGI and llama.cpp. Their
/// administrative endpoints (adapters, slots, metrics) are not for token holders.
const BELOW: [&str; 10] = [
    "v1/chat/completions",
    "v1/completions",
    "v1/embeddings",
    "v1/messages",
    "v1/rerank",
    "v1/responses",
    "embed",
    "generate",
    "generate_stream",
    "rerank",
];
/// A task of a model that supports several, such as `pipeline/feature-extraction`.
const PIPELINE: &str = "pipeline/";

/// A parsed path below `/models/`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub model: String,
    /// The path at the upstream, with a leading slash.
    pub path: String,
    pub is_json: bool,
}

/// Handles requests that name the model in the body.
pub(super) async fn by_body(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    answer(state, caller, request, Model::InBody { path }).await
}

/// Handles requests that name the model in the path. If the body names a different model, the
/// caller needs access to that one as well.
pub(super) async fn by_path(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    request: Request,
) -> Response {
    let asked = asked(request.uri(), &state.inference.upstreams);
    answer(state, caller, request, Model::InPath(asked)).await
}

enum Model {
    InBody { path: String },
    InPath(Option<Asked>),
}

async fn answer(state: Arc<HubState>, caller: Caller, request: Request, model: Model) -> Response {
    let (parts, body) = request.into_parts();
    let (guest, standing) = match Guest::enter(&state, caller, &parts.extensions) {
        Ok(entered) => entered,
        Err(error) => return refuse(error, body).await.into_response(),
    };
    let answered = match guest.may_call() {
        Ok(()) => call(&state, guest, (&parts.uri, &parts.headers), body, model).await,
        Err(error) => Err(refuse(error, body).await),
    };
    match (answered, standing) {
        (Ok(mut response), Some(standing)) => {
            response.extensions_mut().insert(standing);
            response
        }
        (Ok(response), None) => response,
        (Err(error), Some(standing)) => error.with_standing(standing).into_response(),
        (Err(error), None) => error.into_response(),
    }
}

async fn refuse(error: ApiError, body: Body) -> ApiError {
    drain(body).await;
    error
}

async fn call(
    state: &Arc<HubState>,
    guest: Guest,
    (uri, headers): (&Uri, &HeaderMap),
    body: Body,
    model: Model,
) -> Result<Response, ApiError> {
    let is_json = match &model {
        Model::InBody { .. } => true,
        Model::InPath(Some(asked)) => asked.is_json,
        Model::InPath(None) => return Err(refuse(ApiError::page_not_found(), body).await),
    };
    if is_json && headers.contains_key(CONTENT_ENCODING) {
        let error = ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The request body must not be compressed",
        );
        return Err(refuse(error, body).await);
    }
    let mut incoming = match Incoming::new(body, is_json) {
        Ok(incoming) => incoming,
        Err((error, body)) => return Err(refuse(error, body).await),
    };
    let found = find(state, &guest, &mut incoming, model).await;
    let (server, path, head) = match found {
        Ok(found) => found,
        Err(error) => {
            incoming.drain().await;
            return Err(error);
        }
    };
    if let Some(token) = guest.token() {
        state.inference.usage.count(&state.registry, token);
    }
    let destination = Destination {
        url: server.url(&path, uri.query()),
        server,
        is_json,
    };
    let (pump, body) = Pump::start(Arc::clone(state), guest, incoming, head);
    forward(state, destination, headers, pump, body).await
}

/// Finds the model's server, if the caller may use it.
async fn find(
    state: &Arc<HubState>,
    guest: &Guest,
    incoming: &mut Incoming,
    model: Model,
) -> Result<(Arc<Server>, String, Option<Head>), ApiError> {
    let (model, path, head) = match model {
        Model::InBody { path } => {
            let head = incoming.head(state).await?;
            (head.model.clone(), path, Some(head))
        }
        Model::InPath(asked) => {
            let asked = asked.ok_or_else(ApiError::page_not_found)?;
            (asked.model, asked.path, None)
        }
    };
    // Checked before the repository is looked up, so that the response is the same whether or not
    // the repository exists.
    let server = state
        .inference
        .upstreams
        .of(&model)
        .ok_or_else(no_upstream)?;
    guest.may_use(state, &model).await?;
    Ok((Arc::clone(server), path, head))
}

fn no_upstream() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This Hub has no server for this model. Its operator can configure one with \
         `--upstream MODEL=URL`",
    )
}

/// Parses a path as sent. Nothing is decoded: an escape contains a character that no name allows.
pub(super) fn asked(uri: &Uri, upstreams: &Upstreams) -> Option<Asked> {
    let path = uri.path().strip_prefix("/models/")?;
    let split = |names: usize| match path.match_indices('/').nth(names - 1) {
        // A trailing slash is not the same as no slash.
        Some((end, _)) => {
            Some((&path[..end], &path[end + 1..])).filter(|(_, below)| !below.is_empty())
        }
        None if path.split('/').count() == names => Some((path, "")),
        None => None,
    };
    // A model has a namespace, unless an upstream is configured for the bare name or the path makes
    // sense only without one.
    let (bare, whole) = (split(1), split(2));
    let is_named = bare.is_some_and(|(model, _)| upstreams.is_named(model));
    let ways = if is_named {
        [bare, whole]
    } else {
        [whole, bare]
    };
    ways.into_iter()
        .flatten()
        .find_map(|(model, below)| below_model(model, below))
}

fn below_model(model: &str, below: &str) -> Option<Asked> {
    let is_task = |task: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        !task.is_empty() && task.bytes().all(plain)
    };
    let is_json = BELOW.contains(&below);
    let is_known = is_json || below.is_empty() || below.strip_prefix(PIPELINE).is_some_and(is_task);
    (is_known && model.split('/').all(is_name)).then(|| Asked {
        model: model.to_owned(),
        path: format!("/{below}"),
        is_json,
    })
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::options::{InferenceOptions, Upstream};
    use super::*;

    fn read(path: &str) -> Option<(String, String, bool)> {
        let options = InferenceOptions {
            upstreams: vec![Upstream {
                model: "gpt2".to_owned(),
                url: "http://127.0.0.1:1".to_owned(),
                key_file: None,
            }],
            ..InferenceOptions::default()
        };
        let upstreams = Upstreams::load(&options).unwrap();
        asked(&path.parse().unwrap(), &upstreams)
            .map(|asked| (asked.model, asked.path, asked.is_json))
    }

    #[test]
    fn what_may_be_asked_for_below_a_model() {
        for (path, model, below, is_json) in [
            ("/models/alice/tiny", "alice/tiny", "/", false),
            ("/models/alice/tiny?x=/../y", "alice/tiny", "/", false),
            (
                "/models/alice/tiny/v1/chat/completions",
                "alice/tiny",
                "/v1/chat/completions",
                true,
            ),
            (
                "/models/alice/tiny/pipeline/feature-extraction",
                "alice/tiny",
                "/pipeline/feature-extraction",
                false,
            ),
            ("/models/gpt2", "gpt2", "/", false),
            ("/models/gpt2/generate", "gpt2", "/generate", true),
            ("/models/llama:8b", "llama:8b", "/", false),
            ("/models/bare/v1/embeddings", "bare", "/v1/embeddings", true),
        ] {
            let expected = Some((model.to_owned(), below.to_owned(), is_json));
            assert_eq!(read(path), expected, "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_page_of_the_hub() {
        for path in [
            "/models/",
            "/models//",
            "/models//tiny",
            "/models/alice/",
            "/models/alice/tiny/",
            "/models/alice/tiny/metrics",
            "/models/alice/tiny/v1/load_lora_adapter",
            "/models/alice/tiny/v1/chat/completions/",
            "/models/alice/tiny/../v1/chat/completions",
            "/models/../tiny/v1/chat/completions",
            "/models/alice/../v1/chat/completions",
            "/models/alice/tiny/v1/../metrics",
            "/models/alice/tiny/%2e%2e/metrics",
            "/models/alice/%2e%2e/v1/chat/completions",
            "/models/alice%2ftiny/v1/chat/completions",
            "/models/alice/tiny//v1/chat/completions",
            "/models/alice/tiny/pipeline/",
            "/models/alice/tiny/pipeline/../x",
            "/models/alice/tiny/pipeline/a/b",
            "/models/alice/tiny/http://other.example/",
            "/models/http://other.example/v1",
            "/models/alice/tiny%00",
            "/models/alice/tiny;x/generate",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
