//! Handles `POST …/info/lfs/objects/batch`, which tells a client which objects exist and returns
//! links to upload or download them, and `verify`, which confirms an upload.
//!
//! The formats are those of git-lfs' batch API, with the basic transfer.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::signed_url::{LIFETIME, Operation, SignedUrl};
use super::transfer::verify_signed_url;
use crate::auth::access::Action;
use crate::auth::authentication::{Caller, token_digest};
use crate::clock::iso;
use crate::extract::body::JsonBody;
use crate::extract::repository::RepositoryRef;
use crate::git::push_errors::open_for_writing;
use crate::registry::{AuditContext, Repository};
use crate::repository::lfs::ObjectId;
use crate::response::{ApiError, ApiResult, LFS_JSON, json_response, storage_error};
use crate::seal::SealingKey;
use crate::secret::Digest;
use crate::state::HubState;
use crate::xet::access_token::{Grant, Right};
use crate::xet::issue::{ACCESS_TOKEN, CAS_URL, EXPIRATION, IssuedToken, issue};

/// The name of the transfer that sends by Xet.
const XET: &str = "xet";
/// What clients call the algorithm: git-lfs and `huggingface_hub` one, huggingface.js the other.
const HASH_ALGORITHMS: [&str; 2] = ["sha256", "sha_256"];
/// The maximum number of objects in a batch.
const MAX_OBJECTS: usize = 10_000;
/// The maximum size of an object: no disk is larger, and clients themselves use signed 64-bit
/// integers.
const MAX_OBJECT_BYTES: u64 = i64::MAX as u64;

#[derive(Deserialize)]
pub(super) struct Batch {
    operation: String,
    objects: Vec<Object>,
    #[serde(default)]
    hash_algo: Option<String>,
    /// How the client can send; one that lists nothing means `basic`.
    #[serde(default)]
    transfers: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Object {
    oid: String,
    size: i128,
}

impl Object {
    fn parse(&self) -> Option<(ObjectId, u64)> {
        let size = u64::try_from(self.size)
            .ok()
            .filter(|size| *size <= MAX_OBJECT_BYTES)?;
        Some((ObjectId::parse(&self.oid)?, size))
    }
}

pub(super) async fn batch(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    context: AuditContext,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Batch>,
) -> ApiResult {
    let target = target.without_git_suffix();
    let (operation, repository) = match body.operation.as_str() {
        "download" => (
            Operation::Download,
            target.open(&state, &caller, Action::Read).await?,
        ),
        "upload" => (
            Operation::Upload,
            open_for_writing(&state, &caller, &target).await?,
        ),
        _ => {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The operation must be `download` or `upload`",
            ));
        }
    };
    if body
        .hash_algo
        .is_some_and(|algorithm| !HASH_ALGORITHMS.contains(&algorithm.as_str()))
    {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "Objects must be identified by their SHA-256",
        ));
    }
    if body.objects.len() > MAX_OBJECTS {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too many objects in one batch",
        ));
    }
    let key = state.services.seals.key().map_err(storage_error)?;
    let token = caller.principal().and_then(|_| token_digest(&headers));
    let is_upload = operation == Operation::Upload;
    let xet = if is_upload && body.transfers.iter().any(|name| name == XET) {
        let right = Right::Write;
        let grant = Grant { right, token };
        Some(issue(&state, &repository, grant, &context).await?)
    } else {
        None
    };
    let transfer = if xet.is_some() { XET } else { "basic" };
    let responder = BatchResponder {
        state: &state,
        token,
        xet,
        repository: &repository,
        operation,
        key: &key,
    };
    let objects = body
        .objects
        .iter()
        .map(|object| responder.respond(object))
        .collect::<Result<Vec<_>, _>>()?;
    lfs_response(&json!({ "transfer": transfer, "objects": objects, "hash_algo": "sha256" }))
}

/// The context in which the objects of one batch are answered.
struct BatchResponder<'a> {
    state: &'a HubState,
    token: Option<Digest>,
    /// The token with which the client sends by Xet, if it can.
    xet: Option<IssuedToken>,
    repository: &'a Repository,
    operation: Operation,
    key: &'a SealingKey,
}

