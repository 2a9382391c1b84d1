//! Relays git's output to the client, and answers its hook during a push.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::http::HeaderMap;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

use super::hook_channel::{self, HookChannel, Push};
use super::pre_receive::{self, Update};
use super::process_group::ProcessGroup;
use super::push_errors;
use super::service::STALL_TIMEOUT;
use crate::auth::authentication::authenticate;
use crate::blocking::spawn_io;
use crate::extract::repository::RepositoryRef;
use crate::registry::Repository;
use crate::response::ApiError;
use crate::state::HubState;
use crate::stream_body::{BodySender, CHUNK_SIZE};

/// The maximum length of git's report on a push, which has one line per reference.
const MAX_REPORT_BYTES: usize = 8 << 20;

/// Authorizes a complete push, by the rights at that time.
pub(super) struct PushAuthorizer {
    pub state: Arc<HubState>,
    pub headers: HeaderMap,
    pub target: RepositoryRef,
    pub repository: Repository,
}

impl PushAuthorizer {
    async fn authorize(&self, updates: &[Update]) -> Result<(), String> {
        pre_receive::check(updates)?;
        let text = |error: ApiError| error.message().to_owned();
        let caller = authenticate(&self.state, &self.headers)
            .await
            .map_err(text)?;
        let found = push_errors::open_for_writing(&self.state, &caller, &self.target)
            .await
            .map_err(text)?;
        if found.id == self.repository.id {
            Ok(())
        } else {
            Err("The repository was deleted while the push was in progress.".to_owned())
        }
    }

    async fn answer_hook(&self, push: &Push, mut hook: HookChannel) {
        let verdict = match hook.read_updates().await {
            Ok(updates) => self.authorize(&updates).await,
            Err(error) => Err(error.to_string()),
        };
        // If sending fails, the hook has exited, and the push has failed with it.
        let _ = hook.respond(push, verdict).await;
    }
}

/// The state of a running git process.
#[derive(Default)]
pub(super) struct ProcessState {
    /// Whether it has received the whole request.
    pub input_done: AtomicBool,
    /// Whether it failed.
    pub failed: AtomicBool,
}

/// Reads git's output and passes it on.
pub(super) struct OutputRelay {
    pub process: ProcessGroup,
    pub stdout: ChildStdout,
    pub sender: BodySender,
    pub process_state: Arc<ProcessState>,
}

impl OutputRelay {
    pub(super) async fn run_push(self, push: Push, hook: HookChannel, authorizer: PushAuthorizer) {
        let folder = authorizer
            .state
            .store
            .folder(authorizer.repository.kind, &authorizer.repository.id);
        let answer_hook = async {
            authorizer.answer_hook(&push, hook).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.run(Some((&push, folder))) => (),
            () = answer_hook => (),
        }
    }

    /// Runs until git exits or the client disconnects. The report on a push acknowledges it, so it
    /// is held back until the push is on disk.
    pub(super) async fn run(mut self, push: Option<(&Push, PathBuf)>) {
        let mut report = Vec::new();
        loop {
            let chunk = match self.next().await {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => chunk,
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            };
            let is_report = push.as_ref().is_some_and(|(push, _)| push.is_approved());
            if is_report {
                report.extend_from_slice(&chunk);
                if report.len() > MAX_REPORT_BYTES {
                    let error = io::Error::other("git's report is too long");
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            } else if self.sender.send(Ok(chunk)).await.is_err() {
                return;
            }
        }
        if !matches!(self.process.wait().await, Ok(true)) {
            self.process_state.failed.store(true, Ordering::Release);
        }
        if report.is_empty() {
            return;
        }
        let synced = match push {
            Some((_, folder)) => spawn_io(move || hook_channel::sync_repository(&folder)).await,
            None => Ok(()),
        };
        let _ = self.sender.send(synced.map(|()| report.into())).await;
    }

    /// The next chunk of git's output. Empty at the end.
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_SIZE);
        loop {
            let reading = tokio::time::timeout(STALL_TIMEOUT, self.stdout.read_buf(&mut chunk));
            tokio::select! {
                () = self.sender.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
                read = reading => match read {
                    Ok(read) => return read.map(|_| chunk.into()),
                    // Git is waiting for a client that is still sending.
                    Err(_) if !self.process_state.input_done.load(Ordering::Relaxed) => (),
                    Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                }
            }
        }
    }
}
