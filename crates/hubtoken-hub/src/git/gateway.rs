//! From a request to a run of `git http-backend` and back (CGI, RFC 3875).
//!
//! Three things go on at once: the body goes to git (`feed`), git's output is taken, and git's hook may ask something
//! (both `relay`). The answer begins when the body has been taken in, since not every client reads while it sends. None
//! of the three is waited for without end: the client must go on (see `patience`), and so must git.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use tokio::process::{ChildStdin, Command};

use super::child::Group;
use super::feed::feed;
use super::inflate::Inflater;
use super::program;
use super::push::{self, Conversation, Push};
use super::relay::{Judge, Progress, Relay};
use crate::answers::{Answer, ApiError, header_text};
use crate::authentication::Caller;
use crate::extract::body::drain;
use crate::extract::repository::Address;
use crate::journal::LogLevel;
use crate::metrics::Under;
use crate::pieces::{Received, body, channel};
use crate::registry::Repository;
use crate::state::HubState;

/// What a clone or a fetch may ask for; git holds it in memory.
const LONGEST_REQUEST: usize = 10 << 20;
/// What may come out of a compressed push. Git sends pushes as they are: a pack is compressed in itself.
const LONGEST_INFLATED_PUSH: usize = 64 << 20;
/// A small push becomes objects of its own: a pack for each would make every look-up slower. A larger one stays the
/// pack that it came as, from which it can be sent on as it is.
const SMALL_PUSH: u64 = 1 << 20;
const KEEP_PACK: [&str; 2] = ["-c", "receive.unpackLimit=1"];
/// The header of git's answer.
const LONGEST_HEAD: usize = 16 << 10;
/// How much of git's messages goes into the log.
const LONGEST_MESSAGE: usize = 1000;

/// One of git's two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Clone and fetch.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// A request that was let in.
pub(super) struct Call {
    pub state: Arc<HubState>,
    pub caller: Caller,
    pub address: Address,
    pub repository: Repository,
    pub service: Service,
    pub headers: HeaderMap,
}

/// A run of git under way.
struct Run {
    received: Received,
    stdin: Option<ChildStdin>,
    progress: Arc<Progress>,
    errors: File,
}

impl Call {
    /// Answers where references point.
    pub(super) async fn advertise(&self) -> Answer {
        let run = self.start("GET", None).await?;
        run.progress.fed.store(true, Ordering::Relaxed);
        self.answer(run).await
    }

