//! Binds the sockets of a Hub.
//!
//! `localhost` means two addresses, and clients try `::1` first. If the Hub only bound 127.0.0.1, a
//! program on the same port of `::1` would receive the tokens meant for it. So it binds both or
//! neither.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::HubError;
use crate::options::HubOptions;

/// How often a free port is tried when the other address's half of it is taken.
const ATTEMPTS: u32 = 16;

/// Binds the address of the options; also returns the address with its actual port.
pub(crate) async fn bind(options: &HubOptions) -> Result<(Vec<TcpListener>, SocketAddr), HubError> {
    let address = options.address()?;
    let port_taken = || HubError::PortTaken {
        host: options.host.clone(),
        port: options.port,
    };
    let map_error = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => port_taken(),
        _ => HubError::Listen {
            address: address.to_string(),
            source,
        },
    };
    for _ in 0..ATTEMPTS {
        let first = TcpListener::bind(address).await.map_err(map_error)?;
        let bound = first.local_addr().map_err(map_error)?;
        if !options.is_localhost() {
            return Ok((vec![first], bound));
        }
        match TcpListener::bind((Ipv6Addr::LOCALHOST, bound.port())).await {
            Ok(second) => return Ok((vec![first, second], bound)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && options.port != 0 => break,
            Err(error) if error.kind() == ErrorKind::AddrInUse => (),
            // This machine has no IPv6, so no other program can listen there either.
            Err(_) => return Ok((vec![first], bound)),
        }
    }
    Err(port_taken())
}

/// Binds a loopback address for the admin listener of a public Hub; also returns its endpoint.
pub(crate) async fn bind_local(
    options: &HubOptions,
) -> Result<Option<(TcpListener, String)>, HubError> {
    if !options.is_public() {
        return Ok(None);
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.local_port));
    let map_error = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => HubError::PortTaken {
            host: address.ip().to_string(),
            port: options.local_port,
        },
        _ => HubError::Listen {
            address: address.to_string(),
            source,
        },
    };
    let listener = TcpListener::bind(address).await.map_err(map_error)?;
    let bound = listener.local_addr().map_err(map_error)?;
    Ok(Some((listener, format!("http://{bound}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_both_addresses_or_none() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await;
            let localhost = |port| HubOptions {
                host: "localhost".to_owned(),
                port,
                ..HubOptions::default()
            };
            let (listeners, bound) = bind(&localhost(0)).await.unwrap();
            let Ok(other) = other else {
                assert_eq!(listeners.len(), 1);
                return;
            };
            assert_eq!(listeners.len(), 2);
            assert_eq!(listeners[1].local_addr().unwrap().port(), bound.port());
            let port = other.local_addr().unwrap().port();
            let refused = bind(&localhost(port)).await.unwrap_err();
            assert!(matches!(refused, HubError::PortTaken { .. }), "{refused}");
        });
    }
}
