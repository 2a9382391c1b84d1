//! Runs `git http-backend` for a request and streams its response (CGI, RFC 3875).
//!
//! Three things happen at once: the body is sent to git (`feed`), git's output is read, and git's
//! hook may send a request (both `relay`). The response begins only after the whole body has been
//! received, since some clients do not read while they send. Each of the three has a time-out: for
//! the client (see `patience`) and for git.

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

/// The maximum body of a clone or fetch request, which git holds in memory.
const LONGEST_REQUEST: usize = 10 << 20;
/// The maximum inflated length of a compressed push. Git sends pushes uncompressed, because a pack
/// is already compressed.
const LONGEST_INFLATED_PUSH: usize = 64 << 20;
/// Pushes up to this size are stored as loose objects, because a pack for each would slow down
/// every lookup. A larger push stays a pack, which can be sent on as is.
const SMALL_PUSH: u64 = 1 << 20;
const KEEP_PACK: [&str; 2] = ["-c", "receive.unpackLimit=1"];
/// The maximum length of the header in git's output.
const LONGEST_HEAD: usize = 16 << 10;
/// How much of git's error output is logged.
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

/// An authorized request.
pub(super) struct Call {
    pub state: Arc<HubState>,
    pub caller: Caller,
    pub address: Address,
    pub repository: Repository,
    pub service: Service,
    pub headers: HeaderMap,
}

/// A running git process.
struct Run {
    received: Received,
    stdin: Option<ChildStdin>,
    progress: Arc<Progress>,
    errors: File,
}

impl Call {
    /// Responds with the references (`info/refs`).
    pub(super) async fn advertise(&self) -> Answer {
        let run = self.start("GET", None).await?;
        run.progress.fed.store(true, Ordering::Relaxed);
        self.answer(run).await
    }

    /// Responds to a fetch or a push.
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
        // Closes the command's copy of the file.
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

    /// Sets the CGI variables.
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

    /// Parses the header of git's response, and streams the rest.
    async fn answer(&self, mut run: Run) -> Answer {
        let Some((head, mut rest)) = head(&mut run.received).await else {
            return Err(self.failed(&message(&run.errors)));
        };
        let not_taken = |status| ApiError::new(status, "git does not accept this request");
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
            // git produces no body for a request that it cannot parse.
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

    /// Logs git's error. The client's response says only that the server failed.
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
            "git failed on the server; see the Hub's log",
        )
    }
}

/// The path of git, or the error response if it is not installed, which is logged only once.
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
        "This Hub does not support git: the program `git`, including its `http-backend`, is not \
         installed on its machine. Files can still be uploaded and downloaded",
    )
}

/// Git's error output, after it has exited.
fn message(errors: &File) -> String {
    let mut text = vec![0; LONGEST_MESSAGE];
    let length = errors.read_at(&mut text, 0).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).trim().to_owned()
}

/// The header of git's response, and the part of the body received with it. `None` if there is no
/// header.
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
