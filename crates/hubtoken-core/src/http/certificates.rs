//! Finds the trusted certificates: those that the environment names, or else the system's.
//!
//! The library that loads them also reads the process's environment, in its own way: to it, an
//! empty variable names a file. So it is only ever given paths. A folder in `SSL_CERT_DIR` may be
//! missing if something else that is named holds a certificate, as for OpenSSL, since such lists
//! are written for many machines at once.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::bounded_file;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::sanitize::redacted_path;

type Der = CertificateDer<'static>;

/// The certificate files and folders that the environment names, which replace the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Each with the variable that names it.
    named: Vec<(&'static str, PathBuf)>,
}

/// The state of a file or folder when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileStamps(Vec<Option<[i64; 6]>>);

impl Certificates {
    /// Reads the environment. A blank variable counts as unset.
    pub(super) fn read(environment: &dyn Environment) -> Self {
        // Not converted to text: a path that is not UTF-8 still names a file.
        let value = |name| {
            let value = environment.get(name)?;
            let is_blank = value.to_str().is_some_and(|text| text.trim().is_empty());
            (!is_blank).then_some(value)
        };
        let file = [env::SSL_CERT_FILE, env::REQUESTS_CA_BUNDLE]
            .into_iter()
            .find_map(|name| Some((name, PathBuf::from(value(name)?))));
        let folders = value(env::SSL_CERT_DIR).into_iter().flat_map(|list| {
            std::env::split_paths(&list)
                .filter(|path| !path.to_string_lossy().trim().is_empty())
                .map(|path| (env::SSL_CERT_DIR, path))
                .collect::<Vec<_>>()
        });
        Self {
            named: file.into_iter().chain(folders).collect(),
        }
    }

    /// Whether the system's certificates are used.
    #[must_use]
    pub fn is_systems(&self) -> bool {
        self.named.is_empty()
    }

    /// Loads the certificates.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there are none.
    pub(super) fn load(&self) -> Result<Vec<Der>, Error> {
        if self.is_systems() {
            let found = of_system();
            return if found.is_empty() {
                Err(Error::Configuration(
                    "the system has no certificates to trust. Install the package ca-certificates, \
                     or name a file in SSL_CERT_FILE"
                        .to_owned(),
                ))
            } else {
                Ok(found)
            };
        }
        let mut found = Vec::new();
        let mut missing = None;
        for (variable, path) in &self.named {
            match load_one(path) {
                Ok(certificates) => found.extend(certificates),
                Err(problem) => {
                    let error = unusable(variable, path, &problem);
                    if *variable != env::SSL_CERT_DIR {
                        return Err(error);
                    }
                    missing.get_or_insert(error);
                }
            }
        }
        match missing {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// The error if none of the certificates can be used.
    pub(super) fn useless(&self) -> Error {
        match self.named.first() {
            Some((variable, path)) => {
                unusable(variable, path, "holds no certificate that can be read")
            }
            None => Error::Configuration(
                "none of the system's certificates can be read. Name a file in SSL_CERT_FILE"
                    .to_owned(),
            ),
        }
    }

    /// Shows whether the files and folders have changed. The system's certificates are not watched.
    pub(super) fn stamp(&self) -> FileStamps {
        FileStamps(self.named.iter().map(|(_, path)| stamp(path)).collect())
    }
}

#[cfg(test)]
impl From<&[(&'static str, &Path)]> for Certificates {
    fn from(named: &[(&'static str, &Path)]) -> Self {
        Self {
            named: named
                .iter()
                .map(|(variable, path)| (*variable, (*path).to_owned()))
                .collect(),
        }
    }
}

#[cfg(unix)]
fn stamp(path: &Path) -> Option<[i64; 6]> {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.metadata().ok()?;
    Some([
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
        found.size().cast_signed(),
        found.ino().cast_signed(),
    ])
}

#[cfg(not(unix))]
fn stamp(path: &Path) -> Option<[i64; 6]> {
    let found = path.metadata().ok()?;
    let since = found
        .modified()
        .ok()?
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    Some([
        since.as_secs().cast_signed(),
        since.subsec_nanos().into(),
        found.len().cast_signed(),
        0,
        0,
        0,
    ])
}

fn load_one(path: &Path) -> Result<Vec<Der>, String> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "does not exist".to_owned(),
        _ => format!("cannot be read: {}", bounded_file::io_error_text(&error)),
    };
    if path.is_dir() {
        std::fs::read_dir(path).map_err(failed)?;
        let found = rustls_native_certs::load_certs_from_paths(None, Some(path)).certs;
        return if found.is_empty() {
            Err(
                "holds no certificate under a name that OpenSSL looks for (see `openssl rehash`)"
                    .to_owned(),
            )
        } else {
            Ok(found)
        };
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let found = of_text(&text);
    if !found.is_empty() {
        return Ok(found);
    }
    Err(if text.contains("BEGIN TRUSTED CERTIFICATE") {
        "holds certificates in OpenSSL's own format (TRUSTED CERTIFICATE). Convert each with \
         `openssl x509 -in OLD -out NEW`"
            .to_owned()
    } else {
        "holds no certificate (PEM, which begins with -----BEGIN CERTIFICATE-----)".to_owned()
    })
}

/// The certificates in a text, read as OpenSSL does: a byte order mark at the start and the oldest
/// of the labels are accepted.
fn of_text(text: &str) -> Vec<Der> {
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("BEGIN X509 CERTIFICATE", "BEGIN CERTIFICATE")
        .replace("END X509 CERTIFICATE", "END CERTIFICATE");
    Der::pem_slice_iter(text.as_bytes())
        .filter_map(Result::ok)
        .collect()
}

fn unusable(variable: &str, path: &Path, problem: &str) -> Error {
    Error::Configuration(format!(
        "{variable} names {}, which {problem}",
        redacted_path(path)
    ))
}

/// Files in which systems keep all certificates. The first that exists is used.
#[cfg(all(unix, not(target_os = "macos")))]
const FILES: [&str; 12] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",
    "/etc/certs/ca-certificates.crt",
];
/// Folders in which systems keep one file per certificate.
#[cfg(all(unix, not(target_os = "macos")))]
const FOLDERS: [&str; 6] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/security/certificates",
    "/usr/local/share/certs",
    "/etc/openssl/certs",
    "/etc/certs/CA",
];

/// The system's certificates, from the locations that OpenSSL is built for.
#[cfg(all(unix, not(target_os = "macos")))]
fn of_system() -> Vec<Der> {
    let there = |path: &&Path| path.exists();
    let file = FILES.into_iter().map(Path::new).find(there);
    let mut folders = FOLDERS.into_iter().map(Path::new).filter(there);
    // Together, so that a file inside the folder is not read twice.
    let mut found = rustls_native_certs::load_certs_from_paths(file, folders.next()).certs;
    for folder in folders {
        found.extend(rustls_native_certs::load_certs_from_paths(None, Some(folder)).certs);
    }
    found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    found
}

/// The system's certificates, from its own store. Every function of the library that reads this
/// store looks at the environment first.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn of_system() -> Vec<Der> {
    rustls_native_certs::load_native_certs().certs
}

#[cfg(test)]
mod tests;
