//! What happens between the moment a push is complete and the moment it is seen.
//!
//! Git keeps what a push brings apart, checks it, and asks its hook `pre-receive` whether it may be taken over. Ours is
//! a few lines of shell that pass the question on to this process, through a pipe in a folder of the push's own, and
//! wait for the answer in another. So a push that took an hour is let in by the rights of its end, not of its beginning;
//! and what may not be pushed at all is told in our words.
//!
//! Neither side waits for one that is gone: both pipes end with the Hub. Git's own messages go to a file in the same
//! folder, locked by this process and, since they have the same open file, by every program of the push. A Hub that
//! comes after one that was killed waits for those locks, and so for the programs, before it touches anything.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use git2::Oid;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;

use super::program::is_executable;
use crate::hub::repository::DEFAULT_BRANCH;

/// Where the hook finds the two pipes.
pub(super) const QUESTION: &str = "HUBTOKEN_QUESTION";
pub(super) const ANSWER: &str = "HUBTOKEN_ANSWER";

/// The lines of a question: more references than anybody has a reason to push at once.
const LONGEST_QUESTION: usize = 4 << 20;

/// Both pipes are opened for both directions first, which never waits, then for the one that is needed, then the first
/// is closed: if the Hub is gone by now, reading ends and writing fails.
const HOOK: &str = r#"#!/bin/sh
# Asks the Hub whether a push may be taken over. Written anew by every Hub that starts.
exec 3<>"$HUBTOKEN_QUESTION" 4>"$HUBTOKEN_QUESTION" 3>&- || exit 1
exec 3<>"$HUBTOKEN_ANSWER" 5<"$HUBTOKEN_ANSWER" 3>&- || exit 1
while IFS= read -r line; do
  # Git takes line feeds in a name until later. Two of them would end the question before its last reference.
  [ -n "$line" ] || { printf 'The name of a reference has line feeds in it.\n' >&2; exit 1; }
  printf '%s\n' "$line" >&4 || exit 1
done
printf '\n' >&4 || exit 1
IFS= read -r verdict <&5 || exit 1
[ "$verdict" = yes ] && exit 0
printf '%s\n' "$verdict" >&2
exit 1
"#;

/// A reference that is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub new: Oid,
    pub reference: String,
}

/// One push on its way.
#[derive(Debug)]
pub(super) struct Push {
    folder: TempDir,
    errors: File,
    small: bool,
    approved: AtomicBool,
}

/// The Hub's ends of the pipes.
pub(super) struct Conversation {
    question: pipe::Receiver,
    answer: pipe::Sender,
    /// The other ends, so that neither pipe ends before the hook has come.
    _kept: (pipe::Sender, pipe::Receiver),
}

impl Push {
    pub(super) fn begin(pushes: &Path, small: bool) -> io::Result<(Self, Conversation)> {
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
        let (question, asking) = open(QUESTION)?;
        let (hearing, answer) = open(ANSWER)?;
        let conversation = Conversation {
            question,
            answer,
            _kept: (asking, hearing),
        };
        Ok((push, conversation))
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

    /// Whether the hook was told yes: from here on references may have moved.
    pub(super) fn is_approved(&self) -> bool {
        self.approved.load(Ordering::Acquire)
    }
}

impl Conversation {
    /// What the hook asks. It never does if there is nothing to be taken over.
    pub(super) async fn question(&mut self) -> io::Result<Vec<Update>> {
        read_question(&mut self.question).await
    }

