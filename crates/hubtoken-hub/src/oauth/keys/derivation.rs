//! Derives what must be the same when an exchange is repeated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Keys;
use super::stored::Stored;
use crate::error::HubError;
use crate::secret::{Digest, Secret};

/// What is derived, so that no two uses give the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The first refresh token of a login, from its device code.
    FirstRefreshToken,
    /// The refresh token that replaces another one.
    NextRefreshToken,
    /// The stored form of a user code.
    UserCode,
}

impl Keys {
    /// The refresh token that belongs to this one, or to this device code: always the same.
    pub(crate) fn refresh_token(
        &self,
        purpose: Purpose,
        of: &Secret,
        now: OffsetDateTime,
    ) -> Result<Secret, HubError> {
        self.with(now, |stored| {
            let mac = self.mac(stored, purpose, of.reveal())?;
            Secret::refresh_token(|number| {
                let mut mac = mac.clone();
                mac.update(&number.to_be_bytes());
                Zeroizing::new(mac.finalize().into_bytes().into())
            })
        })
    }

    /// The stored form of a value that is too short for a plain digest.
    pub(crate) fn keyed_digest(
        &self,
        purpose: Purpose,
        value: &str,
        now: OffsetDateTime,
    ) -> Result<Digest, HubError> {
        self.with(now, |stored| {
            let mac = self.mac(stored, purpose, value)?;
            Ok(mac.finalize().into_bytes().into())
        })
    }

    fn mac(
        &self,
        stored: &Stored,
        purpose: Purpose,
        value: &str,
    ) -> Result<Hmac<Sha256>, HubError> {
        let key = STANDARD
            .decode(stored.derivation.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| self.invalid())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| self.invalid())?;
        mac.update(match purpose {
            Purpose::FirstRefreshToken => b"first refresh token\0",
            Purpose::NextRefreshToken => b"next refresh token\0",
            Purpose::UserCode => b"user code\0",
        });
        mac.update(value.as_bytes());
        mac.update(b"\0");
        Ok(mac)
    }
}
