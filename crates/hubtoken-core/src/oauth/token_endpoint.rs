//! Sends requests to a Hub's OAuth endpoints.
//!
//! The request runs on the process's own thread, so that its caller can be interrupted. An
//! interrupted request is dropped: whoever must not lose an answer calls with
//! [`NeverInterrupted`](crate::interrupt::NeverInterrupted), on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::token_failure::TokenFailure;
use super::token_response::TokenResponse;
use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::{Error, ResponseDetails, UnknownKind};
use crate::http::{self, HubClient, Response, Settings, Transport, TransportError};
use crate::interrupt::Interrupt;
use crate::runtime::Runtime;

/// How long to wait for an answer, as `huggingface_hub` does.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// The path of the token endpoint.
const PATH: &str = "/oauth/token";
/// The public client ID of `huggingface_hub`, whose logins hubtoken shares.
const CLIENT_ID: &str = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";

/// The ID of the OAuth client: `HF_DEVICE_CODE_OAUTH_CLIENT_ID`, or that of `huggingface_hub`.
///
/// ```
/// use hubtoken_core::env::StaticEnvironment;
/// use hubtoken_core::oauth::client_id;
///
/// let own = StaticEnvironment::from([("HF_DEVICE_CODE_OAUTH_CLIENT_ID", "my-hub")]);
/// assert_eq!(client_id(&own), "my-hub");
/// ```
#[must_use]
pub fn client_id(environment: &dyn Environment) -> String {
    env::text(environment, env::HF_DEVICE_CODE_OAUTH_CLIENT_ID)
        .unwrap_or_else(|| CLIENT_ID.to_owned())
}

/// How the fields of a request are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    Form,
    /// A JSON object, as `huggingface_hub` sends an exchange.
    Json,
}

impl Encoding {
    fn content_type(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
        }
    }

    fn encode(self, fields: &[(&str, &str)]) -> Zeroizing<String> {
        match self {
            Self::Form => {
                // Allocated at its largest size, so that no reallocation leaves a part behind.
                let length = fields
                    .iter()
                    .map(|(key, value)| key.len() + value.len() + 2);
                let text = String::with_capacity(3 * length.sum::<usize>());
                let mut form = form_urlencoded::Serializer::new(text);
                form.extend_pairs(fields);
                Zeroizing::new(form.finish())
            }
            Self::Json => {
                let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
                let mut text = Zeroizing::new(String::from("{"));
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(&quoted(key));
                    text.push(':');
                    text.push_str(&quoted(value));
                }
                text.push('}');
                text
            }
        }
    }
}

/// The OAuth endpoints of one Hub.
#[derive(Clone)]
pub struct TokenEndpoint {
    transport: Arc<Transport>,
    runtime: Arc<Runtime>,
    endpoint: Endpoint,
    settings: Settings,
    timeout: Duration,
}

impl TokenEndpoint {
    /// The endpoints of a Hub, reached as the environment says. Sends nothing.
    #[must_use]
    pub fn new(
        transport: Arc<Transport>,
        runtime: Arc<Runtime>,
        endpoint: Endpoint,
        settings: Settings,
    ) -> Self {
        Self {
            transport,
            runtime,
            endpoint,
            settings,
            timeout: TOKEN_TIMEOUT,
        }
    }

    /// The Hub.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Requests tokens from `/oauth/token`.
    ///
    /// The values of `fields` are treated as secrets: no failure repeats one that has at least eight
    /// characters.
    ///
    /// # Errors
    ///
    /// [`TokenFailure`].
    pub fn request(
        &self,
        encoding: Encoding,
        fields: &[(&str, &str)],
        interrupt: &dyn Interrupt,
    ) -> Result<TokenResponse, TokenFailure> {
        let answer = self.post(PATH, encoding, fields, interrupt)?;
        // Status codes are not looked at first: a Hub may send an error with any.
        let issued = (answer.status < 500)
            .then(|| TokenResponse::parse(&answer.body))
            .flatten();
        let failure =
            |answer: &Response| TokenFailure::of_answer(answer, &self.endpoint, &secrets(fields));
        issued.ok_or_else(|| failure(&answer))
    }

