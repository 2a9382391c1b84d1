//! Error pages, which say what went wrong and what to do about it.

use std::borrow::Cow;

use askama::Template;
use axum::http::header::{HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::view::{Frame, html};
use crate::error::HubError;

/// The error page to show. Boxed, because nearly every function here can return one.
#[derive(Debug)]
pub(super) struct PageError(Box<ErrorContent>);

#[derive(Debug)]
struct ErrorContent {
    status: StatusCode,
    title: &'static str,
    message: Cow<'static, str>,
    link: Option<(String, &'static str)>,
    header: Option<(HeaderName, String)>,
    cause: Option<String>,
}

/// The result of a page handler.
pub(super) type PageResult = Result<Response, PageError>;

/// The cause of a failure, attached to the response for the log.
#[derive(Clone, Debug)]
pub(crate) struct LogCause(pub String);

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: &'a str,
    message: &'a str,
    link: Option<(&'a str, &'a str)>,
    /// The id of the request, under which the operator finds more in the log.
    id: &'a str,
}

const FAILED: &str = "The Hub failed";
const TOKENS: (&str, &str) = ("/settings/tokens", "Go to your access tokens");

impl PageError {
    fn new(status: StatusCode, title: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(ErrorContent {
            status,
            title,
            message: message.into(),
            link: Some((TOKENS.0.to_owned(), TOKENS.1)),
            header: None,
            cause: None,
        }))
    }

    fn with_link(mut self, to: impl Into<String>, label: &'static str) -> Self {
        self.0.link = Some((to.into(), label));
        self
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is nothing here",
            "The page does not exist, was deleted, or is not yours. Check the address, or start from your access \
             tokens.",
        )
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "That cannot be done here",
            "This page does not accept that request. Nothing was changed. Go back and use the buttons on \
             the page.",
        )
    }

    /// Redirects to the sign-in page, which leads back here afterwards.
    pub(super) fn sign_in_first(next: &str) -> Self {
        let mut error = Self::new(
            StatusCode::SEE_OTHER,
            "Sign in first",
            "Sign in to see this page.",
        )
        .with_link(sign_in_url(next), "Sign in");
        error.0.header = Some((LOCATION, sign_in_url(next)));
        error
    }

    /// A form was sent after its session had ended. An error page is shown, because a redirect
    /// would silently drop what was typed.
    pub(super) fn signed_out(next: &str) -> Self {
        let mut error = Self::new(
            StatusCode::UNAUTHORIZED,
            "You are signed out",
            "Nothing was changed. Your session has ended; sign in and do it again.",
        )
        .with_link(sign_in_url(next), "Sign in");
        error.0.header = Some((
            WWW_AUTHENTICATE,
            "Form realm=\"the sign-in page\"".to_owned(),
        ));
        error
    }

    pub(super) fn forged(back: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "The form could not be taken",
            "Nothing was changed. The form did not come from a page that this Hub gave to this browser, or the page \
             was opened before you signed in or out. Open the page again and repeat what you did. If you did not send \
             a form at all, another site tried to send one in your name.",
        )
        .with_link(back, "Open the page again")
    }

    pub(super) fn used_up() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "This was done already",
            "The form was sent before, and nothing was done a second time. A value is shown once; if you did not \
             copy it, refresh the token to get a new one.",
        )
    }

    pub(super) fn not_an_admin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Only an admin may do that",
            "Nothing was changed. Ask an admin of the organization to do it, or to make you an admin.",
        )
    }

    pub(super) fn conflict(message: String) -> Self {
        Self::new(StatusCode::CONFLICT, "That is not possible", message)
    }

    pub(super) fn too_many_attempts(seconds: u32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "There were too many attempts",
            "Nothing was changed. A password can only be tried a few times. Wait, then try again.",
        )
        .with_retry_after(seconds)
    }

    pub(super) fn wrong_host(endpoint: &str) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "This is not the Hub's address",
            format!("The Hub's pages answer at {endpoint} only, so that no other name can be given to them."),
        )
        .with_link(format!("{endpoint}/settings/tokens"), "Go to the Hub's own address")
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is too large",
            "Nothing was changed. A form may have up to 64 KiB; name fewer repositories, or whole namespaces.",
        )
    }

    pub(super) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "The form took too long to arrive",
            "Nothing was changed. Send it again.",
        )
    }

    pub(super) fn unreadable_form() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The form cannot be read",
            "Nothing was changed. Open the page again and use its form.",
        )
    }

    pub(super) fn not_a_form() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "That is not a form",
            "Nothing was changed. These pages only accept their own forms. Programs should use the Hub's API.",
        )
    }

    /// The errors of the Hub name files and SQLite's messages, but no secrets.
    fn with_cause(mut self, error: &HubError) -> Self {
        self.0.cause = Some(error.to_string());
        self
    }

    fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.header = Some((RETRY_AFTER, seconds.to_string()));
        self
    }
}

/// The URL of the sign-in page that continues to `next`.
pub(super) fn sign_in_url(next: &str) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    format!("/login?{query}")
}

impl From<HubError> for PageError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::UnknownToken { .. }
            | HubError::UnknownUser { .. }
            | HubError::UnknownOrganization { .. }
            | HubError::UnknownNamespace { .. }
            | HubError::UnknownRepository { .. }
            | HubError::UnknownLogin { .. }
            | HubError::UnknownMemberToken { .. } => Self::not_found(),
            HubError::NotAdministrator { .. } => Self::not_an_admin(),
            HubError::LastAdmin { .. } | HubError::OwnToken | HubError::AlreadyDecided { .. } => {
                Self::conflict(sentence(&error.to_string()))
            }
            HubError::DatabaseLocked { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The Hub is busy",
                "Nothing was changed. Try again in a moment.",
            )
            .with_retry_after(5)
            .with_cause(&error),
            HubError::DiskFull { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The Hub's disk is full",
                "Nothing was changed. Ask the operator of this Hub to free some space.",
            )
            .with_cause(&error),
            // Details of server failures are for the operator, not for visitors.
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                FAILED,
                "It could not do what you asked. Try again; if it fails again, tell the operator of this Hub.",
            )
            .with_cause(&error),
        }
    }
}

/// Turns an error message of the Hub into a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if message.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}

/// The page for a failure, with the request id under which the log has its cause.
pub(super) fn failure(id: &str, cause: LogCause) -> Response {
    let page = ErrorPage {
        frame: Frame::bare(),
        title: FAILED,
        message: "It could not do what you asked. Try again; if it fails again, tell the operator of this Hub, and name \
                  this request:",
        link: Some(TOKENS),
        id,
    };
    let mut response = html(StatusCode::INTERNAL_SERVER_ERROR, &page);
    response.extensions_mut().insert(cause);
    response
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let ErrorContent {
            status,
            title,
            message,
            link,
            header,
            cause,
        } = *self.0;
        let page = ErrorPage {
            frame: Frame::bare(),
            title,
            message: &message,
            link: link.as_ref().map(|(to, label)| (to.as_str(), *label)),
            id: "",
        };
        let mut response = html(status, &page);
        if let Some(cause) = cause {
            response.extensions_mut().insert(LogCause(cause));
        }
        if let Some((name, value)) = header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
