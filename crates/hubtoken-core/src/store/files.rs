//! Locates the files of a token store.

use std::path::{Path, PathBuf};

use super::metadata_file;
use crate::bounded_file::{self, MAXIMUM_TOKEN_FILE};
use crate::paths::Paths;
use crate::token::Token;

/// The paths of the active token and of the named tokens. The metadata file is next to the latter.
pub(super) struct Files {
    token: PathBuf,
    stored_tokens: PathBuf,
}

impl Files {
    /// The files for an environment; `None` without a home folder.
    pub(super) fn of(paths: &Paths) -> Option<Self> {
        Some(Self {
            token: paths.token.clone()?,
            stored_tokens: paths.stored_tokens.clone()?,
        })
    }

    /// The file of the active token.
    pub(super) fn token(&self) -> &Path {
        &self.token
    }

    /// The file of the named tokens.
    pub(super) fn stored_tokens(&self) -> &Path {
        &self.stored_tokens
    }

    /// The files that contain tokens or their metadata.
    pub(super) fn all(&self) -> [PathBuf; 3] {
        [
            self.token.clone(),
            self.stored_tokens.clone(),
            metadata_file::path(&self.stored_tokens),
        ]
    }

    /// The token in the token file; `None` if the file is broken or missing.
    pub(super) fn active(&self) -> Option<Token> {
        let text = bounded_file::read_secret(&self.token, MAXIMUM_TOKEN_FILE).ok()??;
        Token::parse(&text).ok()?
    }
}