impl BatchResponder<'_> {
    fn respond(&self, object: &Object) -> Result<Value, ApiError> {
        let Some((oid, size)) = object.parse() else {
            return Ok(object_error(
                object,
                422,
                "The object id must be a SHA-256, and the size a number of bytes",
            ));
        };
        let stored_length = self
            .state
            .store
            .lfs(self.repository)
            .length(oid)
            .map_err(storage_error)?;
        let mut result = json!({ "oid": object.oid, "size": size, "authenticated": true });
        match (self.operation, stored_length) {
            (Operation::Download, None) => {
                return Ok(object_error(
                    object,
                    404,
                    "Object does not exist on the server",
                ));
            }
            (_, Some(length)) if length != size => {
                return Ok(object_error(object, 422, "The object has a different size"));
            }
            (Operation::Download, Some(_)) => {
                result["actions"] = json!({ "download": self.link(oid, size)? });
            }
            // The object already exists. Without actions, the client skips it.
            (Operation::Upload, Some(_)) => (),
            (Operation::Upload, None) if let Some(xet) = &self.xet => {
                result["actions"] = json!({ "upload": self.upload_by_xet(xet) });
            }
            (Operation::Upload, None) => {
                let upload = self.link(oid, size)?;
                let link = upload["href"].as_str().unwrap_or_default();
                let query = link.split_once('?').map_or("", |(_, query)| query);
                let verify = format!("{}/verify?{query}", self.objects());
                result["actions"] = json!({ "upload": upload, "verify": { "href": verify } });
            }
        }
        Ok(result)
    }

    fn objects(&self) -> String {
        format!(
            "{}/{}.git/info/lfs/objects",
            self.state.endpoint,
            self.repository.page()
        )
    }

    /// How an object is sent by Xet: with the token, and where to get another.
    fn upload_by_xet(&self, xet: &IssuedToken) -> Value {
        let (kind, id) = (self.repository.kind.plural(), self.repository.full_name());
        json!({
            "href": format!("{}/api/{kind}/{id}/xet-write-token/main", self.state.endpoint),
            "header": {
                CAS_URL.as_str(): xet.address,
                ACCESS_TOKEN.as_str(): xet.token,
                EXPIRATION.as_str(): xet.end.to_string(),
            },
        })
    }

    fn link(&self, oid: ObjectId, size: u64) -> Result<Value, ApiError> {
        let now = self.state.clock.now();
        let signed_url = SignedUrl {
            operation: self.operation,
            oid,
            size,
            token: self.token,
        };
        let link = signed_url
            .sign(self.key, self.repository, now)
            .map_err(storage_error)?;
        Ok(json!({
            "href": format!("{}/{oid}?link={link}", self.objects()),
            "header": {},
            "expires_in": LIFETIME,
            "expires_at": iso(now + time::Duration::seconds(LIFETIME)),
        }))
    }
}

/// Checks that an object exists and has the announced size.
pub(super) async fn verify(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    RawQuery(query): RawQuery,
    JsonBody(object): JsonBody<Object>,
) -> ApiResult {
    let target = target.without_git_suffix();
    let malformed = || {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The object id must be a SHA-256, and the size a number of bytes",
        )
    };
    let (oid, size) = object.parse().ok_or_else(malformed)?;
    // git-lfs sends no credentials here, but `huggingface_hub` does.
    let repository = if query.is_some() && caller.principal().is_none() {
        verify_signed_url(&state, &target, query, oid, Operation::Upload)
            .await?
            .0
    } else {
        open_for_writing(&state, &caller, &target).await?
    };
    let objects = state.store.lfs(&repository);
    match objects.length(oid).map_err(storage_error)? {
        Some(length) if length == size => lfs_response(&json!({})),
        Some(_) => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The object has a different size",
        )),
        None => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "Object does not exist on the server",
        )),
    }
}

fn object_error(object: &Object, code: u16, message: &str) -> Value {
    let oid: String = object.oid.chars().take(64).collect();
    let size = i64::try_from(object.size).unwrap_or(0);
    json!({ "oid": oid, "size": size, "error": { "code": code, "message": message } })
}

fn lfs_response(body: &Value) -> Result<Response, ApiError> {
    let mut response = json_response(body)?;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(LFS_JSON));
    Ok(response)
}
