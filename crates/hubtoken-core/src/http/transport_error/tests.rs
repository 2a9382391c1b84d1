//! How connection failures are reported, with servers and proxies that fail.
#![allow(clippy::unwrap_used)]
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::endpoint::Endpoint;
use crate::env::StaticEnvironment;
use crate::http::{Settings, Transport, TransportError, get};

fn write_bundle(path: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["hub.example".to_owned()]).unwrap();
    std::fs::write(path, params.self_signed(&key).unwrap().pem()).unwrap();
}

/// The report for a request whose connections all receive one response and are then closed. `%`
/// stands for the port.
fn failure_of(hub: &str, proxy: &str, answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(answer).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    write_bundle(&bundle);
    let settings = Settings::read(&StaticEnvironment::from([
        ("ALL_PROXY", proxy.replace('%', &port).as_str()),
        ("SSL_CERT_FILE", bundle.to_str().unwrap()),
    ]));
    let endpoint = Endpoint::parse(&hub.replace('%', &port)).unwrap();
    let client = Transport::default().client(&endpoint, &settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let minute = Duration::from_mins(1);
    let answer = runtime.block_on(get(&client, &endpoint, "/", None, minute));
    server.join().unwrap();
    let (TransportError::Unconnected(text) | TransportError::Unreachable(text)) =
        answer.unwrap_err()
    else {
        panic!("an answer of sorts");
    };
    assert_eq!(text.contains("(ALL_PROXY)"), !proxy.is_empty(), "{text}");
    text
}

#[test]
fn a_handshake_that_is_cut_short_is_told_as_such() {
    let text = failure_of("https://127.0.0.1:%", "", b"");
    assert!(text.contains("closed the connection"), "{text}");
    assert!(text.contains("before it was secure"), "{text}");
}

#[test]
fn a_tunnel_that_breaks_names_the_proxy() {
    let open = b"HTTP/1.1 200 OK\r\n\r\n";
    let text = failure_of("https://hub.example", "http://127.0.0.1:%", open);
    assert!(
        text.starts_with("the connection through the proxy"),
        "{text}"
    );
    assert!(text.contains("before it was secure"), "{text}");
}

#[test]
fn a_socks_proxy_says_whether_it_wants_a_password() {
    for (proxy, answer, part) in [
        (
            "socks5h://127.0.0.1:%",
            b"\x05\xff",
            "requires a user and a password",
        ),
        (
            "socks5h://127.0.0.1:%",
            b"\x05\x02",
            "requires a user and a password",
        ),
        (
            "socks5h://u:p@127.0.0.1:%",
            b"\x05\xff",
            "takes no user and password",
        ),
        (
            "socks5h://u:p@127.0.0.1:%",
            b"\x05\x00",
            "takes no user and password",
        ),
    ] {
        let text = failure_of("https://hub.example", proxy, answer);
        assert!(text.contains(part), "{proxy}: {text}");
    }
}

#[test]
fn an_ipv6_address_is_not_asked_through_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    write_bundle(&bundle);
    let endpoint = Endpoint::parse("https://[2001:db8::1]:8443").unwrap();
    let client = |no_proxy: &str| {
        let settings = Settings::read(&StaticEnvironment::from([
            ("ALL_PROXY", "socks5h://proxy.example"),
            ("NO_PROXY", no_proxy),
            ("SSL_CERT_FILE", bundle.to_str().unwrap()),
        ]));
        Transport::default().client(&endpoint, &settings)
    };
    let Err(error) = client("") else {
        panic!("a client");
    };
    assert!(error.to_string().contains("is an IPv6 address"), "{error}");
    assert!(client("2001:db8::1").is_ok());
}

#[test]
fn a_bundle_that_changes_makes_a_new_client() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    write_bundle(&bundle);
    let settings = Settings::read(&StaticEnvironment::from([(
        "SSL_CERT_FILE",
        bundle.to_str().unwrap(),
    )]));
    let endpoint = Endpoint::parse("https://hub.example").unwrap();
    let transport = Transport::default();
    assert!(transport.client(&endpoint, &settings).is_ok());
    std::fs::remove_file(&bundle).unwrap();
    assert!(transport.client(&endpoint, &settings).is_err());
    write_bundle(&bundle);
    assert!(transport.client(&endpoint, &settings).is_ok());
}
