//! Where a request came from.

use std::net::IpAddr;

use super::allowed_hosts::Listener;

/// The remote address of the connection, and the listener that accepted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub address: IpAddr,
    pub listener: Listener,
}