    /// Tells the hook, in one line.
    pub(super) async fn tell(
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
        self.answer.write_all(text.as_bytes()).await
    }
}

/// Reads a question to its end.
pub(super) async fn read_question(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<Update>> {
    let strange = || io::Error::other("git asks in words of its own");
    let mut text = Vec::new();
    // The hook sends no empty line but the one that ends the question.
    while !text.ends_with(b"\n\n") {
        if pipe.read_buf(&mut text).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if text.len() > LONGEST_QUESTION {
            return Err(io::Error::other("too many references at once"));
        }
    }
    let text = String::from_utf8(text)
        .map_err(|_| io::Error::other("the name of a reference is not UTF-8"))?;
    let lines = text.strip_suffix("\n\n").ok_or_else(strange)?;
    lines
        .split('\n')
        .map(|line| update(line).ok_or_else(strange))
        .collect()
}

fn update(line: &str) -> Option<Update> {
    let mut words = line.splitn(3, ' ');
    // libgit2 would take a part of a hash, too.
    let mut hash = || {
        let word = words.next().filter(|word| word.len() == 40)?;
        Oid::from_str(word).ok()
    };
    let (_old, new) = (hash()?, hash()?);
    let reference = words.next().filter(|name| !name.is_empty())?;
    Some(Update {
        new,
        reference: reference.to_owned(),
    })
}

/// What nobody may push, whatever their rights; the first reason is told.
pub(super) fn check(updates: &[Update]) -> Result<(), String> {
    updates.iter().try_for_each(|update| {
        let shown: String = update.reference.escape_debug().take(200).collect();
        let Some(name) = ["refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|prefix| update.reference.strip_prefix(prefix))
        else {
            return Err(format!(
                "Only branches and tags can be pushed to this Hub, and `{shown}` is neither."
            ));
        };
        if update.new.is_zero() {
            return if update.reference == format!("refs/heads/{DEFAULT_BRANCH}") {
                Err("The default branch cannot be deleted.".to_owned())
            } else {
                Ok(())
            };
        }
        // A revision of that form means a commit, and must go on meaning it.
        if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("`{shown}` would look like the hash of a commit."));
        }
        if name.starts_with('-') {
            return Err(format!("`{shown}` would look like an option of git's."));
        }
        Ok(())
    })
}

/// Writes the hook, and says in which folder.
pub(super) fn write_hook(folder: &Path) -> io::Result<PathBuf> {
    let hooks = folder.join("hooks");
    make_folder(&hooks)?;
    let path = hooks.join("pre-receive");
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempfile_in(folder)?;
    file.write_all(HOOK.as_bytes())?;
    file.persist(&path).map_err(|error| error.error)?;
    // Git passes over a hook that cannot be run, as where programs cannot be run from a disk; we do not.
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

/// There the call is not in the library that makes it safe; the program is part of the system.
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

/// Removes what a Hub left behind that was killed, once the programs of its pushes have ended.
pub(super) fn sweep(pushes: &Path, patience: Duration) -> io::Result<()> {
    let entries = match fs::read_dir(pushes) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let end = Instant::now() + patience;
    for entry in entries {
        let folder = entry?.path();
        if let Ok(errors) = File::open(folder.join("errors")) {
            while let Err(TryLockError::WouldBlock) = errors.try_lock() {
                if Instant::now() >= end {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Has it on the disk that files were put into folders: references, objects and packs.
pub(super) fn settle(repository: &Path) -> io::Result<()> {
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

/// A folder may have gone meanwhile, with what was in it.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        check(&[update(line).unwrap()])
    }

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const ONE: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn branches_and_tags_come_and_go() {
        for reference in [
            "refs/heads/main",
            "refs/heads/a/b",
            "refs/tags/v1",
            "refs/heads/é",
        ] {
            assert_eq!(checked(&format!("{ZERO} {ONE} {reference}")), Ok(()));
        }
        assert_eq!(checked(&format!("{ONE} {ZERO} refs/heads/a")), Ok(()));
    }

    #[test]
    fn nothing_else_does() {
        for reference in [
            "HEAD",
            "refs/pr/1",
            "refs/headsx/a",
            "refs/notes/commits",
            &format!("refs/heads/{ONE}"),
            "refs/tags/-x",
        ] {
            assert!(
                checked(&format!("{ZERO} {ONE} {reference}")).is_err(),
                "{reference}"
            );
        }
        assert!(checked(&format!("{ONE} {ZERO} refs/heads/main")).is_err());
        assert!(checked(&format!("{ONE} {ZERO} refs/pr/1")).is_err());
    }

    #[tokio::test]
    async fn a_question_is_read_whole_or_not_at_all() {
        let first = format!("{ZERO} {ONE} refs/heads/a");
        let second = format!("{ONE} {ZERO} refs/tags/b c\r");
        let whole = format!("{first}\n{second}\n\n");
        let asked = read_question(&mut whole.as_bytes()).await.unwrap();
        assert_eq!(asked[0].reference, "refs/heads/a");
        assert_eq!(asked[1].reference, "refs/tags/b c\r");
        assert!(asked[1].new.is_zero() && asked.len() == 2);
        for text in [
            String::new(),
            "\n\n".to_owned(),
            format!("{first}\n"),
            format!("{first}\n\n{second}\n\n"),
            format!("\n{first}\n\n"),
            format!("{ZERO} {} refs/heads/a\n\n", &ONE[..39]),
            format!("{ZERO} {ONE} \n\n"),
            format!("{ZERO} {ONE}\n\n"),
        ] {
            assert!(
                read_question(&mut text.as_bytes()).await.is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_hook_passes_on_no_empty_line() {
        let folder = TempDir::new().unwrap();
        let hook = write_hook(folder.path()).unwrap().join("pre-receive");
        let answer = folder.path().join("answer");
        fs::write(&answer, "yes\n").unwrap();
        let line = format!("{ZERO} {ONE} refs/heads/a\n");
        for (asked, passes) in [
            (line.clone(), true),
            (format!("{line}{line}"), true),
            (format!("{line}\n{line}"), false),
            (format!("\n{line}"), false),
        ] {
            let question = folder.path().join("question");
            let input = folder.path().join("input");
            fs::write(&question, "").unwrap();
            fs::write(&input, &asked).unwrap();
            let run = std::process::Command::new(&hook)
                .env(QUESTION, &question)
                .env(ANSWER, &answer)
                .stdin(File::open(&input).unwrap())
                .output()
                .unwrap();
            assert_eq!(run.status.success(), passes, "{asked:?}");
            let said = String::from_utf8(run.stderr).unwrap();
            assert_eq!(said.contains("line feeds"), !passes, "{said}");
            let passed = fs::read_to_string(&question).unwrap();
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
        let ending = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            drop(errors);
        });
        sweep(outer.path(), Duration::from_mins(1)).unwrap();
        assert!(ending.is_finished() && !left.exists());
        sweep(&outer.path().join("none"), Duration::ZERO).unwrap();
    }
}