    /// Answers a fetch or a push.
    pub(super) async fn serve(&self, body: Body) -> Answer {
        let limit = match self.service {
            Service::UploadPack => LONGEST_REQUEST,
            Service::ReceivePack => LONGEST_INFLATED_PUSH,
        };
        let begun = match Inflater::of(&self.headers, limit, self.service == Service::UploadPack) {
            Ok(inflater) => {
                let is_small = body
                    .size_hint()
                    .exact()
                    .is_some_and(|length| length <= SMALL_PUSH);
                self.begin(is_small).await.map(|run| (run, inflater))
            }
            Err(error) => Err(error),
        };
        let (mut run, inflater) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                drain(body).await;
                return Err(error);
            }
        };
        let _receiving =
            (self.service == Service::ReceivePack).then(|| Under::way(&self.state.metrics.uploads));
        let stdin = run.stdin.take();
        feed(body, inflater, stdin, limit).await?;
        run.progress.fed.store(true, Ordering::Relaxed);
        self.answer(run).await
    }

    async fn begin(&self, is_small: bool) -> Result<Run, ApiError> {
        if self.service == Service::UploadPack {
            return self.start("POST", None).await;
        }
        let prepared = self
            .state
            .git
            .pushes()
            .and_then(|pushes| Push::begin(&pushes, is_small))
            .map_err(|error| self.failed(&error.to_string()))?;
        self.start("POST", Some(prepared)).await
    }

    async fn start(
        &self,
        method: &str,
        push: Option<(Push, Conversation)>,
    ) -> Result<Run, ApiError> {
        let found = find_git(&self.state)?;
        let place = self.state.git.places.take().await?;
        let failed = |error: io::Error| self.failed(&error.to_string());
        let hooks = match self.service {
            Service::ReceivePack => Some(self.state.git.hooks().map_err(failed)?),
            Service::UploadPack => None,
        };
        let mut command = program::command(&found, self.state.git.search_path(), hooks.as_deref());
        if push.as_ref().is_some_and(|(push, _)| !push.is_small()) {
            command.args(KEEP_PACK);
        }
        self.describe(&mut command, method).map_err(failed)?;
        let errors = match &push {
            Some((push, _)) => {
                command.env(push::QUESTION, push.path(push::QUESTION));
                command.env(push::ANSWER, push.path(push::ANSWER));
                push.errors()
            }
            None => tempfile::tempfile(),
        };
        let errors = errors.map_err(failed)?;
        command
            .stdin(if method == "GET" {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().map_err(failed)?);
        let mut group = Group::spawn(&mut command, place).map_err(failed)?;
        // Closes the copy of the file that the command holds.
        drop(command);
        let stdin = group.stdin();
        let stdout = group
            .stdout()
            .ok_or_else(|| self.failed("git's output is not connected"))?;
        let (pieces, received) = channel();
        let progress = Arc::new(Progress::default());
        let relay = Relay {
            group,
            stdout,
            pieces,
            progress: Arc::clone(&progress),
        };
        match push {
            None => drop(tokio::spawn(relay.run(None))),
            Some((push, conversation)) => {
                let judge = Judge {
                    state: Arc::clone(&self.state),
                    headers: self.headers.clone(),
                    address: self.address.clone(),
                    repository: self.repository.clone(),
                };
                drop(tokio::spawn(relay.run_push(push, conversation, judge)));
            }
        }
        Ok(Run {
            received,
            stdin,
            progress,
            errors,
        })
    }

    /// Says in CGI's variables what is asked.
    fn describe(&self, command: &mut Command, method: &str) -> io::Result<()> {
        let folder = self
            .state
            .store
            .folder(self.repository.kind, &self.repository.id);
        let folder = folder.canonicalize()?;
        let parent = folder.parent().unwrap_or(&folder);
        let asked = match method {
            "GET" => "info/refs",
            _ => self.service.name(),
        };
        command
            .current_dir(&folder)
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", parent)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_HTTP_MAX_REQUEST_BUFFER", LONGEST_REQUEST.to_string())
            .env("PATH_INFO", format!("/{}.git/{asked}", self.repository.id))
            .env("REQUEST_METHOD", method)
            .env(
                "CONTENT_TYPE",
                format!("application/x-{}-request", self.service.name()),
            );
        if method == "GET" {
            command.env("QUERY_STRING", format!("service={}", self.service.name()));
        }
        if let Some(principal) = self.caller.principal() {
            command.env("REMOTE_USER", &principal.user.name);
        }
        let version = self
            .headers
            .get("git-protocol")
            .and_then(|version| version.to_str().ok())
            .filter(|version| version.len() <= 256);
        if let Some(version) = version {
            command.env("GIT_PROTOCOL", version);
        }
        Ok(())
    }

    /// Reads the head of git's answer, and passes on the rest as it comes.
    async fn answer(&self, mut run: Run) -> Answer {
        let Some((head, mut rest)) = head(&mut run.received).await else {
            return Err(self.failed(&message(&run.errors)));
        };
        let not_taken = |status| ApiError::new(status, "git does not take this request");
        let head = String::from_utf8_lossy(&head).into_owned();
        let field = |wanted: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.trim().to_owned())
        };
        let status = field("status")
            .and_then(|status| status.get(..3)?.parse().ok())
            .unwrap_or(200);
        if status != 200 {
            let status = StatusCode::from_u16(status)
                .ok()
                .filter(StatusCode::is_client_error)
                .ok_or_else(|| self.failed(&message(&run.errors)))?;
            return Err(not_taken(status));
        }
        if rest.is_empty() {
            // What git cannot read at all it says nothing to.
            match run.received.recv().await {
                Some(Ok(piece)) => rest = piece,
                None if !run.progress.failed.load(Ordering::Acquire) => (),
                None => return Err(not_taken(StatusCode::BAD_REQUEST)),
                Some(Err(_)) => return Err(self.failed(&message(&run.errors))),
            }
        }
        let mut response = Response::new(body(rest, run.received));
        let headers = response.headers_mut();
        if let Some(content_type) = field("content-type") {
            headers.insert(CONTENT_TYPE, header_text(&content_type));
        }
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("no-cache, max-age=0, must-revalidate"),
        );
        Ok(response)
    }

    /// What git said goes into the log; the client is told that it is not to blame.
    fn failed(&self, cause: &str) -> ApiError {
        if cause.contains("is not a git command") {
            return missing(&self.state);
        }
        self.state.journal.write(
            LogLevel::Error,
            "git failed",
            &[
                ("service", self.service.name().into()),
                ("repository", self.repository.id.as_str().into()),
                ("cause", cause.into()),
            ],
        );
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "git failed on the server; its log says why",
        )
    }
}

/// The program, or the answer that says that there is none; the log says it once.
fn find_git(state: &HubState) -> Result<PathBuf, ApiError> {
    program::find(state.git.search_path()).ok_or_else(|| missing(state))
}

fn missing(state: &HubState) -> ApiError {
    if !state.git.told.swap(true, Ordering::Relaxed) {
        state.journal.write(
            LogLevel::Warn,
            "git is not installed, or lacks http-backend: nothing can be cloned, fetched or pushed",
            &[],
        );
    }
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "This Hub cannot speak git: the program `git` with its `http-backend` is not installed where it runs. Files \
         can be uploaded and downloaded all the same",
    )
}

/// What git said, after it has ended.
fn message(errors: &File) -> String {
    let mut text = vec![0; LONGEST_MESSAGE];
    let length = errors.read_at(&mut text, 0).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).trim().to_owned()
}

/// The head of git's answer, and what of the body came with it; nothing if there is none.
async fn head(received: &mut Received) -> Option<(Vec<u8>, Bytes)> {
    let mut text: Vec<u8> = Vec::new();
    loop {
        text.extend_from_slice(&received.recv().await?.ok()?);
        let end = text.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = text.split_off(end + 4);
            return Some((text, rest.into()));
        }
        if text.len() > LONGEST_HEAD {
            return None;
        }
    }
}
