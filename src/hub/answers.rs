//! What goes back to a client: the Hub's errors, and JSON with the Hub's headers.
//!
//! An error is made where it is found and written in one place, [`render`], because its form depends on the request:
//! JSON under `/api/`, the bare message elsewhere. Every text here that the Hub has is the Hub's own, to the letter;
//! clients compare some of them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::access::Denial;
use super::error::HubError;
use super::git;
use super::rate_limit::Standing;
use super::registry::{Repository, RepositoryType, Restriction};
use super::rendered::Rendered;
use super::repository::GitFault;

pub(crate) const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
pub(crate) const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
pub(crate) const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

/// What git-lfs calls its JSON.
pub(crate) const LFS_JSON: &str = "application/vnd.git-lfs+json";
const LFS_AUTHENTICATE: HeaderName = HeaderName::from_static("lfs-authenticate");

/// When a client may try again that met a database in somebody else's hands, or a full disk.
const LOCKED_SECONDS: u32 = 1;
const FULL_SECONDS: u32 = 60;

/// An error on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
    url: Option<String>,
    headers: Vec<(HeaderName, String)>,
    standing: Option<Box<Standing>>,
}

pub(crate) type Answer = Result<Response, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code: None,
            message,
            url: None,
            headers: Vec::new(),
            standing: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    fn again_later(status: StatusCode, message: &str, seconds: u32) -> Self {
        Self::new(status, message).with_header(RETRY_AFTER, seconds.to_string())
    }

    fn coded(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            ..Self::new(status, message)
        }
    }

    /// A token that is unknown, deleted, expired or no token at all.
    pub(crate) fn invalid_credentials() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Invalid credentials in Authorization header",
        )
    }

    pub(crate) fn login_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid username or password.")
    }

    /// Missing or private, it is not said which. The real Hub sends no code; over plain http `huggingface_hub` needs
    /// one to recognise the case.
    pub(crate) fn repository_needs_login() -> Self {
        Self {
            code: Some("RepoNotFound"),
            ..Self::login_required()
        }
    }

    pub(crate) fn repository_not_found() -> Self {
        Self::coded(
            StatusCode::NOT_FOUND,
            "RepoNotFound",
            "Repository not found",
        )
    }

    pub(crate) fn page_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Sorry, we can't find the page you are looking for.",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    pub(crate) fn no_right_to_create(kind: RepositoryType, namespace: &str) -> Self {
        let namespace: String = namespace.chars().take(100).collect();
        Self::forbidden(format!(
            "You don't have the rights to create a {kind} under the namespace \"{namespace}\""
        ))
    }

    pub(crate) fn exists(repository: &Repository, endpoint: &str) -> Self {
        Self {
            url: Some(format!("{endpoint}/{}", repository.page())),
            ..Self::new(
                StatusCode::CONFLICT,
                format!("You already created this {} repo", repository.kind),
            )
        }
    }

    pub(crate) fn rate_limited(standing: Standing, logged_in: bool) -> Self {
        Self {
            headers: vec![(RETRY_AFTER, standing.reset_seconds.to_string())],
            standing: Some(Box::new(standing)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, standing.message(logged_in))
        }
    }

    pub(crate) fn denied(denial: Denial, repository: &Repository, endpoint: &str) -> Self {
        let (kind, name) = (repository.kind, repository.full_name());
        match denial {
            Denial::LoginRequired => Self::repository_needs_login(),
            Denial::LoginRequiredToWrite => Self::login_required(),
            Denial::Invisible => Self::repository_not_found(),
            Denial::GateClosedToAnonymous => Self::coded(
                StatusCode::UNAUTHORIZED,
                "GatedRepo",
                format!(
                    "Access to {kind} {name} is restricted. You must have access to it and be authenticated to access \
                     it. Please log in."
                ),
            ),
            Denial::GateClosed => Self::coded(
                StatusCode::FORBIDDEN,
                "GatedRepo",
                format!(
                    "Access to {kind} {name} is restricted and you are not in the authorized list. Visit \
                     {endpoint}/{} to ask for access.",
                    repository.page()
                ),
            ),
            Denial::GateClosedToToken => Self::forbidden(
                "Please enable access to public gated repositories in your fine-grained token settings to view this \
                 repository.",
            ),
            Denial::KeptOut(restriction) => Self::kept_out(restriction),
            Denial::Disabled => Self::forbidden("Access to this resource is disabled."),
            Denial::ReadOnly => Self::forbidden(
                "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request",
            ),
        }
    }

    /// A token that its user's organization does not let in. The first two texts are the Hub's; the third case it has
    /// as well, but its text is not documented.
    pub(crate) fn kept_out(restriction: Restriction) -> Self {
        Self::forbidden(match restriction {
            Restriction::NotAsked | Restriction::Pending | Restriction::Denied => {
                "Due to the organization token policy, your token needs to be approved by the organization before you \
                 can access this resource."
            }
            Restriction::Revoked => {
                "Your token has been revoked by the organization administrator, you can no longer access organization \
                 resources. Please contact them for more information."
            }
            Restriction::FineGrainedOnly => {
                "Due to the organization token policy, only fine-grained tokens can access the resources of this \
                 organization."
            }
        })
    }

    /// The Hub's word for a write that is not allowed speaks of pull requests. Where none could be made, this says the
    /// same without them.
    pub(crate) fn without_pull_request(self) -> Self {
        self.reworded(
            "Forbidden: pass",
            "Forbidden: you don't have the rights to write to this repository",
        )
    }

    /// Says something else in place of a message that begins in a certain way.
    pub(crate) fn reworded(mut self, beginning: &str, message: &str) -> Self {
        if self.message.starts_with(beginning) {
            message.clone_into(&mut self.message);
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Tells where the client stands, whatever else is wrong.
    pub(crate) fn with_standing(self, standing: Standing) -> Self {
        Self {
            standing: Some(Box::new(standing)),
            ..self
        }
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<GitFault> for ApiError {
    fn from(fault: GitFault) -> Self {
        let message = fault.to_string();
        match fault {
            GitFault::RevisionNotFound(_) => {
                Self::coded(StatusCode::NOT_FOUND, "RevisionNotFound", message)
            }
            GitFault::EntryNotFound { commit, .. } | GitFault::LargeFileMissing { commit } => {
                Self::coded(StatusCode::NOT_FOUND, "EntryNotFound", message)
                    .with_header(X_REPO_COMMIT, commit.to_string())
            }
            GitFault::ParentChanged => Self::new(StatusCode::PRECONDITION_FAILED, message),
            GitFault::ReferenceExists(_) => Self::new(StatusCode::CONFLICT, message),
            GitFault::Rejected(_) => Self::bad_request(message),
            GitFault::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
            GitFault::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::bad_request("The request was cut off")
            }
            GitFault::DiskFull => Self::new(StatusCode::INSUFFICIENT_STORAGE, message)
                .with_header(RETRY_AFTER, FULL_SECONDS.to_string()),
            GitFault::Busy => {
                Self::again_later(StatusCode::SERVICE_UNAVAILABLE, &message, LOCKED_SECONDS)
            }
            GitFault::ContentMissing | GitFault::Git(_) | GitFault::Io(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

impl From<HubError> for ApiError {
    fn from(error: HubError) -> Self {
        let status = match &error {
            HubError::InvalidName { .. }
            | HubError::InvalidToken { .. }
            | HubError::WeakPassword { .. }
            | HubError::InvalidOption { .. } => StatusCode::BAD_REQUEST,
            HubError::UnknownUser { .. }
            | HubError::UnknownOrganization { .. }
            | HubError::UnknownNamespace { .. }
            | HubError::UnknownToken { .. }
            | HubError::UnknownMemberToken { .. }
            | HubError::UnknownRepository { .. } => StatusCode::NOT_FOUND,
            HubError::NameTaken { .. }
            | HubError::RepositoryExists { .. }
            | HubError::AmbiguousToken { .. }
            | HubError::AlreadyDecided { .. }
            | HubError::LastAdmin { .. }
            | HubError::HasAdministrator { .. } => StatusCode::CONFLICT,
            HubError::NotAdministrator { .. } | HubError::OwnToken => StatusCode::FORBIDDEN,
            // Neither says anything about the request, and both pass: a client may try again.
            HubError::DatabaseLocked { .. } => {
                return Self::again_later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The Hub's database is busy; nothing was changed. Try again in a moment",
                    LOCKED_SECONDS,
                );
            }
            HubError::DiskFull { .. } => {
                return Self::again_later(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The Hub's disk is full; nothing was changed. Ask whoever runs it to make room",
                    FULL_SECONDS,
                );
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes an error in the form that the path calls for.
pub(crate) fn render(error: &ApiError, path: &str) -> Response {
    let is_json = ["/api/", "/oauth/", "/-/", "/v1/", "/models/"]
        .iter()
        .any(|under| path.starts_with(under));
    let (content_type, body) = if git::is_lfs(path) {
        (LFS_JSON, json!({ "message": error.message }).to_string())
    } else if is_json {
        let body = match &error.url {
            Some(url) => json!({ "error": error.message, "url": url }),
            None => json!({ "error": error.message }),
        };
        ("application/json; charset=utf-8", body.to_string())
    } else {
        ("text/plain; charset=utf-8", error.message.clone())
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_ERROR_MESSAGE, header_text(&error.message));
    if let Some(code) = error.code {
        headers.insert(X_ERROR_CODE, HeaderValue::from_static(code));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, challenge(path));
        if git::is_lfs(path) {
            headers.insert(LFS_AUTHENTICATE, challenge(path));
        }
    }
    for (name, value) in &error.headers {
        headers.insert(name, header_text(value));
    }
    if let Some(standing) = &error.standing {
        response.extensions_mut().insert(**standing);
    }
    response
}

/// Git looks for credentials only where `Basic` is called for.
fn challenge(path: &str) -> HeaderValue {
    HeaderValue::from_static(if git::owns(path) {
        "Basic realm=\"Authentication required\", charset=\"UTF-8\""
    } else {
        "Bearer realm=\"Authentication required\", charset=\"UTF-8\""
    })
}

/// A text as a header can carry it: printable ASCII, everything else as `?`.
pub(crate) fn header_text(text: &str) -> HeaderValue {
    let text: String = text
        .chars()
        .map(|each| if matches!(each, ' '..='~') { each } else { '?' })
        .collect();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("?"))
}

/// A JSON answer with the weak `ETag` that the Hub's answers carry.
pub(crate) fn json_answer(body: &impl Serialize) -> Answer {
    Rendered::new(body).map(|rendered| rendered.answer())
}

/// The bare `OK` of the endpoints that have nothing else to say.
pub(crate) fn ok() -> Response {
    let mut response = Response::new(Body::from("OK"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
