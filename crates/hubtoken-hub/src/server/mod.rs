//! The listeners: HTTP/1.1 with keep-alive, with or without TLS, with limits on what one client can
//! use up, and with a graceful shutdown that does not cut responses off.

pub(crate) mod allowed_hosts;
pub(crate) mod listen;
pub(crate) mod peer;
mod stall_timeout;
pub(crate) mod strict_framing;
pub(crate) mod tls;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use self::allowed_hosts::Listener;
use self::peer::Peer;
use self::stall_timeout::{StallTimeoutBody, with_write_timeout};
use self::strict_framing::StrictFraming;
use super::monitoring::metrics::InFlightGuard;
use super::options::Limits;
use super::state::HubState;
use hubtoken_core::sync::lock_ignoring_poison;

/// Far more than any client sends, even with JWTs.
const MAX_HEADER_BYTES: usize = 64 * 1024;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shutdown {
    /// Running.
    Running,
    /// Stops once the requests in progress are answered.
    Graceful,
    /// Stops immediately.
    Immediate,
}

/// A listening socket and the settings for its connections.
pub(crate) struct ListenerConfig {
    pub socket: TcpListener,
    pub listener: Listener,
    pub tls: Option<Arc<ServerConfig>>,
    pub limits: Limits,
    /// How long requests in progress may continue after the stop.
    pub grace: Duration,
}

/// What is needed to serve a connection.
#[derive(Clone)]
struct Service {
    app: Router,
    state: Arc<HubState>,
    listener: Listener,
    peer: SocketAddr,
    limits: Limits,
}

/// Serves until told to stop, then gives requests in progress some time to finish.
pub(crate) async fn serve(
    config: ListenerConfig,
    app: Router,
    state: Arc<HubState>,
    mut shutdown: watch::Receiver<Shutdown>,
) {
    let ListenerConfig {
        socket,
        listener,
        tls,
        limits,
        grace,
    } = config;
    let limit = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
    let slots = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    let counter = Arc::new(ConnectionCounter::default());
    let acceptor = tls.map(TlsAcceptor::from);
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, socket.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = shutdown.wait_for(|shutdown| *shutdown > Shutdown::Running) => break,
            next = next => next,
        };
        let Ok((stream, peer)) = accepted else {
            // Mostly "too many open files", which a short wait can cure and a tight loop cannot.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(guard) = counter.acquire(peer.ip(), limits.connections_per_address) else {
            state.telemetry.metrics.count_refused_connection();
            continue;
        };
        // Small responses must not wait for the next packet. If the option cannot be set, they are
        // merely late.
        let _ = stream.set_nodelay(true);
        let stall = Duration::from_secs(limits.stall_seconds.into());
        let stream = with_write_timeout(stream, stall);
        let service = Service {
            app: app.clone(),
            state: Arc::clone(&state),
            listener,
            peer,
            limits,
        };
        let (acceptor, watcher) = (acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _open = InFlightGuard::new(&service.state.telemetry.metrics.connections);
            match acceptor {
                None => service.connection(stream, watcher).await,
                Some(acceptor) => {
                    let handshake = acceptor.accept(stream);
                    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                        Ok(Ok(stream)) => service.connection(stream, watcher).await,
                        _ => service.state.telemetry.metrics.count_failed_handshake(),
                    }
                }
            }
            release(slot, guard);
        });
    }
    close(socket);
    tokio::select! {
        _ = tokio::time::timeout(grace, graceful.shutdown()) => (),
        _ = shutdown.wait_for(|shutdown| *shutdown == Shutdown::Immediate) => (),
    }
}

/// Releases a connection's slot, which must stay occupied until the connection has ended.
fn release(slot: Result<OwnedSemaphorePermit, tokio::sync::AcquireError>, guard: ConnectionGuard) {
    drop((slot, guard));
}

impl Service {
    async fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        watcher: Watcher,
    ) {
        let Limits {
            header_seconds,
            stall_seconds,
            ..
        } = self.limits;
        let stall = Duration::from_secs(stall_seconds.into());
        let app = self.app.clone();
        let peer = Peer {
            address: self.peer.ip(),
            listener: self.listener,
        };
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            app.clone()
                .call(request.map(|body| Body::new(StallTimeoutBody::new(body, stall))))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(header_seconds.into()))
            .max_buf_size(MAX_HEADER_BYTES)
            .max_header_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(StrictFraming::new(stream)), service);
        // A broken connection is not an error of the Hub.
        let _ = watcher.watch(connection).await;
    }
}

/// The number of connections per address.
#[derive(Debug, Default)]
struct ConnectionCounter(Mutex<HashMap<IpAddr, u32>>);

/// A connection that is counted while it lives.
struct ConnectionGuard {
    counter: Arc<ConnectionCounter>,
    address: IpAddr,
}

impl ConnectionCounter {
    /// Counts a connection, or returns `None` if its address has too many. An IPv6 client can use a
    /// whole network of addresses, so all addresses of one network count as one.
    fn acquire(self: &Arc<Self>, address: IpAddr, limit: u32) -> Option<ConnectionGuard> {
        let limited = limit > 0 && !address.to_canonical().is_loopback();
        let address = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
            address @ IpAddr::V4(_) => address,
        };
        let mut counts = lock_ignoring_poison(&self.0);
        let count = counts.entry(address).or_default();
        if limited && *count >= limit {
            return None;
        }
        *count += 1;
        Some(ConnectionGuard {
            counter: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut counts = lock_ignoring_poison(&self.counter.0);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Shuts the socket down for every process that has it. A child forked from this one holds a copy,
/// and closing only this one would leave clients waiting in a queue that no process serves.
fn close(socket: TcpListener) {
    if let Ok(socket) = socket.into_std() {
        let _ = TcpStream::from(OwnedFd::from(socket)).shutdown(std::net::Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections() {
        let counter = Arc::new(ConnectionCounter::default());
        let acquire = |address: &str| counter.acquire(address.parse().unwrap(), 2);
        let kept: Vec<_> = (0..2).map(|_| acquire("192.0.2.1").unwrap()).collect();
        assert!(acquire("192.0.2.1").is_none());
        assert!(acquire("::ffff:192.0.2.1").is_none());
        assert!(acquire("192.0.2.2").is_some());
        drop(kept);
        assert!(acquire("192.0.2.1").is_some());
        let network: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(acquire).into();
        assert!(network.iter().all(Option::is_some));
        assert!(acquire("2001:db8::3").is_none());
        assert!(acquire("2001:db8:0:1::1").is_some());
        drop(network);
        // All connections through a local proxy come from loopback.
        let all: Vec<_> = (0..9).map(|_| acquire("127.0.0.1").unwrap()).collect();
        drop(all);
        assert!(counter.0.lock().unwrap().is_empty());
    }
}
