//! One error type, free of Python.
//!
//! Each variant is one class of the Python tree (`python/hubtoken/errors.py` draws it). A message
//! says what happened, with which token (masked) from which source, and what to do next; it never
//! holds a value. Errors are cheap to clone, since the followers of a single flight share the
//! leader's.

use std::sync::Arc;

use crate::repository::SimilarRepository;
use crate::trace::Trace;

/// What was needed, what there is, and where the right thing is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The role or permission that was asked for.
    pub required: String,
    /// What the token has.
    pub actual: Option<String>,
    /// The repository or namespace.
    pub target: Option<String>,
    /// What would help, in the imperative; `None` when nothing is known that would.
    pub advice: Option<&'static str>,
    /// The page on which that is done.
    pub remedy_url: Option<String>,
}

impl Denial {
    /// ". Make a token that will do: https://…", to follow a reason.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (self.advice, &self.remedy_url) {
            (Some(advice), Some(url)) => format!(". {advice}: {url}"),
            (Some(advice), None) => format!(". {advice}"),
            (None, Some(url)) => format!(". See {url}"),
            (None, None) => String::new(),
        }
    }
}

/// What sort of denial it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialKind {
    /// The Hub refused and none of the other kinds fits.
    Other,
    /// The token's role or scopes, or its user's role in the organization, are not enough.
    InsufficientRole,
    /// The repository's gate has not been passed.
    Gated,
    /// The organization's policy keeps the token out.
    OrganizationPolicy,
    /// Access to the repository is disabled on the Hub, for every token.
    Disabled,
}

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKind {
    /// The answer made no sense, or the question has none.
    Other,
    /// No answer: connection refused, time-out, TLS failure.
    Unreachable,
    /// Too many requests; the Hub may say for how many seconds to wait.
    RateLimited {
        /// Seconds to wait, when the Hub said so.
        retry_after: Option<u64>,
    },
    /// The environment forbids requests.
    Offline,
}

/// Anything that can go wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No source has a token.
    #[error("{message}")]
    TokenNotFound {
        /// What happened and what to do.
        message: String,
        /// What each source answered.
        trace: Arc<Trace>,
    },
    /// A value cannot be a token.
    #[error("{0}")]
    TokenFormat(String),
    /// The Hub does not know the token.
    #[error("{message}")]
    InvalidToken {
        /// What happened and what to do.
        message: String,
        /// Where the token came from, which is where to mend it.
        source_name: String,
    },
    /// The token is good, but not for this.
    #[error("{message}")]
    AccessDenied {
        /// What happened and what to do.
        message: String,
        /// What sort of denial.
        kind: DenialKind,
        /// The particulars.
        denial: Box<Denial>,
    },
    /// The repository does not exist, or this token must not know of it.
    #[error("{message}")]
    RepositoryNotFound {
        /// What happened and what to do.
        message: String,
        /// What may have been meant, the nearest first.
        similar: Arc<[SimilarRepository]>,
    },
    /// Nothing is known against the token.
    #[error("{message}")]
    Unknown {
        /// What happened and what to do.
        message: String,
        /// Why nothing is known.
        kind: UnknownKind,
    },
    /// The token must not go there.
    #[error("{0}")]
    UntrustedEndpoint(String),
    /// A file of tokens cannot be read or written.
    #[error("{0}")]
    Store(String),
    /// A configuration file is broken, or names what it may not.
    #[error("{0}")]
    Configuration(String),
    /// An argument that no call could accept.
    #[error("{0}")]
    InvalidArgument(String),
    /// The embedded Hub could not start, or could not do what it was asked.
    #[error("{0}")]
    Hub(String),
    /// The caller asked to stop waiting.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An error that says nothing about the token.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown {
            message: message.into(),
            kind: UnknownKind::Other,
        }
    }

    /// The same kind of unknown with another message; any other error stays as it is.
    #[must_use]
    pub fn instead(self, message: impl FnOnce() -> String) -> Self {
        match self {
            Self::Unknown { kind, .. } => Self::Unknown {
                message: message(),
                kind,
            },
            other => other,
        }
    }

    /// Puts words before the message and keeps the class.
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
