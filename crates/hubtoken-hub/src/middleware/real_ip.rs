//! The address of a client behind a proxy on this machine.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};

use crate::server::allowed_hosts::Listener;
use crate::server::peer::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Takes the client's address from the local proxy's `X-Forwarded-For`. The proxy appends the
/// address that it saw, so only the last one is trustworthy; everything before it came with the
/// request.
pub(super) fn apply_forwarded_for(request: &mut Request) {
    let Some(address) = forwarded_for(request.headers()) else {
        return;
    };
    if let Some(peer) = request.extensions_mut().get_mut::<Peer>()
        && peer.listener == Listener::Public
    {
        peer.address = address;
    }
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn of_what_is_forwarded_the_last_is_the_proxies_word() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        assert_eq!(of(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(of(&["127.0.0.1, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            of(&["127.0.0.1", "2001:db8::1"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(of(&["192.0.2.1, unknown"]), None);
        assert_eq!(of(&[]), None);
    }
}
