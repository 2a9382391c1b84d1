//! Determines which token `huggingface_hub` would send by itself.
//!
//! That library has its own chain: it has no configuration, a blank `HF_TOKEN` hides the older
//! variable, and line breaks are removed anywhere in the value. Activation checks this before it
//! sets anything, because a token that the library sends anyway is best left to it: the library
//! also refreshes it.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::Inputs;
use crate::bounded_file::{self, MAXIMUM_TOKEN_FILE};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::env;
use crate::oauth::IdTokenSource;
use crate::token::Token;

impl Inputs<'_> {
    /// Whether `huggingface_hub` (2.4, `utils/_auth.py`) sends this token when it is not given one.
    #[must_use]
    pub fn huggingface_hub_sends(&self, token: &Token) -> bool {
        if self.oidc.is_some() || self.implicit_disabled {
            return false;
        }
        let is_token = |value: &str| *clean(value) == token.expose();
        let set = self
            .tokens
            .iter()
            .flatten()
            .find(|value| !value.is_empty())
            .and_then(|value: &OsString| value.to_str());
        if let Some(value) = set
            && !clean(value).is_empty()
        {
            return is_token(value);
        }
        self.paths
            .token
            .as_deref()
            .and_then(|path| {
                bounded_file::read_secret(path, MAXIMUM_TOKEN_FILE)
                    .ok()
                    .flatten()
            })
            .is_some_and(|content| is_token(&content))
    }

    /// Whether `huggingface_hub`, given no token, makes the exchange that this token came from, and
    /// so sends one that may do the same. Only if it can: a given id token may be good for one
    /// exchange, which was made for this token.
    #[must_use]
    pub fn huggingface_hub_exchanges(&self, credential: &Credential) -> bool {
        let Some(oidc) = &self.oidc else {
            return false;
        };
        let resource = oidc.resource.as_ref().ok().map(ToString::to_string);
        let is_repeatable = oidc
            .id_tokens
            .as_ref()
            .is_ok_and(IdTokenSource::is_repeatable);
        !self.implicit_disabled
            && is_repeatable
            && resource.is_some()
            && resource.as_deref() == credential.source.resource()
            && self.endpoint.as_ref().ok() == Some(&credential.endpoint)
    }

    /// Describes that `huggingface_hub` would send this token to a Hub other than its own, phrased
    /// to follow the token; `None` if it would not. That library keeps no record of a token's Hub:
    /// the active token goes to `HF_ENDPOINT`, or without it to the public Hub.
    #[must_use]
    pub fn misdirection(&self, token: &Token, own: &Endpoint) -> Option<String> {
        let ambient = self.endpoint.as_ref().ok()?;
        if ambient == own || !self.huggingface_hub_sends(token) {
            return None;
        }
        Some(format!(
            "huggingface_hub would send it to {ambient}, which is not its Hub: set {}={own}",
            env::HF_ENDPOINT
        ))
    }
}

fn clean(value: &str) -> Zeroizing<String> {
    Zeroizing::new(value.replace(['\r', '\n'], "").trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;

    const FIRST: &str = "hf_FirstFakeFakeFakeFakeFakeFakeFakeAA";
    const SECOND: &str = "hf_SecondFakeFakeFakeFakeFakeFakeFakBB";

    #[test]
    fn the_library_has_a_chain_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), format!("{FIRST}\n")).unwrap();
        let first = Token::parse(FIRST).unwrap().unwrap();
        // The variables set in addition to HF_HOME, and whether the token in the file is sent.
        for (variables, sent) in [
            (&[][..], true),
            (&[("HF_TOKEN", FIRST)], true),
            (&[("HF_TOKEN", SECOND)], false),
            (
                &[("HF_TOKEN", ""), ("HUGGING_FACE_HUB_TOKEN", SECOND)],
                false,
            ),
            // A blank variable hides the older one, and then the file is used.
            (
                &[("HF_TOKEN", " "), ("HUGGING_FACE_HUB_TOKEN", SECOND)],
                true,
            ),
            (&[("HF_OIDC_RESOURCE", "acme/x")], false),
            (&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], false),
        ] {
            let mut environment = StaticEnvironment::default();
            environment.set("HF_HOME", home.path());
            for (name, value) in variables {
                environment.set(name, value);
            }
            let inputs = Inputs::read(&environment, None);
            assert_eq!(inputs.huggingface_hub_sends(&first), sent, "{variables:?}");
        }
    }
}
