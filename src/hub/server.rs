//! The listener: HTTP/1.1 with keep-alive on loopback, bounded in connections and header size, stopped gracefully.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::Service as _;

/// Connections served at once; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 512;
/// Far above what any client sends, tokens of the JWT kind included.
const HEADER_BYTES: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;
const HEADER_PATIENCE: Duration = Duration::from_secs(75);
/// How long requests under way may go on after the stop.
const GRACE: Duration = Duration::from_secs(3);

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub SocketAddr);

/// Serves until told to stop, then lets requests under way finish for a moment.
pub(crate) async fn serve(listener: TcpListener, app: Router, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            next = next => next,
        };
        let Ok((stream, peer)) = accepted else {
            // Mostly "too many open files", which a short wait can cure and a tight loop cannot.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers must not wait for the next packet; if it cannot be set, they are late and nothing else.
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            app.clone().call(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(HEADER_BYTES)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the client's affair.
            let _ = connection.await;
            drop(slot);
        });
    }
    close(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Takes the socket out of service for every process that has it: a child forked from this one holds a copy, and a
/// mere close here would leave clients waiting in a queue that nobody serves.
fn close(listener: TcpListener) {
    if let Ok(listener) = listener.into_std() {
        let _ = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
    }
}
