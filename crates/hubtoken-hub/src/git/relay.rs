//! Relays git's output to the client, and answers its hook during a push.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::http::HeaderMap;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

use super::child::Group;
use super::push::{self, Conversation, Push};
use super::question::{self, Update};
use super::refusal;
use super::service::STALL;
use crate::answers::ApiError;
use crate::authentication::authenticate;
use crate::blocking::attempt;
use crate::extract::repository::Address;
use crate::pieces::{PIECE, Pieces};
use crate::registry::Repository;
use crate::state::HubState;

/// The maximum length of git's report on a push, which has one line per reference.
const LONGEST_REPORT: usize = 8 << 20;

/// Authorizes a complete push, by the rights at that time.
pub(super) struct Judge {
    pub state: Arc<HubState>,
    pub headers: HeaderMap,
    pub address: Address,
    pub repository: Repository,
}

impl Judge {
    async fn verdict(&self, updates: &[Update]) -> Result<(), String> {
        question::check(updates)?;
        let text = |error: ApiError| error.message().to_owned();
        let caller = authenticate(&self.state, &self.headers)
            .await
            .map_err(text)?;
        let found = refusal::open_to_write(&self.state, &caller, &self.address)
            .await
            .map_err(text)?;
        if found.id == self.repository.id {
            Ok(())
        } else {
            Err("The repository was deleted while the push was in progress.".to_owned())
        }
    }

    async fn converse(&self, push: &Push, mut conversation: Conversation) {
        let verdict = match conversation.question().await {
            Ok(updates) => self.verdict(&updates).await,
            Err(error) => Err(error.to_string()),
        };
        // If sending fails, the hook has exited, and the push has failed with it.
        let _ = conversation.tell(push, verdict).await;
    }
}

/// The state of a running git process.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether it has received the whole request.
    pub fed: AtomicBool,
    /// Whether it failed.
    pub failed: AtomicBool,
}

/// Reads git's output and passes it on.
pub(super) struct Relay {
    pub group: Group,
    pub stdout: ChildStdout,
    pub pieces: Pieces,
    pub progress: Arc<Progress>,
}

impl Relay {
    pub(super) async fn run_push(self, push: Push, conversation: Conversation, judge: Judge) {
        let folder = judge
            .state
            .store
            .folder(judge.repository.kind, &judge.repository.id);
        let converse = async {
            judge.converse(&push, conversation).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.run(Some((&push, folder))) => (),
            () = converse => (),
        }
    }

    /// Runs until git exits or the client disconnects. The report on a push acknowledges it, so it
    /// is held back until the push is on disk.
    pub(super) async fn run(mut self, push: Option<(&Push, PathBuf)>) {
        let mut report = Vec::new();
        loop {
            let piece = match self.next().await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => piece,
                Err(error) => {
                    let _ = self.pieces.send(Err(error)).await;
                    return;
                }
            };
            let is_report = push.as_ref().is_some_and(|(push, _)| push.is_approved());
            if is_report {
                report.extend_from_slice(&piece);
                if report.len() > LONGEST_REPORT {
                    let error = io::Error::other("git's report is too long");
                    let _ = self.pieces.send(Err(error)).await;
                    return;
                }
            } else if self.pieces.send(Ok(piece)).await.is_err() {
                return;
            }
        }
        if !matches!(self.group.wait().await, Ok(true)) {
            self.progress.failed.store(true, Ordering::Release);
        }
        if report.is_empty() {
            return;
        }
        let settled = match push {
            Some((_, folder)) => attempt(move || push::settle(&folder)).await,
            None => Ok(()),
        };
        let _ = self.pieces.send(settled.map(|()| report.into())).await;
    }

    /// The next chunk of git's output. Empty at the end.
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut piece = Vec::with_capacity(PIECE);
        loop {
            let reading = tokio::time::timeout(STALL, self.stdout.read_buf(&mut piece));
            tokio::select! {
                () = self.pieces.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
                read = reading => match read {
                    Ok(read) => return read.map(|_| piece.into()),
                    // Git is waiting for a client that is still sending.
                    Err(_) if !self.progress.fed.load(Ordering::Relaxed) => (),
                    Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                }
            }
        }
    }
}
