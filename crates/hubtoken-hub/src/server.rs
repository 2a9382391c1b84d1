//! The listeners: HTTP/1.1 with keep-alive, with or without TLS, with limits on what one client can
//! use up, and with a graceful shutdown that does not cut responses off.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
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

use super::address::Door;
use super::framing::FramedStream;
use super::metrics::Under;
use super::options::Limits;
use super::patience::{PatientBody, PatientStream};
use super::peer::Peer;
use super::state::HubState;

/// Far more than any client sends, even with JWTs.
const HEADER_BYTES: usize = 64 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The state of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Running.
    No,
    /// Stops once the requests in progress are answered.
    Gently,
    /// Stops immediately.
    Now,
}

/// A listening socket and the settings for its connections.
pub(crate) struct Doorway {
    pub listener: TcpListener,
    pub door: Door,
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
    door: Door,
    peer: SocketAddr,
    limits: Limits,
}

/// Serves until told to stop, then gives requests in progress some time to finish.
pub(crate) async fn serve(
    doorway: Doorway,
    app: Router,
    state: Arc<HubState>,
    mut stop: watch::Receiver<Stop>,
) {
    let Doorway {
        listener,
        door,
        tls,
        limits,
        grace,
    } = doorway;
    let most = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
    let slots = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let visitors = Arc::new(Visitors::default());
    let acceptor = tls.map(TlsAcceptor::from);
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stop.wait_for(|stop| *stop > Stop::No) => break,
            next = next => next,
        };
        let Ok((stream, peer)) = accepted else {
            // Mostly "too many open files", which a short wait can cure and a tight loop cannot.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(visit) = visitors.enter(peer.ip(), limits.connections_per_address) else {
            state.metrics.refused_connection();
            continue;
        };
        // Small responses must not wait for the next packet. If the option cannot be set, they are
        // merely late.
        let _ = stream.set_nodelay(true);
        let stall = Duration::from_secs(limits.stall_seconds.into());
        let stream = PatientStream::new(stream, stall);
        let service = Service {
            app: app.clone(),
            state: Arc::clone(&state),
            door,
            peer,
            limits,
        };
        let (acceptor, watcher) = (acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _open = Under::way(&service.state.metrics.connections);
            match acceptor {
                None => service.connection(stream, watcher).await,
                Some(acceptor) => {
                    let greeting = acceptor.accept(stream);
                    match tokio::time::timeout(HANDSHAKE, greeting).await {
                        Ok(Ok(stream)) => service.connection(stream, watcher).await,
                        _ => service.state.metrics.failed_handshake(),
                    }
                }
            }
            leave(slot, visit);
        });
    }
    close(listener);
    tokio::select! {
        _ = tokio::time::timeout(grace, graceful.shutdown()) => (),
        _ = stop.wait_for(|stop| *stop == Stop::Now) => (),
    }
}

/// Releases a connection's slot, which must stay occupied until the connection has ended.
fn leave(slot: Result<OwnedSemaphorePermit, tokio::sync::AcquireError>, visit: Visit) {
    drop((slot, visit));
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
            door: self.door,
        };
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            app.clone()
                .call(request.map(|body| Body::new(PatientBody::new(body, stall))))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(header_seconds.into()))
            .max_buf_size(HEADER_BYTES)
            .max_header_size(HEADER_BYTES)
            .serve_connection(TokioIo::new(FramedStream::new(stream)), service);
        // A broken connection is not an error of the Hub.
        let _ = watcher.watch(connection).await;
    }
}

/// The number of connections per address.
#[derive(Debug, Default)]
struct Visitors(Mutex<HashMap<IpAddr, u32>>);

/// A connection that is counted while it lives.
struct Visit {
    visitors: Arc<Visitors>,
    address: IpAddr,
}

impl Visitors {
    /// Counts a connection, or returns `None` if its address has too many. An IPv6 client can use a
    /// whole network of addresses, so all addresses of one network count as one.
    fn enter(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Visit> {
        let limited = most > 0 && !address.to_canonical().is_loopback();
        let address = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
            address @ IpAddr::V4(_) => address,
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if limited && *count >= most {
            return None;
        }
        *count += 1;
        Some(Visit {
            visitors: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut counts = self
            .visitors
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
fn close(listener: TcpListener) {
    if let Ok(listener) = listener.into_std() {
        let _ = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections() {
        let visitors = Arc::new(Visitors::default());
        let enter = |address: &str| visitors.enter(address.parse().unwrap(), 2);
        let kept: Vec<_> = (0..2).map(|_| enter("192.0.2.1").unwrap()).collect();
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(kept);
        assert!(enter("192.0.2.1").is_some());
        let network: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(enter).into();
        assert!(network.iter().all(Option::is_some));
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::1").is_some());
        drop(network);
        // All connections through a local proxy come from loopback.
        let all: Vec<_> = (0..9).map(|_| enter("127.0.0.1").unwrap()).collect();
        drop(all);
        assert!(visitors.0.lock().unwrap().is_empty());
    }
}
