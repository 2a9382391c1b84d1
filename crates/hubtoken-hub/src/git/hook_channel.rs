//! Checks a complete push before it becomes visible.
//!
//! Git quarantines the objects of a push, checks them, and runs the hook `pre-receive` to decide
//! whether to accept the push. The Hub's hook is a short shell script that forwards the request to
//! this process through one pipe, in a folder created for the push, and reads the verdict from
//! another. A push that takes an hour is therefore authorized by the rights at its end, not at its
//! beginning, and updates that are never allowed are rejected with the Hub's own messages.
//!
//! Neither side waits for one that has exited, because both pipes close with the Hub. Git's error
//! output goes to a file in the same folder. This process locks it, and every program of the push
//! holds the lock too, since they share the open file. After a Hub is killed, the next one waits
//! for those locks, and so for the programs, before it changes anything.
//!
//! An acknowledged push is on disk: git's report is held back until references and objects have
//! been synced.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;

use super::command::is_executable;
use super::pre_receive::{Update, read_updates};

/// The variables in which the hook finds the two pipes.
pub(super) const REQUEST_PIPE: &str = "HUBTOKEN_QUESTION";
pub(super) const RESPONSE_PIPE: &str = "HUBTOKEN_ANSWER";

/// The interval between checks whether a program is still running.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Opens each pipe for reading and writing first, which never blocks, then in the direction it
/// needs, and then closes the first descriptor. If the Hub has exited by then, reading returns the
/// end of the file and writing fails.
const HOOK: &str = r#"#!/bin/sh
# Asks the Hub whether to accept a push. Rewritten whenever a Hub starts.
exec 3<>"$HUBTOKEN_QUESTION" 4>"$HUBTOKEN_QUESTION" 3>&- || exit 1
exec 3<>"$HUBTOKEN_ANSWER" 5<"$HUBTOKEN_ANSWER" 3>&- || exit 1
while IFS= read -r line; do
  # Git rejects line feeds in a name only later. Two of them would end the request too early.
  [ -n "$line" ] || { printf 'The name of a reference contains line feeds.\n' >&2; exit 1; }
  printf '%s\n' "$line" >&4 || exit 1
done
printf '\n' >&4 || exit 1
IFS= read -r verdict <&5 || exit 1
[ "$verdict" = yes ] && exit 0
printf '%s\n' "$verdict" >&2
exit 1
"#;

/// A push in progress.
#[derive(Debug)]
pub(super) struct Push {
    folder: TempDir,
    errors: File,
    small: bool,
    approved: AtomicBool,
}

/// The Hub's ends of the pipes.
pub(super) struct HookChannel {
    request: pipe::Receiver,
    response: pipe::Sender,
    /// The opposite ends, held open so that neither pipe closes before the hook opens it.
    _keep_open: (pipe::Sender, pipe::Receiver),
}

impl Push {
    pub(super) fn create(pushes: &Path, small: bool) -> io::Result<(Self, HookChannel)> {
        let folder = tempfile::Builder::new()
            .prefix("push-")
            .tempdir_in(pushes)?;
        let errors = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.path().join("errors"))?;
        errors.lock()?;
        let push = Self {
            folder,
            errors,
            small,
            approved: AtomicBool::new(false),
        };
        let open = |name| {
            let path = push.path(name);
            make_pipe(&path)?;
            let receiver = pipe::OpenOptions::new().open_receiver(&path)?;
            let sender = pipe::OpenOptions::new().open_sender(&path)?;
            Ok::<_, io::Error>((receiver, sender))
        };
        let (request, request_writer) = open(REQUEST_PIPE)?;
        let (response_reader, response) = open(RESPONSE_PIPE)?;
        let hook = HookChannel {
            request,
            response,
            _keep_open: (request_writer, response_reader),
        };
        Ok((push, hook))
    }

    pub(super) fn path(&self, pipe: &str) -> PathBuf {
        self.folder.path().join(pipe)
    }

    pub(super) fn errors(&self) -> io::Result<File> {
        self.errors.try_clone()
    }

    /// Whether it is known to be small.
    pub(super) fn is_small(&self) -> bool {
        self.small
    }

    /// Whether the hook received a positive verdict: from then on, references may have moved.
    pub(super) fn is_approved(&self) -> bool {
        self.approved.load(Ordering::Acquire)
    }
}

impl HookChannel {
    /// Reads the hook's request. The hook does not run if there is nothing to update.
    pub(super) async fn read_updates(&mut self) -> io::Result<Vec<Update>> {
        read_updates(&mut self.request).await
    }

    /// Sends the verdict to the hook, as one line.
    pub(super) async fn respond(
        &mut self,
        push: &Push,
        verdict: Result<(), String>,
    ) -> io::Result<()> {
        let text = match verdict {
            Ok(()) => {
                push.approved.store(true, Ordering::Release);
                "yes\n".to_owned()
            }
            Err(reason) => reason.replace(char::is_control, " ") + "\n",
        };
        self.response.write_all(text.as_bytes()).await
    }
}

