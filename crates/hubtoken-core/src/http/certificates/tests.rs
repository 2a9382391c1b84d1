//! Which certificates the environment makes trusted.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use super::Certificates;
use crate::env::{SSL_CERT_DIR, SSL_CERT_FILE, StaticEnvironment};
use crate::error::Error;

fn pem(name: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn count(named: &[(&'static str, &Path)]) -> Result<usize, String> {
    match Certificates::from(named).load() {
        Ok(found) => Ok(found.len()),
        Err(Error::Configuration(message)) => Err(message),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_variable_that_is_blank_is_not_set() {
    for (file, folder) in [("", ""), (" ", " "), ("", ":"), ("\t", " : ")] {
        let environment = StaticEnvironment::from([
            (SSL_CERT_FILE, file),
            ("REQUESTS_CA_BUNDLE", file),
            (SSL_CERT_DIR, folder),
        ]);
        assert!(Certificates::read(&environment).is_systems());
    }
    let environment =
        StaticEnvironment::from([(SSL_CERT_FILE, " "), ("REQUESTS_CA_BUNDLE", "/b.pem")]);
    assert_eq!(
        Certificates::read(&environment),
        Certificates::from(&[("REQUESTS_CA_BUNDLE", Path::new("/b.pem"))][..])
    );
}

#[test]
fn the_file_and_the_folders_count_together() {
    let environment = StaticEnvironment::from([(SSL_CERT_FILE, "/f"), (SSL_CERT_DIR, "/a")]);
    assert_eq!(
        Certificates::read(&environment),
        Certificates::from(
            &[
                (SSL_CERT_FILE, Path::new("/f")),
                (SSL_CERT_DIR, Path::new("/a"))
            ][..]
        )
    );
    let root = tempfile::tempdir().unwrap();
    let (file, folder) = (root.path().join("file.pem"), root.path().join("folder"));
    std::fs::write(&file, pem("file.example")).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("any-name.pem"), pem("folder.example")).unwrap();
    assert_eq!(count(&[(SSL_CERT_DIR, &folder)]), Ok(1));
    assert_eq!(
        count(&[(SSL_CERT_FILE, &file), (SSL_CERT_DIR, &folder)]),
        Ok(2)
    );
    // A missing path among others is meant for another machine.
    let missing = root.path().join("missing");
    assert_eq!(
        count(&[(SSL_CERT_DIR, &missing), (SSL_CERT_DIR, &folder)]),
        Ok(1)
    );
    assert_eq!(
        count(&[(SSL_CERT_FILE, &file), (SSL_CERT_DIR, &missing)]),
        Ok(1)
    );
    let text = count(&[(SSL_CERT_DIR, &missing)]).unwrap_err();
    assert!(text.starts_with("SSL_CERT_DIR names "), "{text}");
    assert!(text.ends_with("does not exist"), "{text}");
    let text = count(&[(SSL_CERT_FILE, &missing), (SSL_CERT_DIR, &folder)]).unwrap_err();
    assert!(text.starts_with("SSL_CERT_FILE names "), "{text}");
}

/// Run by the next test, in an environment of its own.
#[test]
#[ignore = "run in a process of its own"]
fn the_system_has_certificates() {
    assert!(Certificates::default().load().is_ok());
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn the_systems_certificates_are_found_whatever_the_process_has_in_its_environment() {
    if Certificates::default().load().is_err() {
        // A machine without any certificates.
        return;
    }
    let module = module_path!().trim_start_matches("hubtoken_core::");
    let name = format!("{module}::the_system_has_certificates");
    for (variable, value) in [
        (SSL_CERT_FILE, ""),
        (SSL_CERT_FILE, " "),
        (SSL_CERT_DIR, "/nonexistent"),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--ignored"])
            .env(variable, value)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{variable}={value:?}: {text}");
        assert!(text.contains("1 passed"), "{text}");
    }
}

#[test]
fn a_mark_at_the_start_and_an_old_label_are_no_hindrance() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("bundle.pem");
    let plain = pem("hub.example");
    for text in [
        format!("\u{feff}{plain}"),
        plain.replace(" CERTIFICATE-", " X509 CERTIFICATE-"),
        plain.replace('\n', "\r\n"),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(count(&[(SSL_CERT_FILE, &path)]), Ok(1));
    }
    std::fs::write(
        &path,
        plain.replace(" CERTIFICATE-", " TRUSTED CERTIFICATE-"),
    )
    .unwrap();
    let text = count(&[(SSL_CERT_FILE, &path)]).unwrap_err();
    assert!(text.contains("openssl x509"), "{text}");
}

#[test]
fn a_file_that_changes_has_another_stamp() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("bundle.pem");
    let certificates = Certificates::from(&[(SSL_CERT_FILE, &*path)][..]);
    let absent = certificates.stamp();
    std::fs::write(&path, pem("a.example")).unwrap();
    let first = certificates.stamp();
    assert_ne!(first, absent);
    assert_eq!(first, certificates.stamp());
    std::fs::write(&path, [pem("a.example"), pem("b.example")].concat()).unwrap();
    assert_ne!(certificates.stamp(), first);
}
