//! The files of a store.

use std::path::{Path, PathBuf};

use super::endpoints;
use crate::file;
use crate::paths::Paths;
use crate::token::Token;

/// The largest token file that is read, in bytes.
const MAXIMUM_TOKEN_FILE: u64 = 64 * 1024;

/// Where the active token and the named ones are; what is known of them lies beside the latter.
pub(super) struct Files {
    token: PathBuf,
    stored_tokens: PathBuf,
}

impl Files {
    /// The files at the places that an environment selects; `None` without a home folder.
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

    /// The files that hold tokens, or say whose they are.
    pub(super) fn all(&self) -> [PathBuf; 3] {
        [
            self.token.clone(),
            self.stored_tokens.clone(),
            endpoints::path(&self.stored_tokens),
        ]
    }

    /// The token file's token; one that is broken or absent is none.
    pub(super) fn active(&self) -> Option<Token> {
        let text = file::read_secret(&self.token, MAXIMUM_TOKEN_FILE).ok()??;
        Token::parse(&text).ok()?
    }
}
