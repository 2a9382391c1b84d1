//! Requests with a token to a Hub's own API, and what their failures mean.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::credential::Credential;
use crate::error::{Denial, DenialKind, Error, ResponseDetails, UnknownKind};
use crate::http::response_details::{details, retry_after};
use crate::http::{self, Response, Settings, Transport, TransportError};
use crate::identity::auth_check::is_policy;
use crate::identity::client::Client;
use crate::identity::failure::Failure;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::role::permission;
use crate::runtime::Runtime;

/// One operation, in the words of its errors.
pub(super) struct Operation<'a> {
    /// What the token is to do: "list the service accounts of acme".
    pub purpose: String,
    /// The organization.
    pub organization: &'a str,
    /// The permission that a fine-grained token needs.
    pub permission: &'static str,
    /// If it changes something that cannot be changed again without a trace: what may have happened
    /// when there is no answer, and how to find out.
    pub lost: Option<String>,
}

/// A Hub, as a token sees it.
pub(super) struct HubApi {
    transport: Arc<Transport>,
    runtime: Arc<Runtime>,
    credential: Arc<Credential>,
    settings: Settings,
    timeout: Duration,
}

impl HubApi {
    pub(super) fn new(
        client: &Client,
        credential: Arc<Credential>,
        settings: Settings,
        timeout: Duration,
    ) -> Self {
        Self {
            transport: Arc::clone(client.transport()),
            runtime: Arc::clone(client.runtime()),
            credential,
            settings,
            timeout,
        }
    }

    pub(super) fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// Sends a request, and returns the answer if it says that it was carried out.
    ///
    /// An operation whose answer must not be lost is not interrupted.
    pub(super) fn ask(
        &self,
        operation: &Operation<'_>,
        (method, path): (Method, String),
        body: Option<Value>,
        interrupt: &dyn Interrupt,
    ) -> Result<Response, Error> {
        if self.settings.offline {
            return Err(unknown(
                operation,
                "HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set",
                UnknownKind::Offline,
                ResponseDetails::default(),
            ));
        }
        let endpoint = self.credential.endpoint.clone();
        let client = self.transport.client(&endpoint, &self.settings)?;
        let authorization = self.credential.bearer()?;
        let timeout = self.timeout;
        let request = async move {
            let request = (method, path.as_str());
            let body = body.as_ref();
            http::send(&client, &endpoint, request, authorization, body, timeout).await
        };
        let interrupt = if operation.lost.is_some() {
            &NeverInterrupted
        } else {
            interrupt
        };
        match self.runtime.run(request, interrupt)? {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(self.refused(operation, &answer)),
            Err(error) => Err(self.unanswered(operation, &error)),
        }
    }

    /// The error for an answer that says that something was done, but not what.
    pub(super) fn unreadable(&self, operation: &Operation<'_>, answer: &Response) -> Error {
        let reason = format!("{} did not answer as a Hub does", self.credential.endpoint);
        // The body may hold a token.
        let head = Response {
            body: Vec::new(),
            ..answer.clone()
        };
        let response = details(&head, &self.credential.token);
        unknown(
            operation,
            &with_loss(operation, reason),
            UnknownKind::Other,
            response,
        )
    }

    fn refused(&self, operation: &Operation<'_>, answer: &Response) -> Error {
        let endpoint = &self.credential.endpoint;
        let response = details(answer, &self.credential.token);
        match answer.status {
            401 => Failure::Rejected(response).into_error(&self.credential),
            403 => self.denied(operation, response),
            404 if response.server_message().is_some() => Error::Hub {
                message: format!(
                    "could not {}: on {endpoint} there is no such thing that the token {} may see. \
                     Check the names, and whether its user administers {}",
                    operation.purpose,
                    self.credential.describe(),
                    operation.organization
                ),
                response,
            },
            404 | 405 => unknown(
                operation,
                &format!("{endpoint} has no service accounts. Check the endpoint"),
                UnknownKind::Other,
                response,
            ),
            429 => unknown(
                operation,
                &format!("{endpoint} limits the request rate"),
                UnknownKind::RateLimited {
                    retry_after: retry_after(answer),
                },
                response,
            ),
            400..500 if answer.header("x-error-code") == Some(permission::MISSPELLED) => {
                let words = response
                    .server_message()
                    .unwrap_or("a permission is misspelled");
                Error::InvalidArgument(words.to_owned())
            }
            400..500 => Error::Hub {
                message: format!(
                    "could not {}: {endpoint} refused it with status {}",
                    operation.purpose, answer.status
                ),
                response,
            },
            status => {
                let reason = format!("{endpoint} answered with status {status}");
                unknown(
                    operation,
                    &with_loss(operation, reason),
                    UnknownKind::Unreachable,
                    response,
                )
            }
        }
    }

    fn denied(&self, operation: &Operation<'_>, response: ResponseDetails) -> Error {
        let (organization, permission) = (operation.organization, operation.permission);
        let words = response.server_message().unwrap_or_default();
        let is_policy = is_policy(words);
        let (kind, reason, advice, page) = if is_policy {
            (
                DenialKind::OrganizationPolicy,
                format!("the organization {organization} blocks this token"),
                "Ask an administrator of the organization",
                format!("/organizations/{organization}/settings"),
            )
        } else {
            (
                DenialKind::InsufficientRole,
                format!(
                    "that takes an administrator of {organization}, with a write token or with \
                     `{permission}`"
                ),
                "If you are one, create such a token",
                format!(
                    "/settings/tokens/new?tokenType=fineGrained&orgs={organization}\
                     &orgPermissions={permission}"
                ),
            )
        };
        let denial = Denial {
            required: permission.to_owned(),
            actual: None,
            target: Some(organization.to_owned()),
            advice: Some(advice),
            remedy_url: Some(self.credential.endpoint.url(&page)),
        };
        Error::AccessDenied {
            message: format!(
                "the token {} cannot {}: {}",
                self.credential.describe(),
                operation.purpose,
                denial.after(&reason)
            ),
            response,
            kind,
            denial: Box::new(denial),
        }
    }

    fn unanswered(&self, operation: &Operation<'_>, error: &TransportError) -> Error {
        let endpoint = &self.credential.endpoint;
        let reason = format!("{} ({endpoint})", error.text());
        let (kind, reason) = match error {
            TransportError::Unsendable(_) => (UnknownKind::Other, reason),
            // A redirect answers without carrying out anything.
            TransportError::Unusable {
                is_incomplete: false,
                head,
                ..
            } if head.status >= 300 => (UnknownKind::Other, reason),
            TransportError::Unusable {
                is_incomplete: false,
                ..
            } => (UnknownKind::Other, with_loss(operation, reason)),
            TransportError::Unconnected(_) => (UnknownKind::Unreachable, reason),
            _ => (UnknownKind::Unreachable, with_loss(operation, reason)),
        };
        let response = error
            .head()
            .map(|head| details(head, &self.credential.token))
            .unwrap_or_default();
        unknown(operation, &reason, kind, response)
    }
}

fn with_loss(operation: &Operation<'_>, reason: String) -> String {
    match &operation.lost {
        Some(lost) => format!("{reason}. {lost}"),
        None => reason,
    }
}

fn unknown(
    operation: &Operation<'_>,
    reason: &str,
    kind: UnknownKind,
    response: ResponseDetails,
) -> Error {
    Error::Unknown {
        message: format!(
            "no answer to the request to {}: {reason}",
            operation.purpose
        ),
        response,
        kind,
    }
}
