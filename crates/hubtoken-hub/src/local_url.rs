//! Tells which URLs lead to this machine, so that plain http may carry secrets there.

use url::{Host, Url};

/// Whether a URL's host is `localhost` or a loopback address.
///
/// Stricter than a client's rule: the person who configures a Hub can write the plain name, and any
/// other one depends on a resolver.
pub fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        let is_local = |url: &str| is_on_this_machine(&Url::parse(url).unwrap());
        for url in [
            "http://localhost:8080",
            "http://LOCALHOST",
            "http://127.0.0.1",
            "http://127.9.9.9:1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "http://localhost.example",
            "http://hub.localhost",
            "http://localhost.",
            "http://192.0.2.1",
            "http://[::ffff:192.0.2.1]",
            "http://0.0.0.0",
            "file:///tmp",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }
}
