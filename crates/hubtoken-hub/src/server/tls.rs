//! The certificate of a Hub that serves TLS, and its renewal while the Hub runs.
//!
//! Certificates live for weeks, a Hub for months, so the files are reloaded when they change or on
//! request. Open connections keep the old certificate; new ones get the new one. If the new pair
//! cannot be used, such as when the key has not been written yet, the old one stays in place.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::error::HubError;
use crate::options::TlsFiles;
use hubtoken_core::sync::{lock_ignoring_poison, read_ignoring_poison, write_ignoring_poison};

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
    /// The state of the files when they were last read.
    stamp: Mutex<FileStamp>,
}

/// Modification time, inode and length, of certificate and key.
type FileStamp = [Option<(i64, i64, u64, u64)>; 2];

impl Certificate {
    pub(crate) fn load(files: &TlsFiles) -> Result<Arc<Self>, HubError> {
        let stamp = file_stamp(files);
        Ok(Arc::new(Self {
            files: files.clone(),
            current: RwLock::new(read(files)?),
            stamp: Mutex::new(stamp),
        }))
    }

    /// The TLS configuration for new connections.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, HubError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| self.unusable(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reloads the files.
    pub(crate) fn reload(&self) -> Result<(), HubError> {
        let mut stamp = lock_ignoring_poison(&self.stamp);
        let now = file_stamp(&self.files);
        let read = read(&self.files);
        *stamp = now;
        *write_ignoring_poison(&self.current) = read?;
        Ok(())
    }

    /// Reloads the files if they have changed; returns whether they had.
    pub(crate) fn reload_if_changed(&self) -> Result<bool, HubError> {
        let same = *lock_ignoring_poison(&self.stamp) == file_stamp(&self.files);
        if same {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    fn unusable(&self, error: &rustls::Error) -> HubError {
        certificate_error(&self.files.certificate, error)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = read_ignoring_poison(&self.current);
        Some(Arc::clone(&current))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn file_stamp(files: &TlsFiles) -> FileStamp {
    [&files.certificate, &files.key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.ino(), found.size()))
    })
}

fn read(files: &TlsFiles) -> Result<Arc<CertifiedKey>, HubError> {
    let chain = CertificateDer::pem_reader_iter(open(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| certificate_error(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(certificate_error(
            &files.certificate,
            &"it contains no certificate in PEM format",
        ));
    }
    let file = open(&files.key)?;
    let mode = file
        .get_ref()
        .metadata()
        .map_err(|error| certificate_error(&files.key, &error))?
        .permissions()
        .mode();
    if mode & 0o007 != 0 {
        return Err(certificate_error(
            &files.key,
            &"every user of this machine can access it: remove their permissions with chmod o-rwx",
        ));
    }
    // The parser's message is not passed on, because it might quote the key.
    let key = PrivateKeyDer::from_pem_reader(file)
        .map_err(|_| certificate_error(&files.key, &"it contains no private key in PEM format"))?;
    let certified = CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| certificate_error(&files.certificate, &error))?;
    Ok(Arc::new(certified))
}

fn open(path: &Path) -> Result<BufReader<File>, HubError> {
    File::open(path)
        .map(BufReader::new)
        .map_err(|error| certificate_error(path, &error))
}

fn certificate_error(path: &Path, reason: &dyn std::fmt::Display) -> HubError {
    HubError::Certificate {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
