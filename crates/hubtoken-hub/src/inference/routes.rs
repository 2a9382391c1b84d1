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

use super::admission::InferenceCaller;
use super::forward::{Destination, forward};
use super::forward_body::BodyForwarder;
use super::request_body::{BufferedHead, RequestBody};
use super::upstream::{Server, Upstreams};
use crate::auth::authentication::Caller;
use crate::extract::body::drain;
use crate::response::ApiError;
use crate::state::HubState;

/// The paths allowed below a model: the inference endpoints of vLLM, TGI and llama.cpp. Their
/// administrative endpoints (adapters, slots, metrics) are not for token holders.
const ALLOWED_PATHS: [&str; 10] = [
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
pub(super) struct ModelPath {
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
    respond(state, caller, request, ModelSource::InBody { path }).await
}

/// Handles requests that name the model in the path. If the body names a different model, the
/// caller needs access to that one as well.
pub(super) async fn by_path(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    request: Request,
) -> Response {
    let model_path = parse_model_path(request.uri(), &state.services.inference.upstreams);
    respond(state, caller, request, ModelSource::InPath(model_path)).await
}

enum ModelSource {
    InBody { path: String },
    InPath(Option<ModelPath>),
}

async fn respond(
    state: Arc<HubState>,
    caller: Caller,
    request: Request,
    model: ModelSource,
) -> Response {
    let (parts, body) = request.into_parts();
    let (caller, rate_limit) =
        match InferenceCaller::with_rate_limit(&state, caller, &parts.extensions) {
            Ok(counted) => counted,
            Err(error) => return reject(error, body).await.into_response(),
        };
    let result = match caller.check_permission() {
        Ok(()) => forward_call(&state, caller, (&parts.uri, &parts.headers), body, model).await,
        Err(error) => Err(reject(error, body).await),
    };
    match (result, rate_limit) {
        (Ok(mut response), Some(rate_limit)) => {
            response.extensions_mut().insert(rate_limit);
            response
        }
        (Ok(response), None) => response,
        (Err(error), Some(rate_limit)) => error.with_rate_limit(rate_limit).into_response(),
        (Err(error), None) => error.into_response(),
    }
}

async fn reject(error: ApiError, body: Body) -> ApiError {
    drain(body).await;
    error
}

async fn forward_call(
    state: &Arc<HubState>,
    caller: InferenceCaller,
    (uri, headers): (&Uri, &HeaderMap),
    body: Body,
    model: ModelSource,
) -> Result<Response, ApiError> {
    let is_json = match &model {
        ModelSource::InBody { .. } => true,
        ModelSource::InPath(Some(model_path)) => model_path.is_json,
        ModelSource::InPath(None) => return Err(reject(ApiError::page_not_found(), body).await),
    };
    if is_json && headers.contains_key(CONTENT_ENCODING) {
        let error = ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The request body must not be compressed",
        );
        return Err(reject(error, body).await);
    }
    let mut request_body = match RequestBody::new(body, is_json) {
        Ok(request_body) => request_body,
        Err((error, body)) => return Err(reject(error, body).await),
    };
    let found = find(state, &caller, &mut request_body, model).await;
    let (server, path, head) = match found {
        Ok(found) => found,
        Err(error) => {
            request_body.drain().await;
            return Err(error);
        }
    };
    if let Some(token) = caller.token() {
        state.services.inference.usage.count(&state.registry, token);
    }
    let destination = Destination {
        url: server.url(&path, uri.query()),
        server,
        is_json,
    };
    let (forwarder, body) = BodyForwarder::start(Arc::clone(state), caller, request_body, head);
    forward(state, destination, headers, forwarder, body).await
}

/// Finds the model's server, if the caller may use it.
async fn find(
    state: &Arc<HubState>,
    caller: &InferenceCaller,
    request_body: &mut RequestBody,
    model: ModelSource,
) -> Result<(Arc<Server>, String, Option<BufferedHead>), ApiError> {
    let (model, path, head) = match model {
        ModelSource::InBody { path } => {
            let head = request_body.head(state).await?;
            (head.model.clone(), path, Some(head))
        }
        ModelSource::InPath(model_path) => {
            let model_path = model_path.ok_or_else(ApiError::page_not_found)?;
            (model_path.model, model_path.path, None)
        }
    };
    // Checked before the repository is looked up, so that the response is the same whether or not
    // the repository exists.
    let server = state
        .services
        .inference
        .upstreams
        .of(&model)
        .ok_or_else(no_upstream)?;
    caller.check_model_access(state, &model).await?;
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
pub(super) fn parse_model_path(uri: &Uri, upstreams: &Upstreams) -> Option<ModelPath> {
    let path = uri.path().strip_prefix("/models/")?;
    let split = |names: usize| match path.match_indices('/').nth(names - 1) {
        // A trailing slash is not the same as no slash.
        Some((end, _)) => {
            Some((&path[..end], &path[end + 1..])).filter(|(_, rest)| !rest.is_empty())
        }
        None if path.split('/').count() == names => Some((path, "")),
        None => None,
    };
    // A model has a namespace, unless an upstream is configured for the bare name or the path makes
    // sense only without one.
    let (bare, whole) = (split(1), split(2));
    let is_named = bare.is_some_and(|(model, _)| upstreams.is_named(model));
    let readings = if is_named {
        [bare, whole]
    } else {
        [whole, bare]
    };
    readings
        .into_iter()
        .flatten()
        .find_map(|(model, rest)| allowed_model_path(model, rest))
}

fn allowed_model_path(model: &str, rest: &str) -> Option<ModelPath> {
    let is_task = |task: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        !task.is_empty() && task.bytes().all(plain)
    };
    let is_json = ALLOWED_PATHS.contains(&rest);
    let is_known = is_json || rest.is_empty() || rest.strip_prefix(PIPELINE).is_some_and(is_task);
    (is_known && model.split('/').all(is_name)).then(|| ModelPath {
        model: model.to_owned(),
        path: format!("/{rest}"),
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
        parse_model_path(&path.parse().unwrap(), &upstreams)
            .map(|model_path| (model_path.model, model_path.path, model_path.is_json))
    }

    #[test]
    fn what_may_be_asked_for_below_a_model() {
        for (path, model, rest, is_json) in [
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
            let expected = Some((model.to_owned(), rest.to_owned(), is_json));
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
