//! [`ApiError`]: an error response, worded as the real Hub words it.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::auth::access::Denial;
use crate::rate_limit::RateLimitStatus;
use crate::registry::{Repository, RepositoryType, Restriction};

/// An error to be sent to a client.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
    pub(super) url: Option<String>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) rate_limit: Option<Box<RateLimitStatus>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code: None,
            message,
            url: None,
            headers: Vec::new(),
            rate_limit: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The request itself is fine and may be retried after this many seconds.
    pub(crate) fn retry_later(status: StatusCode, message: &str, seconds: u32) -> Self {
        Self::new(status, message).with_header(RETRY_AFTER, seconds.to_string())
    }

    pub(super) fn coded(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: Some(code),
            ..Self::new(status, message)
        }
    }

    /// A token that is unknown, deleted, expired or malformed.
    pub(crate) fn invalid_credentials() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Invalid credentials in Authorization header",
        )
    }

    pub(crate) fn login_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid username or password.")
    }

    /// The repository is missing or private; the response does not say which. The real Hub sends no
    /// error code here, but over plain http `huggingface_hub` needs one to recognize the case.
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

    pub(crate) fn creation_not_permitted(kind: RepositoryType, namespace: &str) -> Self {
        let namespace: String = namespace.chars().take(100).collect();
        Self::forbidden(format!(
            "You don't have the rights to create a {kind} under the namespace \"{namespace}\""
        ))
    }

    pub(crate) fn already_exists(repository: &Repository, endpoint: &str) -> Self {
        Self {
            url: Some(format!("{endpoint}/{}", repository.page())),
            ..Self::new(
                StatusCode::CONFLICT,
                format!("You already created this {} repo", repository.kind),
            )
        }
    }

    pub(crate) fn rate_limited(rate_limit: RateLimitStatus, logged_in: bool) -> Self {
        Self {
            headers: vec![(RETRY_AFTER, rate_limit.reset_seconds.to_string())],
            rate_limit: Some(Box::new(rate_limit)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, rate_limit.message(logged_in))
        }
    }

    pub(crate) fn denied(denial: Denial, repository: &Repository, endpoint: &str) -> Self {
        let (kind, name) = (repository.kind, repository.full_name());
        match denial {
            Denial::LoginRequired => Self::repository_needs_login(),
            Denial::LoginRequiredToWrite => Self::login_required(),
            Denial::NotFound => Self::repository_not_found(),
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
            Denial::BlockedByPolicy(restriction) => Self::blocked_by_policy(restriction),
            Denial::Disabled => Self::forbidden("Access to this resource is disabled."),
            Denial::ReadOnly => Self::forbidden(
                "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request",
            ),
        }
    }

    /// A token that an organization's policy blocks. The first two texts are the real Hub's. It has
    /// the third case as well, but that text is not documented.
    pub(crate) fn blocked_by_policy(restriction: Restriction) -> Self {
        Self::forbidden(match restriction {
            Restriction::NotRequested | Restriction::Pending | Restriction::Denied => {
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

    /// The Hub's text for a forbidden write mentions pull requests. Where none can be made, this
    /// says the same without them.
    pub(crate) fn without_pull_request(self) -> Self {
        self.with_message(
            "Forbidden: pass",
            "Forbidden: you don't have the rights to write to this repository",
        )
    }

    /// Replaces a message that starts with `beginning`.
    pub(crate) fn with_message(mut self, beginning: &str, message: &str) -> Self {
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

    /// Adds the client's rate-limit status, independent of the error.
    pub(crate) fn with_rate_limit(self, rate_limit: RateLimitStatus) -> Self {
        Self {
            rate_limit: Some(Box::new(rate_limit)),
            ..self
        }
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
