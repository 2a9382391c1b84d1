//! How an error is written.

/// In which form errors are written. Each family of routes has one, which `router` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// `{"error": "…"}`.
    Json,
    /// The bare message.
    Text,
    /// The bare message, and `Basic` is called for.
    Git,
    /// `{"message": "…"}` as git-lfs has it, and `Basic` is called for.
    Lfs,
}

impl ErrorFormat {
    /// Whether git or git-lfs reads the error.
    pub(crate) fn is_for_git(self) -> bool {
        matches!(self, Self::Git | Self::Lfs)
    }
}
