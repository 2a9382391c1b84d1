//! Which certificates are accepted, in handshakes that run in memory.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use super::client_config;
use crate::env::SSL_CERT_FILE;
use crate::error::Error;
use crate::http::certificates::Certificates;
use crate::http::transport_error;

/// The certificate and key of a server.
#[derive(Debug)]
struct Identity(Arc<CertifiedKey>);

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A certificate like that of `openssl req -x509`: an authority's, self-signed.
fn openssl_like(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

struct Made {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn self_signed(params: &CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    Made {
        certificate: params.self_signed(&key).unwrap(),
        key,
    }
}

fn trusted(path: &Path) -> Certificates {
    Certificates::from(&[(SSL_CERT_FILE, path)][..])
}

/// Runs a handshake between a client that trusts `bundle` and a server. Returns the client's
/// result.
fn meet(bundle: &[&Made], server: &Made, key: &KeyPair, name: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.pem");
    let pems: Vec<String> = bundle.iter().map(|made| made.certificate.pem()).collect();
    std::fs::write(&path, pems.concat()).unwrap();
    let client = client_config(true, &trusted(&path)).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let chain = vec![server.certificate.der().clone()];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Identity(Arc::new(CertifiedKey::new(chain, key)))));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        server.read_tls(&mut &sent[..]).unwrap();
        server.process_new_packets().unwrap();
        let mut sent = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut sent).unwrap();
        }
        client.read_tls(&mut &sent[..]).unwrap();
        client.process_new_packets().map_err(|error| {
            let error = std::io::Error::other(std::io::Error::other(error));
            transport_error::root_cause(&error)
        })?;
    }
    Ok(())
}

#[test]
fn a_certificate_of_the_bundle_is_accepted_as_a_servers_own() {
    let made = self_signed(&openssl_like("localhost"));
    assert_eq!(meet(&[&made], &made, &made.key, "localhost"), Ok(()));
    let other = self_signed(&openssl_like("other.example"));
    assert_eq!(
        meet(&[&other, &made], &made, &made.key, "localhost"),
        Ok(())
    );
    let mut server = openssl_like("localhost");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = self_signed(&server);
    assert_eq!(meet(&[&made], &made, &made.key, "localhost"), Ok(()));
}

#[test]
fn nothing_else_may_be_wrong_with_it() {
    let made = self_signed(&openssl_like("localhost"));
    let other = self_signed(&openssl_like("localhost"));
    let refused = |bundle: &[&Made], server: &Made, key: &KeyPair, name: &str, part: &str| {
        let problem = meet(bundle, server, key, name).unwrap_err();
        assert!(problem.contains(part), "{problem}");
        for word in ["CaUsedAsEndEntity", "Other(", "Context", "{"] {
            assert!(!problem.contains(word), "{problem}");
        }
    };
    // Another key: the certificate was copied, but not its key.
    refused(
        &[&made],
        &made,
        &other.key,
        "localhost",
        "does not match its key",
    );
    // Another name.
    refused(&[&made], &made, &made.key, "127.0.0.1", "another name");
    refused(
        &[&made],
        &made,
        &made.key,
        "localhost.example",
        "another name",
    );
    // Another certificate for the same names.
    refused(&[&other], &made, &made.key, "localhost", "authority");
    let mut past = openssl_like("localhost");
    past.not_before = date_time_ymd(2001, 1, 1);
    past.not_after = date_time_ymd(2002, 1, 1);
    let past = self_signed(&past);
    refused(&[&past], &past, &past.key, "localhost", "has expired");
    let mut future = openssl_like("localhost");
    future.not_before = date_time_ymd(3001, 1, 1);
    future.not_after = date_time_ymd(3002, 1, 1);
    let future = self_signed(&future);
    refused(
        &[&future],
        &future,
        &future.key,
        "localhost",
        "not valid yet",
    );
    let mut client = openssl_like("localhost");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = self_signed(&client);
    refused(
        &[&client],
        &client,
        &client.key,
        "localhost",
        "not meant for servers",
    );
    let mut signer = openssl_like("localhost");
    signer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let signer = self_signed(&signer);
    refused(
        &[&signer],
        &signer,
        &signer.key,
        "localhost",
        "not meant for servers",
    );
    let mut nameless = CertificateParams::default();
    nameless.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let nameless = self_signed(&nameless);
    refused(
        &[&nameless],
        &nameless,
        &nameless.key,
        "localhost",
        "names no host",
    );
}

#[test]
fn an_authority_that_signs_servers_is_no_server_unless_it_is_named() {
    let authority = self_signed(&openssl_like("authority.example"));
    let issuer = Issuer::new(openssl_like("authority.example"), &authority.key);
    let key = KeyPair::generate().unwrap();
    let certificate = openssl_like("localhost").signed_by(&key, &issuer).unwrap();
    let sub = Made { certificate, key };
    // Signed by an authority of the bundle and an authority itself, but not in the bundle.
    let problem = meet(&[&authority], &sub, &sub.key, "localhost").unwrap_err();
    assert!(problem.contains("authority as its own"), "{problem}");
    assert_eq!(
        meet(&[&authority, &sub], &sub, &sub.key, "localhost"),
        Ok(())
    );
}

#[test]
fn an_ordinary_chain_is_checked_as_ever() {
    let authority = self_signed(&openssl_like("authority.example"));
    let issuer = Issuer::new(openssl_like("authority.example"), &authority.key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let leaf = Made { certificate, key };
    assert_eq!(meet(&[&authority], &leaf, &leaf.key, "localhost"), Ok(()));
    let problem = meet(&[&authority], &leaf, &leaf.key, "other.example").unwrap_err();
    assert!(problem.contains("another name"), "{problem}");
    let other = self_signed(&openssl_like("else.example"));
    let problem = meet(&[&other], &leaf, &leaf.key, "localhost").unwrap_err();
    assert!(problem.contains("not trusted here"), "{problem}");
}

#[test]
fn each_fault_of_the_bundle_has_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let problem = |path: &Path| match client_config(true, &trusted(path)) {
        Err(Error::Configuration(message)) => message,
        _ => panic!("{}", path.display()),
    };
    let path = folder.path().join("bundle.pem");
    assert!(problem(&path).contains("does not exist"));
    assert!(problem(&path.join("below")).contains("does not exist"));
    std::fs::write(&path, "").unwrap();
    assert!(problem(&path).contains("holds no certificate"));
    assert!(problem(&path.join("below")).contains("does not exist"));
    let empty = tempfile::tempdir().unwrap();
    assert!(problem(empty.path()).contains("holds no certificate"));
    assert!(client_config(false, &trusted(&folder.path().join("none"))).is_ok());
}
