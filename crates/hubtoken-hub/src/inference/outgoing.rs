//! The body of a request on its way out, while the rest of it still comes in.
//!
//! A task of its own reads what the client sends and hands it on a piece at a time: an upstream that does not read slows
//! the client down. When the body turns out to be one that must not be forwarded, it breaks off, so that the upstream
//! never has it whole, and [`Pump::verdict`] says what the client is to be told.

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

/// Pieces that wait for the upstream.
const WAITING: usize = 2;

/// When something moved last.
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

/// What reads the client's body. It ends with whoever holds this.
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
    /// Begins to read. The model in the path is allowed already, and so is what the head names.
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

    /// Why the body was not forwarded to its end, if that is so. What is left of it has been read then.
    pub(super) async fn verdict(&mut self) -> Option<ApiError> {
        self.refused.get()?;
        // Cut off or not, the answer is the same.
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
                    // First the word, then the end of the body: whoever sees the end looks for the word.
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

    /// Hands a piece on; says whether anybody is left who wants more.
    async fn hand_on(&self, piece: Bytes) -> bool {
        let taken = self.sender.send(Ok(piece)).await.is_ok();
        self.progress.note();
        taken
    }
}

/// The body as the upstream gets it: as long as the client said, if it said.
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
