//! The sockets of a Hub.
//!
//! `localhost` means two addresses, and clients try `::1` first. Were only 127.0.0.1 taken, whoever has the same port
//! on `::1` would be sent the tokens meant for this Hub; so both are taken, or none.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use super::error::HubError;
use super::options::HubOptions;

/// How many ports are tried when any will do and the other half of one is taken.
const ATTEMPTS: u32 = 16;

/// Takes the address of the options; says which port it became.
pub(crate) async fn bind(options: &HubOptions) -> Result<(Vec<TcpListener>, SocketAddr), HubError> {
    let address = options.address()?;
    let taken = || HubError::PortTaken {
        host: options.host.clone(),
        port: options.port,
    };
    let fault = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => taken(),
        _ => HubError::Listen {
            address: address.to_string(),
            source,
        },
    };
    for _ in 0..ATTEMPTS {
        let first = TcpListener::bind(address).await.map_err(fault)?;
        let bound = first.local_addr().map_err(fault)?;
        if !options.is_localhost() {
            return Ok((vec![first], bound));
        }
        match TcpListener::bind((Ipv6Addr::LOCALHOST, bound.port())).await {
            Ok(second) => return Ok((vec![first, second], bound)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && options.port != 0 => break,
            Err(error) if error.kind() == ErrorKind::AddrInUse => (),
            // There is no IPv6 on this machine, so nobody else can be there either.
            Err(_) => return Ok((vec![first], bound)),
        }
    }
    Err(taken())
}

/// Takes an address on loopback for the owner of a public Hub; says which it became, as an endpoint.
pub(crate) async fn bind_local(
    options: &HubOptions,
) -> Result<Option<(TcpListener, String)>, HubError> {
    if !options.is_public() {
        return Ok(None);
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.local_port));
    let fault = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => HubError::PortTaken {
            host: address.ip().to_string(),
            port: options.local_port,
        },
        _ => HubError::Listen {
            address: address.to_string(),
            source,
        },
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
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
