//! Forwards a request's body while the rest is still arriving.
//!
//! A task reads the client's body and forwards it chunk by chunk, so an upstream that reads slowly
//! slows the client down. If the body turns out to be one that must not be forwarded, the task
//! aborts the body, so that the upstream never receives it whole, and [`Pump::verdict`] returns the
//! error for the client.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::admission::Guest;
use super::incoming::{Head, Incoming};
use crate::answers::ApiError;
use crate::state::HubState;

/// How many chunks may be queued for the upstream.
const WAITING: usize = 2;

/// When the body last made progress.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that reads the client's body. It is aborted when this is dropped.
#[derive(Debug)]
pub(super) struct Pump {
    task: JoinHandle<()>,
    refused: Arc<OnceLock<ApiError>>,
    pub progress: Arc<Progress>,
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pump {
    /// Starts forwarding. Access to the model in the path and in the head has already been checked.
    pub(super) fn start(
        state: Arc<HubState>,
        guest: Guest,
        incoming: Incoming,
        head: Option<Head>,
    ) -> (Self, OutgoingBody) {
        let (sender, receiver) = channel(WAITING);
        let refused = Arc::new(OnceLock::new());
        let progress = Arc::new(Progress(Mutex::new(Instant::now())));
        let body = OutgoingBody {
            receiver,
            left: incoming.length(),
        };
        let pumping = Pumping {
            state,
            guest,
            sender,
            refused: Arc::clone(&refused),
            progress: Arc::clone(&progress),
        };
        let pump = Self {
            task: tokio::spawn(pumping.run(incoming, head)),
            refused,
            progress,
        };
        (pump, body)
    }

    /// Why the body was not forwarded completely, if so. Returns after the rest of it has been
    /// read.
    pub(super) async fn verdict(&mut self) -> Option<ApiError> {
        self.refused.get()?;
        // Whether or not the task was aborted, the response is the same.
        let _ = (&mut self.task).await;
        self.refused.get().cloned()
    }
}

struct Pumping {
    state: Arc<HubState>,
    guest: Guest,
    sender: Sender<io::Result<Bytes>>,
    refused: Arc<OnceLock<ApiError>>,
    progress: Arc<Progress>,
}

impl Pumping {
    async fn run(self, mut incoming: Incoming, head: Option<Head>) {
        let mut is_allowed = head.is_some();
        if let Some(Head { pieces, held, .. }) = head {
            for piece in pieces {
                if !self.hand_on(piece).await {
                    return;
                }
            }
            drop(held);
        }
        loop {
            match self.next(&mut incoming, &mut is_allowed).await {
                Ok(Some(piece)) => {
                    if !self.hand_on(piece).await {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    // The error is stored before the body is aborted, because it is looked up when
                    // the body ends.
                    let _ = self.refused.set(error);
                    let broken = io::Error::other("the request is not forwarded");
                    let _ = self.sender.send(Err(broken)).await;
                    incoming.drain().await;
                    return;
                }
            }
        }
    }

    async fn next(
        &self,
        incoming: &mut Incoming,
        is_allowed: &mut bool,
    ) -> Result<Option<Bytes>, ApiError> {
        let piece = incoming.next().await?;
        if !*is_allowed && let Some(model) = incoming.model() {
            self.guest.may_use(&self.state, model).await?;
            *is_allowed = true;
        }
        Ok(piece)
    }

    /// Forwards a chunk. Returns whether the upstream still accepts more.
    async fn hand_on(&self, piece: Bytes) -> bool {
        let taken = self.sender.send(Ok(piece)).await.is_ok();
        self.progress.note();
        taken
    }
}

/// The body as sent to the upstream, with the length that the client announced, if any.
#[derive(Debug)]
pub(super) struct OutgoingBody {
    receiver: Receiver<io::Result<Bytes>>,
    left: Option<u64>,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        this.receiver.poll_recv(context).map(|piece| {
            piece.map(|piece| {
                piece.map(|piece| {
                    if let Some(left) = &mut this.left {
                        *left = left.saturating_sub(piece.len() as u64);
                    }
                    Frame::data(piece)
                })
            })
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
