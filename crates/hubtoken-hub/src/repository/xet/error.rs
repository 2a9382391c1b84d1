//! Why an upload by Xet was not taken.

use std::io;

use xet_core_structures::CoreError;
use xet_core_structures::merklehash::MerkleHash;

/// Why an upload was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XetError {
    /// It is not what it says that it is.
    #[error("{0}")]
    Rejected(String),
    /// It refers to a xorb that is not in this repository.
    #[error("The shard refers to xorb {0}, which is not in this repository: upload it first")]
    MissingXorb(MerkleHash),
    #[error("reading or writing failed: {0}")]
    Io(#[from] io::Error),
}

impl XetError {
    pub(super) fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected(reason.into())
    }
}

/// What the library could not read is the client's mistake.
impl From<CoreError> for XetError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => Self::Io(error),
            CoreError::Io(_) => Self::rejected("The data ends too early"),
            error => Self::Rejected(format!("The data is not valid: {error}")),
        }
    }
}
