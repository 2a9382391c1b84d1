//! The formats in which errors are written.

/// The format of errors. Each family of routes has one, see `route_family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// `{"error": "…"}`.
    Json,
    /// The plain message.
    Text,
    /// The plain message, with a `Basic` challenge.
    Git,
    /// `{"message": "…"}` as git-lfs expects it, with a `Basic` challenge.
    Lfs,
}

impl ErrorFormat {
    /// Whether git or git-lfs reads the error.
    pub(crate) fn is_for_git(self) -> bool {
        matches!(self, Self::Git | Self::Lfs)
    }
}
