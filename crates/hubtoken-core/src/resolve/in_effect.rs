//! Tells which token is in effect, without asking anybody for it.
//!
//! Verbs that list or change the stored tokens say which one is used when none is given. They must
//! neither run a `token_command`, which may want a touch on a security key, nor open a notebook's
//! dialog. If such a source comes first, the answer is therefore the source alone.

use std::sync::Arc;

use super::chain::ChainRun;
use super::{Inputs, Resolver};
use crate::credential::Credential;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::source::{Notebook, Source};
use crate::store::Entry;
use crate::token::Token;

/// Which token is used when none is given.
#[derive(Debug)]
pub enum InEffect {
    /// This one.
    Token(Arc<Credential>),
    /// The one that this exchange, command, vault or keyring has, which was not asked.
    Unasked(Source),
    /// None: no source has one.
    Nothing,
    /// None: `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
    Disabled,
}

impl InEffect {
    /// Whether this is the token in effect.
    #[must_use]
    pub fn is(&self, token: &Token) -> bool {
        matches!(self, Self::Token(credential) if credential.token == *token)
    }

    /// Whether this is the token in effect, given that its value is in the system's keyring: the same
    /// value, or one that was not asked for and has its name.
    #[must_use]
    pub fn is_in_keyring(&self, entry: &Entry) -> bool {
        match (self, entry.keyring) {
            (Self::Token(credential), Some(digest)) => credential.token.digest() == digest,
            (Self::Unasked(source), Some(_)) => source.profile() == Some(&entry.name),
            _ => false,
        }
    }

    /// The token, if it is known.
    #[must_use]
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        match self {
            Self::Token(credential) => Some(credential),
            _ => None,
        }
    }

    /// Where the token comes from.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Token(credential) => Some(&credential.source),
            Self::Unasked(source) => Some(source),
            Self::Nothing | Self::Disabled => None,
        }
    }

    /// The token and where it comes from, as a noun phrase: "hf_…9xQ2 from the environment variable
    /// `HF_TOKEN`". `None` if there is no token.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::Token(credential) => Some(credential.describe()),
            Self::Unasked(source @ Source::Oidc(_)) => Some(format!(
                "the token of {} (it was not exchanged for this)",
                source.describe()
            )),
            Self::Unasked(source @ Source::Command(_)) => Some(format!(
                "the token that {} writes (it was not run for this)",
                source.describe()
            )),
            Self::Unasked(source @ (Source::Configuration { .. } | Source::Keyring(_))) => {
                Some(format!(
                    "the token of {} (the keyring that has it was not asked for this)",
                    source.describe()
                ))
            }
            Self::Unasked(source) => Some(format!(
                "{}, if it has one (it was not read for this),",
                source.describe()
            )),
            Self::Nothing | Self::Disabled => None,
        }
    }
}

impl Resolver {
    /// The token in effect. Runs no command, queries no vault and exchanges nothing, unless its
    /// answer is cached.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`], except that a missing token is not an error.
    pub fn in_effect(&self, inputs: &Inputs<'_>) -> Result<InEffect, Error> {
        if inputs.implicit_disabled {
            return Ok(InEffect::Disabled);
        }
        let mut run = ChainRun::new(self, inputs, None, false);
        run.asks_slow_sources = false;
        run.ask_ambient()?;
        Ok(match (run.found, run.unasked) {
            (Some(credential), _) => InEffect::Token(credential),
            (None, Some(source)) => InEffect::Unasked(source),
            (None, None) => InEffect::Nothing,
        })
    }
}

