//! The crate's error type, independent of Python.
//!
//! Each variant corresponds to one class of the Python hierarchy (shown in
//! `python/hubtoken/errors.py`). A message says what happened, with which token (masked) from which
//! source, and what to do next. It never contains a token's value. Errors are cheap to clone, since
//! the followers of a single flight share the leader's.

mod response_details;

use std::sync::Arc;

pub use response_details::ResponseDetails;

use crate::repository::SimilarRepository;
use crate::trace::Trace;

/// What was required, what the token has, and where to fix it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The required role or permission.
    pub required: String,
    /// What the token has.
    pub actual: Option<String>,
    /// The repository or namespace.
    pub target: Option<String>,
    /// What would help, in the imperative; `None` if nothing known would.
    pub advice: Option<&'static str>,
    /// The page for doing that.
    pub remedy_url: Option<String>,
}

impl Denial {
    /// A reason and what to do about it: "… lacks `repo.write`. Create a token that has it:
    /// https://…".
    #[must_use]
    pub fn after(&self, reason: &str) -> String {
        let reason = reason.trim_end_matches('.');
        let end = if reason.ends_with('?') { "" } else { "." };
        match (self.advice, &self.remedy_url) {
            (Some(advice), Some(url)) => format!("{reason}{end} {advice}: {url}"),
            (Some(advice), None) => format!("{reason}{end} {advice}"),
            (None, Some(url)) => format!("{reason}{end} See {url}"),
            (None, None) => reason.to_owned(),
        }
    }
}

/// The kind of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialKind {
    /// Denied by the Hub for another reason than those below.
    Other,
    /// The token's role or scopes, or its user's role in the organization, are insufficient.
    InsufficientRole,
    /// The repository is gated and access has not been granted.
    Gated,
    /// The organization's policy blocks the token.
    OrganizationPolicy,
    /// Access to the repository is disabled on the Hub, for every token.
    Disabled,
}

/// Why nothing could be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKind {
    /// An invalid response, or a question that has no answer.
    Other,
    /// No answer: connection refused, time-out, TLS failure.
    Unreachable,
    /// Too many requests. The Hub may say how many seconds to wait.
    RateLimited {
        /// The number of seconds to wait, if the Hub said so.
        retry_after: Option<u64>,
    },
    /// The environment disables requests.
    Offline,
}

