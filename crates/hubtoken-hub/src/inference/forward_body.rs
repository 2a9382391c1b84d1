//! Forwards a request's body while the rest is still arriving.
//!
//! A task reads the client's body and forwards it chunk by chunk, so an upstream that reads slowly
//! slows the client down. If the body turns out to be one that must not be forwarded, the task
//! aborts the body, so that the upstream never receives it whole, and [`BodyForwarder::rejection`] returns the
//! error for the client.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::admission::InferenceCaller;
use super::request_body::{BufferedHead, RequestBody};
use crate::response::ApiError;
use crate::state::HubState;
use hubtoken_core::sync::lock_ignoring_poison;

/// How many chunks may be queued for the upstream.
const CHANNEL_CAPACITY: usize = 2;

/// When the body last made progress.
#[derive(Debug)]
pub(super) struct LastActivity(Mutex<Instant>);

impl LastActivity {
    fn touch(&self) {
        *lock_ignoring_poison(&self.0) = Instant::now();
    }

    pub(super) fn get(&self) -> Instant {
        *lock_ignoring_poison(&self.0)
    }
}

/// The task that reads the client's body. It is aborted when this is dropped.
#[derive(Debug)]
pub(super) struct BodyForwarder {
    task: JoinHandle<()>,
    rejection: Arc<OnceLock<ApiError>>,
    pub last_activity: Arc<LastActivity>,
}

impl Drop for BodyForwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl BodyForwarder {
    /// Starts forwarding. Access to the model in the path and in the head has already been checked.
    pub(super) fn start(
        state: Arc<HubState>,
        caller: InferenceCaller,
        request_body: RequestBody,
        head: Option<BufferedHead>,
    ) -> (Self, OutgoingBody) {
        let (sender, receiver) = channel(CHANNEL_CAPACITY);
        let rejection = Arc::new(OnceLock::new());
        let last_activity = Arc::new(LastActivity(Mutex::new(Instant::now())));
        let body = OutgoingBody {
            receiver,
            remaining: request_body.length(),
        };
        let forward_task = ForwardTask {
            state,
            caller,
            sender,
            rejection: Arc::clone(&rejection),
            last_activity: Arc::clone(&last_activity),
        };
        let forwarder = Self {
            task: tokio::spawn(forward_task.run(request_body, head)),
            rejection,
            last_activity,
        };
        (forwarder, body)
    }

    /// Why the body was not forwarded completely, if so. Returns after the rest of it has been
    /// read.
    pub(super) async fn rejection(&mut self) -> Option<ApiError> {
        self.rejection.get()?;
        // Whether or not the task was aborted, the response is the same.
        let _ = (&mut self.task).await;
        self.rejection.get().cloned()
    }
}

struct ForwardTask {
    state: Arc<HubState>,
    caller: InferenceCaller,
    sender: Sender<io::Result<Bytes>>,
    rejection: Arc<OnceLock<ApiError>>,
    last_activity: Arc<LastActivity>,
}

impl ForwardTask {
    async fn run(self, mut request_body: RequestBody, head: Option<BufferedHead>) {
        let mut is_allowed = head.is_some();
        if let Some(BufferedHead { chunks, permit, .. }) = head {
            for chunk in chunks {
                if !self.send_on(chunk).await {
                    return;
                }
            }
            drop(permit);
        }
        loop {
            match self.next(&mut request_body, &mut is_allowed).await {
                Ok(Some(chunk)) => {
                    if !self.send_on(chunk).await {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    // The error is stored before the body is aborted, because it is looked up when
                    // the body ends.
                    let _ = self.rejection.set(error);
                    let broken = io::Error::other("the request is not forwarded");
                    let _ = self.sender.send(Err(broken)).await;
                    request_body.drain().await;
                    return;
                }
            }
        }
    }

    async fn next(
        &self,
        request_body: &mut RequestBody,
        is_allowed: &mut bool,
    ) -> Result<Option<Bytes>, ApiError> {
        let chunk = request_body.next().await?;
        if !*is_allowed && let Some(model) = request_body.model() {
            self.caller.check_model_access(&self.state, model).await?;
            *is_allowed = true;
        }
        Ok(chunk)
    }

    /// Forwards a chunk. Returns whether the upstream still accepts more.
    async fn send_on(&self, chunk: Bytes) -> bool {
        let sent = self.sender.send(Ok(chunk)).await.is_ok();
        self.last_activity.touch();
        sent
    }
}

/// The body as sent to the upstream, with the length that the client announced, if any.
#[derive(Debug)]
pub(super) struct OutgoingBody {
    receiver: Receiver<io::Result<Bytes>>,
    remaining: Option<u64>,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        this.receiver.poll_recv(context).map(|chunk| {
            chunk.map(|chunk| {
                chunk.map(|chunk| {
                    if let Some(remaining) = &mut this.remaining {
                        *remaining = remaining.saturating_sub(chunk.len() as u64);
                    }
                    Frame::data(chunk)
                })
            })
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
