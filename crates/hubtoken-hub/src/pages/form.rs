//! Submitted forms. Reading a form verifies its CSRF token, and there is no other way to read one.
//!
//! A form that shows a value carries a single-use key that is stored with the session. The response
//! to it is the page itself, because a redirect would have to carry the value, and reloading that
//! page submits the form again.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::header::CONTENT_TYPE;
use zeroize::Zeroizing;

use super::error::PageError;
use super::visitor::Visitor;
use crate::extract::body::drain;

/// Far more than the permission picker sends.
const MAX_FORM_BYTES: usize = 64 << 10;
/// How long a form may take to arrive. A slower client only occupies a connection.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The fields of a form, in order. They may contain passwords, so they are zeroed when dropped.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// The value of a field, or an empty string.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// All fields.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let is_form = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| {
                value
                    .trim()
                    .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            });
        if !is_form {
            drain(body).await;
            return Err(PageError::not_a_form());
        }
        let body = tokio::time::timeout(READ_TIMEOUT, read(body))
            .await
            .map_err(|_| PageError::too_slow())??;
        let form = Self(
            url::form_urlencoded::parse(&body)
                .map(|(key, value)| (key.into_owned(), Zeroizing::new(value.into_owned())))
                .collect(),
        );
        if visitor.is_valid_csrf(form.field("csrf")) {
            Ok(form)
        } else {
            Err(PageError::forged(parts.uri.path()))
        }
    }
}

async fn read(mut body: Body) -> Result<Zeroizing<Vec<u8>>, PageError> {
    let mut whole = Zeroizing::new(Vec::with_capacity(MAX_FORM_BYTES));
    loop {
        let frame =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await;
        let data: Bytes = match frame {
            None => return Ok(whole),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(_)) => return Err(PageError::unreadable_form()),
        };
        if whole.len() + data.len() > MAX_FORM_BYTES {
            drain(body).await;
            return Err(PageError::too_large());
        }
        whole.extend_from_slice(&data);
    }
}