    /// The same for another server, reached in the same way.
    #[must_use]
    pub fn at(&self, endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            ..self.clone()
        }
    }

    /// Sends a `GET` request with an `Authorization` header to a path, and returns the answer
    /// whatever its status. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`TokenFailure::Inconclusive`].
    pub fn get(
        &self,
        path: String,
        authorization: Zeroizing<String>,
        interrupt: &dyn Interrupt,
    ) -> Result<Response, TokenFailure> {
        let client = self.client()?;
        let (endpoint, timeout) = (self.endpoint.clone(), self.timeout);
        let secret = authorization.clone();
        let request = async move {
            let request = (Method::GET, path.as_str());
            http::send(&client, &endpoint, request, authorization, None, timeout).await
        };
        self.runtime
            .run(request, interrupt)
            .map_err(TokenFailure::Inconclusive)?
            .map_err(|error| TokenFailure::of_transport(&error, &self.endpoint, &[&secret]))
    }

    fn client(&self) -> Result<HubClient, TokenFailure> {
        if self.settings.offline {
            return Err(TokenFailure::Inconclusive(Error::Unknown {
                message: "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set".to_owned(),
                response: ResponseDetails::default(),
                kind: UnknownKind::Offline,
            }));
        }
        self.transport
            .client(&self.endpoint, &self.settings)
            .map_err(TokenFailure::Inconclusive)
    }

    /// Sends fields to a path, and returns the answer whatever its status.
    ///
    /// # Errors
    ///
    /// [`TokenFailure::Inconclusive`].
    pub fn post(
        &self,
        path: &'static str,
        encoding: Encoding,
        fields: &[(&str, &str)],
        interrupt: &dyn Interrupt,
    ) -> Result<Response, TokenFailure> {
        let body = (encoding.content_type(), encoding.encode(fields));
        Ok(self.post_body(path, body, &secrets(fields), interrupt)?)
    }

    /// Sends a JSON document to a path, and returns the answer whatever its status. No failure
    /// repeats one of the `secrets`.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub fn post_document(
        &self,
        path: &'static str,
        document: Zeroizing<String>,
        secrets: &[&str],
        interrupt: &dyn Interrupt,
    ) -> Result<Response, Unanswered> {
        let body = (Encoding::Json.content_type(), document);
        self.post_body(path, body, secrets, interrupt)
    }

    fn post_body(
        &self,
        path: &'static str,
        body: (&'static str, Zeroizing<String>),
        secrets: &[&str],
        interrupt: &dyn Interrupt,
    ) -> Result<Response, Unanswered> {
        let client = self.client().map_err(Unanswered::unsent)?;
        let (endpoint, timeout) = (self.endpoint.clone(), self.timeout);
        let request = async move { http::post(&client, &endpoint, path, body, timeout).await };
        self.runtime
            .run(request, interrupt)
            .map_err(|error| Unanswered {
                failure: TokenFailure::Inconclusive(error),
                may_have_arrived: true,
            })?
            .map_err(|error| Unanswered {
                failure: TokenFailure::of_transport(&error, &self.endpoint, secrets),
                may_have_arrived: !matches!(
                    error,
                    TransportError::Unconnected(_) | TransportError::Unsendable(_)
                ),
            })
    }
}

/// A request without an answer.
pub struct Unanswered {
    /// Why there is none.
    pub failure: TokenFailure,
    /// Whether the Hub may have done what it was asked for.
    pub may_have_arrived: bool,
}

impl Unanswered {
    fn unsent(failure: TokenFailure) -> Self {
        Self {
            failure,
            may_have_arrived: false,
        }
    }
}

impl From<Unanswered> for TokenFailure {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.failure
    }
}

/// The values that no failure may repeat. Short ones, such as a name of a grant, are not secret.
fn secrets<'a>(fields: &[(&str, &'a str)]) -> Vec<&'a str> {
    let secret = [
        "refresh_token",
        "device_code",
        "subject_token",
        "client_secret",
    ];
    let fields = fields.iter().filter(|(key, _)| secret.contains(key));
    fields.map(|(_, value)| *value).collect()
}

#[cfg(test)]
mod tests;