/// Anything that can go wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No source has a token, or no stored token has this name.
    #[error("{message}")]
    TokenNotFound {
        /// What happened and what to do.
        message: String,
        /// The result of each source; empty if no source was asked.
        trace: Arc<Trace>,
    },
    /// A value cannot be a token.
    #[error("{0}")]
    TokenFormat(String),
    /// The Hub does not recognize the token.
    #[error("{}", response.append_to(message))]
    InvalidToken {
        /// What happened and what to do.
        message: String,
        /// The answer that caused it.
        response: ResponseDetails,
        /// The token's source, which is where to fix it.
        source_name: String,
    },
    /// The token is valid, but lacks a right.
    #[error("{}", response.append_to(message))]
    AccessDenied {
        /// What happened and what to do.
        message: String,
        /// The answer that caused it; empty if the identity alone decided.
        response: ResponseDetails,
        /// The kind of denial.
        kind: DenialKind,
        /// The details.
        denial: Box<Denial>,
    },
    /// The repository does not exist, or is invisible to this token.
    #[error("{}", response.append_to(message))]
    RepositoryNotFound {
        /// What happened and what to do.
        message: String,
        /// The answer that caused it.
        response: ResponseDetails,
        /// Repositories that may have been meant, the closest first.
        similar: Arc<[SimilarRepository]>,
    },
    /// Nothing could be determined about the token.
    #[error("{}", response.append_to(message))]
    Unknown {
        /// What happened and what to do.
        message: String,
        /// The answer that caused it; empty if there was none.
        response: ResponseDetails,
        /// Why nothing could be determined.
        kind: UnknownKind,
    },
    /// The token must not be sent there.
    #[error("{0}")]
    UntrustedEndpoint(String),
    /// A login, or the renewal of one, did not succeed.
    #[error("{}", response.append_to(message))]
    Login {
        /// What happened and what to do.
        message: String,
        /// The code of RFC 6749 or RFC 8628, such as `expired_token`, if the Hub sent one.
        code: Option<String>,
        /// The answer that caused it; empty if none did.
        response: ResponseDetails,
    },
    /// A file of tokens cannot be read or written.
    #[error("{0}")]
    Store(String),
    /// Another stored token has the name that one was to get.
    #[error("{0}")]
    NameTaken(String),
    /// A configuration file is invalid, or contains something that it must not.
    #[error("{0}")]
    Configuration(String),
    /// An argument that no call could accept.
    #[error("{0}")]
    InvalidArgument(String),
    /// The embedded Hub could not start, or could not carry out a request.
    #[error("{}", response.append_to(message))]
    Hub {
        /// What happened and what to do.
        message: String,
        /// The answer that caused it; empty if there was none.
        response: ResponseDetails,
    },
    /// The caller asked to stop waiting.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An error of the embedded Hub that no answer caused.
    #[must_use]
    pub fn hub(message: impl Into<String>) -> Self {
        Self::Hub {
            message: message.into(),
            response: ResponseDetails::default(),
        }
    }

    /// An error that says nothing about the token.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown {
            message: message.into(),
            response: ResponseDetails::default(),
            kind: UnknownKind::Other,
        }
    }

    /// The same kind of unknown with another message, made from this one's. Any other error is
    /// returned unchanged.
    #[must_use]
    pub fn instead(self, message: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unknown {
                message: before,
                kind,
                response,
            } => Self::Unknown {
                message: message(before),
                response,
                kind,
            },
            other => other,
        }
    }

    /// The same error with the details of the answer that caused it, if it is of a kind that an
    /// answer causes.
    #[must_use]
    pub fn caused_by(mut self, details: &ResponseDetails) -> Self {
        if let Self::InvalidToken { response, .. }
        | Self::AccessDenied { response, .. }
        | Self::RepositoryNotFound { response, .. }
        | Self::Unknown { response, .. }
        | Self::Login { response, .. }
        | Self::Hub { response, .. } = &mut self
            && *response == ResponseDetails::default()
        {
            response.clone_from(details);
        }
        self
    }

    /// The details of the answer that caused it; empty if none did.
    #[must_use]
    pub fn response(&self) -> ResponseDetails {
        match self {
            Self::InvalidToken { response, .. }
            | Self::AccessDenied { response, .. }
            | Self::RepositoryNotFound { response, .. }
            | Self::Unknown { response, .. }
            | Self::Login { response, .. }
            | Self::Hub { response, .. } => response.clone(),
            Self::TokenNotFound { .. }
            | Self::TokenFormat(_)
            | Self::UntrustedEndpoint(_)
            | Self::Store(_)
            | Self::NameTaken(_)
            | Self::Configuration(_)
            | Self::InvalidArgument(_)
            | Self::Interrupted => ResponseDetails::default(),
        }
    }

    /// A stored token that does not exist, which no source was asked for.
    #[must_use]
    pub fn not_stored(message: String) -> Self {
        Self::TokenNotFound {
            message,
            trace: Arc::default(),
        }
    }

    /// Prefixes the message and keeps the class.
    #[must_use]
    pub fn context(self, prefix: &str) -> Self {
        let join = |message: String| format!("{prefix}: {message}");
        match self {
            Self::TokenFormat(message) => Self::TokenFormat(join(message)),
            Self::UntrustedEndpoint(message) => Self::UntrustedEndpoint(join(message)),
            Self::Store(message) => Self::Store(join(message)),
            Self::Configuration(message) => Self::Configuration(join(message)),
            other => other,
        }
    }
}
