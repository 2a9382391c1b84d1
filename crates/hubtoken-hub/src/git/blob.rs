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

use super::child::Group;
use super::program;
use super::service::STALL;
use crate::pieces::{PIECE, Pieces, body, channel};
use crate::registry::Repository;
use crate::state::HubState;

/// Streams `length` bytes of a blob after skipping `skip` bytes. Returns `None` if git is not
/// installed or cannot be run.
pub(crate) async fn packed(
    state: &Arc<HubState>,
    repository: &Repository,
    oid: Oid,
    skip: u64,
    length: u64,
) -> Option<Body> {
    let git = &state.git;
    let found = program::find(git.search_path())?;
    let place = Arc::clone(&git.readers).acquire_owned().await.ok()?;
    let folder = state.store.folder(repository.kind, &repository.id);
    let mut command = program::command(&found, git.search_path(), None);
    command
        .current_dir(&folder)
        .env("GIT_DIR", ".")
        .args(["cat-file", "blob", &oid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut group = Group::spawn(&mut command, place).ok()?;
    let stdout = group.stdout()?;
    let (pieces, received) = channel();
    tokio::spawn(async move {
        if let Err(error) = copy(stdout, skip, length, &pieces).await {
            let _ = pieces.send(Err(error)).await;
        }
        // Not earlier: dropping the group terminates git if it has more output than was requested.
        drop(group);
    });
    Some(body(Bytes::new(), received))
}

async fn copy(
    mut output: ChildStdout,
    mut skip: u64,
    mut length: u64,
    pieces: &Pieces,
) -> io::Result<()> {
    while length > 0 {
        let mut piece = Vec::with_capacity(PIECE);
        // Unpacking a range near the end of a large file takes a while.
        let reading = tokio::time::timeout(STALL, output.read_buf(&mut piece));
        let read = tokio::select! {
            () = pieces.closed() => return Ok(()),
            read = reading => read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut piece = Bytes::from(piece);
        let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        drop(piece.split_to(passed));
        skip -= passed as u64;
        piece.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        length -= piece.len() as u64;
        if !piece.is_empty() && pieces.send(Ok(piece)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
