//! Connects to this machine without looking up its name.
//!
//! `localhost` and the names below it mean this machine (RFC 6761, section 6.3), but a name server
//! may say otherwise, and requests to this machine may carry a token over plain http.

use std::future::ready;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The IPv4 address first: it is the one that a Hub listens on by default.
const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Resolves every name to this machine. Only for clients whose hosts all are.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoopbackResolver;

impl Resolve for LoopbackResolver {
    fn resolve(&self, _name: Name) -> Resolving {
        // The connection sets the port.
        let addresses = ADDRESSES.map(|address| SocketAddr::new(address, 0));
        let addresses: Addrs = Box::new(addresses.into_iter());
        Box::pin(ready(Ok(addresses)))
    }
}
