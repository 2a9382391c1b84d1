//! A JSON body that is serialized once and sent many times.
//!
//! Serializing an identity and hashing it for its `ETag` dominates the cost of a whoami, so the
//! bytes are cached with the principal and invalidated together with it.

use axum::body::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use hubtoken_core::hexadecimal;

/// The body and its weak `ETag`.
#[derive(Clone, Debug)]
pub(crate) struct CachedJson {
    pub body: Bytes,
    pub tag: Bytes,
}

impl CachedJson {
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
