//! Runs git in a process group that is terminated when it is dropped.
//!
//! The group contains git and all programs that it starts. It first receives SIGTERM, so that git
//! removes its temporary files, and is killed if it does not exit. Its concurrency permit is
//! released only once it has exited.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::OwnedSemaphorePermit;

/// How long git may take to clean up.
const TERMINATION_GRACE: Duration = Duration::from_secs(5);

pub(super) struct ProcessGroup {
    child: Option<Child>,
    permit: Option<OwnedSemaphorePermit>,
}

impl ProcessGroup {
    pub(super) fn spawn(command: &mut Command, permit: OwnedSemaphorePermit) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self {
            child: Some(child),
            permit: Some(permit),
        })
    }

    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.as_mut()?.stdin.take()
    }

    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.as_mut()?.stdout.take()
    }

    /// Waits for git to exit, and returns whether it succeeded.
    pub(super) async fn wait(&mut self) -> io::Result<bool> {
        let Some(child) = &mut self.child else {
            return Ok(false);
        };
        let status = child.wait().await?;
        self.child = None;
        self.permit = None;
        Ok(status.success())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let (Some(mut child), permit) = (self.child.take(), self.permit.take()) else {
            return;
        };
        // The process has not been reaped, so its id still refers to this group.
        signal(&child, Signal::TERM);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            signal(&child, Signal::KILL);
            return;
        };
        runtime.spawn(async move {
            if tokio::time::timeout(TERMINATION_GRACE, child.wait())
                .await
                .is_err()
            {
                signal(&child, Signal::KILL);
                let _ = child.wait().await;
            }
            drop(permit);
        });
    }
}

/// A group that has already exited needs no signal.
fn signal(child: &Child, signal: Signal) {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}
