//! A page that says what went wrong and what to do about it.

use std::borrow::Cow;

use askama::Template;
use axum::http::header::{HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::view::{Frame, html};
use crate::error::HubError;

/// Why there is no other page. Boxed, since nearly every function here can return one.
#[derive(Debug)]
pub(super) struct PageError(Box<Words>);

#[derive(Debug)]
struct Words {
    status: StatusCode,
    title: &'static str,
    message: Cow<'static, str>,
    link: Option<(String, &'static str)>,
    header: Option<(HeaderName, String)>,
    cause: Option<String>,
}

/// What a page answers.
pub(super) type Page = Result<Response, PageError>;

/// What kept the Hub from doing what it was asked; goes with the answer, for the log.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub String);

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: &'a str,
    message: &'a str,
    link: Option<(&'a str, &'a str)>,
    /// The request's id, where whoever runs the Hub can find more under it.
    id: &'a str,
}

const FAILED: &str = "The Hub failed";
const TOKENS: (&str, &str) = ("/settings/tokens", "Go to your access tokens");

impl PageError {
    fn new(status: StatusCode, title: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Words {
            status,
            title,
            message: message.into(),
            link: Some((TOKENS.0.to_owned(), TOKENS.1)),
            header: None,
            cause: None,
        }))
    }

    fn linked(mut self, to: impl Into<String>, words: &'static str) -> Self {
        self.0.link = Some((to.into(), words));
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
            "This address does not take what the browser sent. Nothing was changed. Go back and use the buttons on \
             the page.",
        )
    }

    /// Nobody is signed in: the way to the sign-in page, which knows the way back.
    pub(super) fn sign_in_first(next: &str) -> Self {
        let mut error = Self::new(
            StatusCode::SEE_OTHER,
            "Sign in first",
            "Sign in to see this page.",
        )
        .linked(sign_in_address(next), "Sign in");
        error.0.header = Some((LOCATION, sign_in_address(next)));
        error
    }

    /// Somebody sent a form and is signed out by now: what was typed must not vanish in a redirect unsaid.
    pub(super) fn signed_out(next: &str) -> Self {
        let mut error = Self::new(
            StatusCode::UNAUTHORIZED,
            "You are signed out",
            "Nothing was changed. Your session has ended; sign in and do it again.",
        )
        .linked(sign_in_address(next), "Sign in");
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
             a form at all, another site tried to do it in your name.",
        )
        .linked(back, "Open the page again")
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
            "Nothing was changed. Ask an admin of the organization, or to be made one.",
        )
    }

    pub(super) fn conflict(message: String) -> Self {
        Self::new(StatusCode::CONFLICT, "That is not possible", message)
    }

    pub(super) fn too_many_attempts(seconds: u32) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "There were too many attempts",
            "Nothing was changed. A password can be tried a few times only; wait a while, then try again.",
        )
        .with_retry_after(seconds)
    }

    pub(super) fn wrong_host(endpoint: &str) -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "This is not the Hub's address",
            format!("The Hub's pages answer at {endpoint} only, so that no other name can be given to them."),
        )
        .linked(format!("{endpoint}/settings/tokens"), "Go to the Hub's own address")
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is too large",
            "Nothing was changed. A form may have 64 KiB; name fewer repositories, or whole namespaces.",
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
            "Nothing was changed. These pages take what their own forms send. Programs use the Hub's API.",
        )
    }

    /// The errors of the Hub name files and what SQLite said, and no secret.
    fn because(mut self, error: &HubError) -> Self {
        self.0.cause = Some(error.to_string());
        self
    }

    fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.header = Some((RETRY_AFTER, seconds.to_string()));
        self
    }
}

/// The sign-in page that leads on to another.
pub(super) fn sign_in_address(next: &str) -> String {
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
            .because(&error),
            HubError::DiskFull { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The Hub's disk is full",
                "Nothing was changed. Ask whoever runs this Hub to make room.",
            )
            .because(&error),
            // What is wrong with the machine is for its owner, not for whoever has a browser.
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                FAILED,
                "It could not do what you asked. Try again; if it fails again, tell whoever runs this Hub.",
            )
            .because(&error),
        }
    }
}

/// A message of the Hub's as a sentence of its own.
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

/// The page of a failure, with the id under which the log has its cause.
pub(super) fn failure(id: &str, cause: Cause) -> Response {
    let page = ErrorPage {
        frame: Frame::bare(),
        title: FAILED,
        message: "It could not do what you asked. Try again; if it fails again, tell whoever runs this Hub, and name \
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
        let Words {
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
            link: link.as_ref().map(|(to, words)| (to.as_str(), *words)),
            id: "",
        };
        let mut response = html(status, &page);
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        if let Some((name, value)) = header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
