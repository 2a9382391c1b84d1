//! What the requests of one family of routes have in common.
//!
//! `router` gives every sub-router its family, so a new one is declared in one place, and the
//! middleware never compares paths. Only a path that no route takes is read as text, to find the
//! family that it resembles; see `api::fallback`.

use crate::response::ErrorFormat;

/// A family of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteFamily {
    /// For programs.
    Api {
        guard: Guard,
        errors: ErrorFormat,
        window: RateLimitWindow,
    },
    /// For browsers. Pages check the session, and write errors and headers, by themselves; see
    /// `pages::guard`.
    Pages {
        /// Whether the session is looked up. What a page loads is the same for every visitor.
        needs_visitor: bool,
    },
}

impl RouteFamily {
    pub(crate) const fn api(guard: Guard, errors: ErrorFormat, window: RateLimitWindow) -> Self {
        Self::Api {
            guard,
            errors,
            window,
        }
    }
}

/// What a request needs to reach its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing, not even the Hub's own host name: a health probe reveals nothing secret.
    Probe,
    /// The right to read the metrics.
    Metrics,
    /// The admin key.
    AdminKey,
    /// Nothing but the Hub's own host name: the request carries no access token, and a header that
    /// would be one is the route's business.
    Open,
    /// A valid access token or none; the handler decides what an anonymous caller may do.
    Token,
    /// The same, and the request counts toward the limit on whoami, even with an invalid token.
    CountedToken,
}

/// The rate limit of the real Hub that the headers show where no limit of this Hub applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimitWindow {
    Api,
    /// For the contents of files.
    Resolvers,
}
