//! Decides which server certificates are trusted.
//!
//! By default these are the system's authorities; if the environment names a file or folders, those
//! in them and no others. One rule goes beyond rustls. A certificate made by `openssl req -x509`
//! claims to be an authority, and rustls rejects a server that presents an authority's certificate
//! as its own. OpenSSL, and therefore curl and requests, accept it if it is among the trusted
//! certificates. It is accepted here as well, but only if it is byte for byte one of the
//! certificates in the named bundle and nothing else is wrong with it: its name, its dates and its
//! purpose are checked, and its key must sign the handshake.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5280::ID_KP_SERVER_AUTH;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

use super::certificates::Certificates;
use crate::error::Error;

/// The TLS configuration that trusts the named certificates, or the system's. They are read only
/// for https.
///
/// # Errors
///
/// [`Error::Configuration`] if there are no certificates to trust.
pub fn client_config(is_secure: bool, trusted: &Certificates) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable("this version of rustls supports no protocol"))?;
    let mut roots = RootCertStore::empty();
    if !is_secure {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let certificates = trusted.load()?;
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 {
        return Err(trusted.useless());
    }
    if trusted.is_systems() {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let verifier = BundleVerifier::new(roots, certificates, provider)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn unusable(problem: &str) -> Error {
    Error::Configuration(format!("TLS cannot be set up: {problem}"))
}

/// Verifies certificates as rustls does, and also accepts a bundled one as a server's own.
#[derive(Debug)]
struct BundleVerifier {
    inner: Arc<WebPkiServerVerifier>,
    bundle: Vec<CertificateDer<'static>>,
}

impl BundleVerifier {
    fn new(
        roots: RootCertStore,
        bundle: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| unusable("the certificates cannot be used"))?;
        Ok(Self { inner, bundle })
    }

    /// Whether a server's certificate is byte for byte one of the bundle.
    fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        self.bundle
            .iter()
            .any(|known| known.as_ref() == certificate.as_ref())
    }
}

impl ServerCertVerifier for BundleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if is_authority(&error) && self.holds(end_entity) => {
                check_purpose_and_dates(end_entity, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether the error is that a server presents an authority's certificate as its own.
pub(super) fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error
    else {
        return false;
    };
    matches!(
        other.downcast_ref::<webpki::Error>(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}

/// Checks what webpki may not have checked, depending on its version: it stops at the first
/// problem.
fn check_purpose_and_dates(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let unreadable = |_| rustls::Error::from(CertificateError::BadEncoding);
    let certificate = Certificate::from_der(certificate).map_err(unreadable)?;
    let content = certificate.tbs_certificate();
    let validity = content.validity();
    if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    match content
        .get_extension::<ExtendedKeyUsage>()
        .map_err(unreadable)?
    {
        Some((_, usage)) if !usage.0.contains(&ID_KP_SERVER_AUTH) => {
            return Err(CertificateError::InvalidPurpose.into());
        }
        _ => {}
    }
    match content.get_extension::<KeyUsage>().map_err(unreadable)? {
        Some((_, usage))
            if !(usage.digital_signature()
                || usage.key_encipherment()
                || usage.key_agreement()) =>
        {
            Err(CertificateError::InvalidPurpose.into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