/// The notebook that a command was started from, if its vault is open to the notebook's own code.
/// A command cannot read the vault itself.
#[must_use]
pub fn notebook_around(environment: &dyn Environment) -> Option<Notebook> {
    if env::is_on(environment, env::HUBTOKEN_DISABLE_VAULTS) {
        return None;
    }
    let has_vault =
        env::text(environment, env::VERTEX_PRODUCT).as_deref() != Some("COLAB_ENTERPRISE");
    if env::text(environment, env::COLAB_RELEASE_TAG).is_some() && has_vault {
        return Some(Notebook::Colab);
    }
    env::text(environment, env::KAGGLE_USER_SECRETS_TOKEN).map(|_| Notebook::Kaggle)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::StaticEnvironment;
    use crate::resolve::host::Host;
    use crate::resolve::slow_source::Responder;

    const VALUE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
    const OTHER: &str = "hf_OtherOtherOtherOtherOtherOtherOtXX";

    /// A notebook whose vault must not be queried.
    struct Vault;

    impl Host for Vault {
        fn variables(&self) -> StaticEnvironment {
            StaticEnvironment::default()
        }

        fn interrupt(&self) -> &dyn crate::interrupt::Interrupt {
            &crate::interrupt::NeverInterrupted
        }

        fn vaults(&self) -> Vec<Notebook> {
            vec![Notebook::Colab]
        }

        fn ask_vault(&self, _: Notebook, _: Responder) {
            panic!("the vault was queried");
        }
    }

    fn write(home: &std::path::Path, name: &str, text: &str) {
        let path = home.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn what_comes_first_is_in_effect_and_nobody_is_asked() {
        let home = tempfile::tempdir().unwrap();
        let mut environment = StaticEnvironment::default();
        environment.set("HOME", home.path());
        environment.set("XDG_CONFIG_HOME", home.path().join(".config"));
        let told = |environment: &StaticEnvironment, host: &dyn Host| {
            let inputs = Inputs::read(environment, Some(home.path().to_owned()));
            let in_effect = Resolver::default().in_effect(&inputs.with_host(host));
            in_effect.unwrap()
        };
        let nobody = crate::resolve::host::NoHost;
        assert!(matches!(told(&environment, &nobody), InEffect::Nothing));
        let vault = told(&environment, &Vault);
        assert_eq!(vault.source(), Some(&Source::Vault(Notebook::Colab)));
        assert!(vault.describe().unwrap().contains("Colab"));

        write(home.path(), ".cache/huggingface/token", VALUE);
        let value = Token::parse(VALUE).unwrap().unwrap();
        let file = told(&environment, &Vault);
        assert!(file.is(&value) && matches!(file.source(), Some(Source::File(_))));

        let marker = home.path().join("ran");
        let command = format!(
            "token_command = [\"touch\", {:?}]\n",
            marker.to_str().unwrap()
        );
        write(home.path(), ".config/hubtoken/config.toml", &command);
        let command = told(&environment, &nobody);
        assert_eq!(command.source(), Some(&Source::Command("touch".to_owned())));
        assert!(!command.is(&value) && !marker.exists());

        environment.set("HF_TOKEN", OTHER);
        let variable = told(&environment, &nobody);
        assert!(!variable.is(&value));
        assert!(variable.describe().unwrap().contains("HF_TOKEN"));
        environment.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
        assert!(matches!(told(&environment, &nobody), InEffect::Disabled));
    }

    #[test]
    fn a_command_knows_the_notebook_around_it() {
        let around = |pairs: &[(&str, &str)]| {
            let mut environment = StaticEnvironment::default();
            for (name, value) in pairs {
                environment.set(name, *value);
            }
            notebook_around(&environment)
        };
        let colab = ("COLAB_RELEASE_TAG", "release-colab");
        assert_eq!(around(&[]), None);
        assert_eq!(around(&[colab]), Some(Notebook::Colab));
        assert_eq!(
            around(&[colab, ("VERTEX_PRODUCT", "COLAB_ENTERPRISE")]),
            None
        );
        assert_eq!(around(&[colab, ("HUBTOKEN_DISABLE_VAULTS", "1")]), None);
        let kaggle = ("KAGGLE_USER_SECRETS_TOKEN", "eyFake");
        assert_eq!(around(&[kaggle]), Some(Notebook::Kaggle));
    }
}
