//! The macOS keychain and the Windows credential manager.

use std::sync::Arc;

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store;
use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};
#[cfg(windows)]
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

use super::{Failure, Keyring, Label, SERVICE};
use crate::env::Environment;

/// The keychain of the user who is logged in, or the user's credentials.
pub(super) struct SystemKeyring;

impl SystemKeyring {
    pub(super) fn read(_environment: &dyn Environment) -> Self {
        Self
    }
}

/// The entry of an ID. The systems have no other attributes, so the name is not stored.
fn entry(id: &str) -> Result<Entry, Failure> {
    let store: Arc<Store> = Store::new().map_err(failure)?;
    store.build(SERVICE, id, None).map_err(failure)
}

impl Keyring for SystemKeyring {
    fn write(&self, id: &str, _label: &Label, value: &str) -> Result<(), Failure> {
        entry(id)?.set_secret(value.as_bytes()).map_err(failure)
    }

    fn relabel(&self, _id: &str, _label: &Label) -> Result<(), Failure> {
        Ok(())
    }

    fn read(&self, id: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        match entry(id)?.get_secret() {
            Ok(secret) => Ok(crate::bounded_file::into_utf8(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    fn delete(&self, id: &str) -> Result<(), Failure> {
        match entry(id)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }
}

/// The user dismissed the prompt of the keychain: `errSecUserCanceled`, `errSecAuthFailed`.
#[cfg(target_os = "macos")]
const DISMISSED: [&str; 2] = ["-128", "-25293"];
/// The keychain asks, and there is no screen: `errSecInteractionNotAllowed`.
#[cfg(target_os = "macos")]
const LOCKED: &str = "-25308";

fn failure(error: Error) -> Failure {
    match error {
        Error::NoStorageAccess(_) => Failure::Locked,
        #[cfg(target_os = "macos")]
        Error::PlatformFailure(problem) => {
            let text = format!("{problem:?}");
            if DISMISSED.iter().any(|code| text.contains(code)) {
                Failure::Dismissed
            } else if text.contains(LOCKED) {
                Failure::Locked
            } else {
                Failure::Other(format!("failed: {problem}"))
            }
        }
        #[cfg(windows)]
        Error::PlatformFailure(problem) => Failure::Other(format!("failed: {problem}")),
        Error::TooLong(_, limit) => Failure::Other(format!(
            "does not take values of more than {limit} bytes, and this token is longer"
        )),
        _ => Failure::Other("returned what hubtoken did not store in it".to_owned()),
    }
}