/// Writes the hook, and returns its folder.
pub(super) fn write_hook(folder: &Path) -> io::Result<PathBuf> {
    let hooks = folder.join("hooks");
    make_folder(&hooks)?;
    let path = hooks.join("pre-receive");
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempfile_in(folder)?;
    file.write_all(HOOK.as_bytes())?;
    file.persist(&path).map_err(|error| error.error)?;
    // Git ignores a hook that is not executable, for example on a file system mounted `noexec`. The
    // Hub must not.
    if is_executable(&path) {
        Ok(hooks)
    } else {
        Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("programs cannot be run from {}", hooks.display()),
        ))
    }
}

#[cfg(not(target_vendor = "apple"))]
fn make_pipe(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};

    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// On Apple systems, the safe wrapper library does not provide this call. The program is part of
/// the system.
#[cfg(target_vendor = "apple")]
fn make_pipe(path: &Path) -> io::Result<()> {
    let made = std::process::Command::new("/usr/bin/mkfifo")
        .args(["-m", "600"])
        .arg(path)
        .status()?;
    if made.success() {
        Ok(())
    } else {
        Err(io::Error::other("mkfifo failed"))
    }
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes the push folders that a killed Hub left behind, once their programs have exited.
pub(super) fn remove_stale(pushes: &Path, timeout: Duration) -> io::Result<()> {
    remove_stale_with(pushes, timeout, || std::thread::sleep(POLL_INTERVAL))
}

/// Like [`remove_stale`], but calls `pause` while a program is still running.
fn remove_stale_with(pushes: &Path, timeout: Duration, mut pause: impl FnMut()) -> io::Result<()> {
    let entries = match fs::read_dir(pushes) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let end = Instant::now() + timeout;
    for entry in entries {
        let folder = entry?.path();
        if let Ok(errors) = File::open(folder.join("errors")) {
            while let Err(TryLockError::WouldBlock) = errors.try_lock() {
                if Instant::now() >= end {
                    break;
                }
                pause();
            }
        }
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Syncs the folders that contain references, objects and packs.
pub(super) fn sync_repository(repository: &Path) -> io::Result<()> {
    let objects = repository.join("objects");
    for entry in fs::read_dir(&objects)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        }
    }
    sync(&objects)?;
    sync_all(&repository.join("refs"))?;
    sync(repository)
}

fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    sync(folder)
}

/// Syncs a folder, which may have been deleted in the meantime.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_passes_on_no_empty_line() {
        let folder = TempDir::new().unwrap();
        let hook = write_hook(folder.path()).unwrap().join("pre-receive");
        let response = folder.path().join("answer");
        fs::write(&response, "yes\n").unwrap();
        let line = format!("{} {} refs/heads/a\n", "0".repeat(40), "1".repeat(40));
        for (asked, passes) in [
            (line.clone(), true),
            (format!("{line}{line}"), true),
            (format!("{line}\n{line}"), false),
            (format!("\n{line}"), false),
        ] {
            let request = folder.path().join("question");
            let input = folder.path().join("input");
            fs::write(&request, "").unwrap();
            fs::write(&input, &asked).unwrap();
            let run = std::process::Command::new("/bin/sh")
                .arg(&hook)
                .env(REQUEST_PIPE, &request)
                .env(RESPONSE_PIPE, &response)
                .stdin(File::open(&input).unwrap())
                .output()
                .unwrap();
            assert_eq!(run.status.success(), passes, "{asked:?}");
            let said = String::from_utf8(run.stderr).unwrap();
            assert_eq!(said.contains("line feeds"), !passes, "{said}");
            let passed = fs::read_to_string(&request).unwrap();
            assert_eq!(passed == format!("{asked}\n"), passes, "{passed:?}");
            assert_eq!(passed.contains("\n\n"), passes, "{passed:?}");
        }
    }

    #[test]
    fn what_a_killed_hub_left_is_removed_when_its_programs_have_ended() {
        let outer = TempDir::new().unwrap();
        let left = outer.path().join("push-1");
        make_folder(&left).unwrap();
        let errors = File::create(left.join("errors")).unwrap();
        errors.lock().unwrap();
        let mut program = Some(errors);
        let mut looks = 0;
        remove_stale_with(outer.path(), Duration::from_mins(5), || {
            assert!(left.exists());
            looks += 1;
            if looks == 3 {
                drop(program.take());
            }
        })
        .unwrap();
        assert!(looks == 3 && !left.exists());
        // The wait is limited.
        make_folder(&left).unwrap();
        let errors = File::create(left.join("errors")).unwrap();
        errors.lock().unwrap();
        remove_stale_with(outer.path(), Duration::ZERO, || unreachable!("it waits")).unwrap();
        assert!(!left.exists());
        remove_stale(&outer.path().join("none"), Duration::ZERO).unwrap();
    }
}
