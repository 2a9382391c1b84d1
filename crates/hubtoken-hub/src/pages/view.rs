//! What all pages share, and how a template becomes a response.
//!
//! askama compiles the templates, so a template that does not fit its data is a build error, and
//! everything in it is escaped. `pages/mod.rs` states which rule is enforced where: no page is
//! reachable without the guard, and no form can be read without its check.

use askama::Template;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::assets::{LINKS, Links};

/// The head and the navigation of a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub links: &'static Links,
    /// The CSRF token of the forms on the page; see `visitor`.
    pub csrf: String,
    pub user: Option<String>,
    /// The organizations in the navigation.
    pub organizations: Vec<String>,
    /// The navigation entry of this page.
    pub nav_entry: String,
    /// The result of the previous action.
    pub notice: Option<String>,
}

impl Frame {
    /// For an anonymous visitor, without a form.
    pub(super) fn bare() -> Self {
        Self {
            links: &LINKS,
            csrf: String::new(),
            user: None,
            organizations: Vec::new(),
            nav_entry: String::new(),
            notice: None,
        }
    }

    pub(super) fn is_current(&self, entry: &str) -> bool {
        self.nav_entry == entry
    }

    pub(super) fn is_organization(&self, name: &str) -> bool {
        self.nav_entry.strip_prefix("organization/") == Some(name)
    }
}

/// A form field with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    /// The id of the field.
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// All errors of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FormErrors(pub Vec<FieldError>);

impl FormErrors {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// The error of one field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|error| error.field == field)
            .map(|error| error.message.as_str())
    }
}

/// Renders a template as a response.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    // Writing to memory only fails if a value cannot be displayed, and all values are strings.
    let (status, body) = template.render().map_or_else(
        |_| (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        |body| (status, body),
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Redirects the browser to another page, with a `GET`.
pub(super) fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}
