//! A JSON body that is written once and sent many times.
//!
//! Writing an identity and hashing it for its `ETag` takes longer than everything else that a whoami
//! does, and the result changes only with the principal that it describes. So the principal keeps it.

use axum::body::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use hubtoken_core::hexadecimal;

/// The body and its weak `ETag`.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub body: Bytes,
    pub tag: Bytes,
}

impl Rendered {
    pub(crate) fn new(body: &impl Serialize) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_vec(body)?;
        let tag = format!(
            "W/\"{:x}-{}\"",
            body.len(),
            &hexadecimal::encode(&Sha256::digest(&body))[..27]
        );
        Ok(Self {
            body: body.into(),
            tag: tag.into(),
        })
    }
}
