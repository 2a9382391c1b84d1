//! The reference to a value in the keyring, as `stored_tokens` has it.
//!
//! It is a field of the token's section, `hubtoken_keyring = ID DIGEST`, in place of `hf_token` or
//! beside it. `huggingface_hub` keeps fields that it does not know, shows a section without a value
//! as an empty one, and replaces the section when it stores another token under that name.
//!
//! If a section has both fields, the file counts, and the item is a copy that arrives or leaves:
//! see `moving.rs`. Each copy has an ID of its own, so that a process that removes one cannot hit
//! the one that another process is about to rely on.

use crate::error::Error;
use crate::hexadecimal;
use crate::token::{Digest, Token};

/// The name of the field.
pub const FIELD: &str = "hubtoken_keyring";

/// A value in the keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringItem {
    /// The item's ID in the keyring.
    pub id: String,
    /// The digest of the value. With it, what is known about the token is found without the value,
    /// and another value is noticed.
    pub digest: Digest,
}

impl KeyringItem {
    /// A new item for a token.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the system has no random bytes.
    pub fn new(token: &Token) -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|_| Error::Store("the system gave no random bytes".to_owned()))?;
        Ok(Self {
            id: hexadecimal::encode(&bytes),
            digest: token.digest(),
        })
    }

    /// Parses the field. `None` for anything that hubtoken did not write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, digest) = text.trim().split_once(' ')?;
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(())?;
        Some(Self {
            id: id.to_owned(),
            digest: Digest::from_hex(digest.trim())?,
        })
    }

    /// The text of the field.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{} {}", self.id, self.digest.hex())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_field_is_read_back_and_nothing_else_is() {
        let token = Token::parse("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            .unwrap()
            .unwrap();
        let item = KeyringItem::new(&token).unwrap();
        assert_eq!(KeyringItem::parse(&item.to_text()), Some(item.clone()));
        assert_ne!(KeyringItem::new(&token).unwrap().id, item.id);
        let digest = item.digest.hex();
        for text in [
            "",
            " ",
            &item.id,
            &format!("{} {}", item.id, &digest[1..]),
            &format!("{} {digest}", &item.id[1..]),
            &format!("../{} {digest}", &item.id[3..]),
            &format!("{} {digest} more", item.id),
            &"é".repeat(40),
        ] {
            assert_eq!(KeyringItem::parse(text), None, "{text}");
        }
    }
}
