//! Streams large files out of packs.
//!
//! libgit2 reads a packed object whole. `git cat-file` does not, so a large file is streamed from
//! its output, and memory is bounded whatever the file's length.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use git2::Oid;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

use super::command;
use super::process_group::ProcessGroup;
use super::service::STALL_TIMEOUT;
use crate::registry::Repository;
use crate::state::HubState;
use crate::stream_body::{BodySender, CHUNK_SIZE, body, channel};

/// Streams `length` bytes of a blob after skipping `skip` bytes. Returns `None` if git is not
/// installed or cannot be run.
pub(crate) async fn stream_packed_blob(
    state: &Arc<HubState>,
    repository: &Repository,
    oid: Oid,
    skip: u64,
    length: u64,
) -> Option<Body> {
    let git = &state.services.git;
    let found = command::find_git(git.search_path())?;
    let permit = Arc::clone(&git.reader_permits).acquire_owned().await.ok()?;
    let folder = state.store.folder(repository.kind, &repository.id);
    let mut command = command::build(&found, git.search_path(), None);
    command
        .current_dir(&folder)
        .env("GIT_DIR", ".")
        .args(["cat-file", "blob", &oid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = ProcessGroup::spawn(&mut command, permit).ok()?;
    let stdout = process.stdout()?;
    let (sender, receiver) = channel();
    tokio::spawn(async move {
        if let Err(error) = copy(stdout, skip, length, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
        // Not earlier: dropping the group terminates git if it has more output than was requested.
        drop(process);
    });
    Some(body(Bytes::new(), receiver))
}

async fn copy(
    mut output: ChildStdout,
    mut skip: u64,
    mut length: u64,
    sender: &BodySender,
) -> io::Result<()> {
    while length > 0 {
        let mut chunk = Vec::with_capacity(CHUNK_SIZE);
        // Unpacking a range near the end of a large file takes a while.
        let reading = tokio::time::timeout(STALL_TIMEOUT, output.read_buf(&mut chunk));
        let read = tokio::select! {
            () = sender.closed() => return Ok(()),
            read = reading => read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut chunk = Bytes::from(chunk);
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
        drop(chunk.split_to(skipped));
        skip -= skipped as u64;
        chunk.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        length -= chunk.len() as u64;
        if !chunk.is_empty() && sender.send(Ok(chunk)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
