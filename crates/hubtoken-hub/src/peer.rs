//! Where a request came from.

use std::net::IpAddr;

use super::address::Door;

/// The other end of the connection, and through which door it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub address: IpAddr,
    pub door: Door,
}
