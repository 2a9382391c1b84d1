//! Failures of a verb, as an exit code, a JSON object, and a message.

use serde_json::{Map, Value, json};

use super::exit_code::Code;
use crate::error::{Denial, DenialKind, Error, UnknownKind};
use crate::trace::{Step, Trace};

/// Why a verb failed.
#[derive(Debug)]
pub enum Failure {
    /// An error of the core.
    Core(Error),
    /// The command line is invalid.
    Usage(String),
    /// The git program is missing or fails.
    Git(String),
    /// A command could not be started.
    Command {
        /// The exit code that a shell uses for it.
        code: Code,
        /// Which command, and why.
        message: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> Code {
        match self {
            Self::Usage(_) => Code::Usage,
            Self::Git(_) => Code::Refused,
            Self::Command { code, .. } => *code,
            Self::Core(error) => match error {
                Error::TokenNotFound { .. }
                | Error::TokenFormat(_)
                | Error::InvalidToken { .. }
                | Error::AccessDenied { .. }
                | Error::RepositoryNotFound { .. }
                | Error::Login { .. }
                | Error::NameTaken(_)
                | Error::Hub { .. } => Code::Refused,
                Error::UntrustedEndpoint(_)
                | Error::Store(_)
                | Error::Configuration(_)
                | Error::InvalidArgument(_) => Code::Usage,
                Error::Unknown { .. } => Code::Unknown,
                Error::Interrupted => Code::Interrupted,
            },
        }
    }

    /// The name of the Python class, or `UsageError`, `GitError`, `CommandError`.
    fn kind(&self) -> &'static str {
        let error = match self {
            Self::Usage(_) => return "UsageError",
            Self::Git(_) => return "GitError",
            Self::Command { .. } => return "CommandError",
            Self::Core(error) => error,
        };
        match error {
            Error::TokenNotFound { .. } => "TokenNotFoundError",
            Error::TokenFormat(_) => "TokenFormatError",
            Error::InvalidToken { .. } => "InvalidTokenError",
            Error::AccessDenied { kind, .. } => match kind {
                DenialKind::Other => "AccessDeniedError",
                DenialKind::InsufficientRole => "InsufficientRoleError",
                DenialKind::Gated => "GatedRepoError",
                DenialKind::OrganizationPolicy => "OrganizationPolicyError",
                DenialKind::Disabled => "RepositoryDisabledError",
            },
            Error::RepositoryNotFound { .. } => "RepositoryNotFoundError",
            Error::Unknown { kind, .. } => match kind {
                UnknownKind::Other => "VerdictUnknownError",
                UnknownKind::Unreachable => "HubUnreachableError",
                UnknownKind::RateLimited { .. } => "RateLimitedError",
                UnknownKind::Offline => "OfflineError",
            },
            Error::Login { .. } => "LoginError",
            Error::UntrustedEndpoint(_) => "UntrustedEndpointError",
            Error::Store(_) | Error::NameTaken(_) => "StoreError",
            Error::Configuration(_) => "ConfigurationError",
            Error::InvalidArgument(_) => "UsageError",
            Error::Hub { .. } => "HubError",
            Error::Interrupted => "Interrupted",
        }
    }

    /// The message. It omits the list of sources, which the trace shows, and the advice to pass an
    /// argument, which the command line does not accept.
    pub fn message(&self) -> String {
        match self {
            Self::Usage(message) | Self::Git(message) | Self::Command { message, .. } => {
                message.clone()
            }
            Self::Core(Error::TokenNotFound { message, .. }) => {
                let first = message.lines().next().unwrap_or_default();
                first
                    .trim_end_matches(" Tried:")
                    .replace(", or hand over token=", "")
            }
            Self::Core(error) => error.to_string(),
        }
    }

    /// The status of each source, if no source had a token.
    pub fn trace(&self) -> Option<&Trace> {
        match self {
            // A stored token that does not exist was looked for in no source.
            Self::Core(Error::TokenNotFound { trace, .. }) if !trace.steps.is_empty() => {
                Some(trace)
            }
            _ => None,
        }
    }

    /// The object under `error`.
    pub fn to_json(&self) -> Value {
        let mut object = self.to_map();
        if let Some(trace) = self.trace() {
            object.insert("trace".to_owned(), trace_json(trace));
        }
        Value::Object(object)
    }

    /// The same, for output that contains the trace anyway.
    pub fn to_json_without_trace(&self) -> Value {
        Value::Object(self.to_map())
    }

    fn to_map(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("kind".to_owned(), self.kind().into());
        object.insert("message".to_owned(), self.message().into());
        if let Self::Core(error) = self {
            particulars(error, &mut object);
            let response = error.response();
            for (key, value) in [
                ("request_id", response.request_id()),
                ("server_message", response.server_message()),
            ] {
                if let Some(value) = value {
                    object.insert(key.to_owned(), value.into());
                }
            }
        }
        object
    }
}

fn particulars(error: &Error, object: &mut Map<String, Value>) {
    match error {
        Error::AccessDenied { denial, .. } => {
            let Denial {
                required,
                actual,
                target,
                remedy_url,
                advice: _,
            } = &**denial;
            object.insert("required".to_owned(), json!(required));
            object.insert("actual".to_owned(), json!(actual));
            object.insert("target".to_owned(), json!(target));
            object.insert("remedy_url".to_owned(), json!(remedy_url));
        }
        Error::InvalidToken { source_name, .. } => {
            object.insert("source".to_owned(), json!(source_name));
        }
        Error::Login { code, .. } => {
            object.insert("error_code".to_owned(), json!(code));
        }
        Error::Unknown {
            kind: UnknownKind::RateLimited { retry_after },
            ..
        } => {
            object.insert("retry_after".to_owned(), json!(retry_after));
        }
        _ => {}
    }
}

/// A trace as a list of steps.
pub fn trace_json(trace: &Trace) -> Value {
    let step = |step: &Step| {
        json!({
            "source": step.source,
            "answer": step.status.name(),
            "mask": step.mask,
            "detail": step.detail,
        })
    };
    trace.steps.iter().map(step).collect()
}
