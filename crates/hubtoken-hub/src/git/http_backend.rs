//! Runs `git http-backend` for a request and streams its response (CGI, RFC 3875).
//!
//! Three things happen at once: the body is sent to git (`write_body`), git's output is read, and git's
//! hook may send a request (both `stdout`). The response begins only after the whole body has been
//! received, since some clients do not read while they send. Each of the three has a time-out: for
//! the client (see `server::stall_timeout`) and for git.

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

use super::command;
use super::hook_channel::{self, HookChannel, Push};
use super::inflate::Inflater;
use super::process_group::ProcessGroup;
use super::stdin::write_body;
use super::stdout::{OutputRelay, ProcessState, PushAuthorizer};
use crate::auth::authentication::Caller;
use crate::extract::body::drain;
use crate::extract::repository::RepositoryRef;
use crate::monitoring::metrics::InFlightGuard;
use crate::registry::Repository;
use crate::response::{ApiError, ApiResult, header_text};
use crate::state::HubState;
use crate::stream_body::{BodyReceiver, body, channel};

/// The maximum body of a clone or fetch request, which git holds in memory.
const MAX_REQUEST_BYTES: usize = 10 << 20;
/// The maximum inflated length of a compressed push. Git sends pushes uncompressed, because a pack
/// is already compressed.
const MAX_INFLATED_PUSH_BYTES: usize = 64 << 20;
/// Pushes up to this size are stored as loose objects, because a pack for each would slow down
/// every lookup. A larger push stays a pack, which can be sent on as is.
const SMALL_PUSH_BYTES: u64 = 1 << 20;
const KEEP_PACK: [&str; 2] = ["-c", "receive.unpackLimit=1"];
/// The maximum length of the header in git's output.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// How much of git's error output is logged.
const MAX_MESSAGE_BYTES: usize = 1000;

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
pub(super) struct GitRequest {
    pub state: Arc<HubState>,
    pub caller: Caller,
    pub target: RepositoryRef,
    pub repository: Repository,
    pub service: Service,
    pub headers: HeaderMap,
}

/// A running git process.
struct BackendProcess {
    receiver: BodyReceiver,
    stdin: Option<ChildStdin>,
    process_state: Arc<ProcessState>,
    errors: File,
}

impl GitRequest {
    /// Responds with the references (`info/refs`).
    pub(super) async fn advertise(&self) -> ApiResult {
        let process = self.spawn("GET", None).await?;
        process
            .process_state
            .input_done
            .store(true, Ordering::Relaxed);
        self.respond(process).await
    }

    /// Responds to a fetch or a push.
    pub(super) async fn serve(&self, body: Body) -> ApiResult {
        let limit = match self.service {
            Service::UploadPack => MAX_REQUEST_BYTES,
            Service::ReceivePack => MAX_INFLATED_PUSH_BYTES,
        };
        let started =
            match Inflater::from_headers(&self.headers, limit, self.service == Service::UploadPack)
            {
                Ok(inflater) => {
                    let is_small = body
                        .size_hint()
                        .exact()
                        .is_some_and(|length| length <= SMALL_PUSH_BYTES);
                    self.spawn_for_body(is_small)
                        .await
                        .map(|process| (process, inflater))
                }
                Err(error) => Err(error),
            };
        let (mut process, inflater) = match started {
            Ok(started) => started,
            Err(error) => {
                drain(body).await;
                return Err(error);
            }
        };
        let _receiving = (self.service == Service::ReceivePack)
            .then(|| InFlightGuard::new(&self.state.telemetry.metrics.uploads));
        let stdin = process.stdin.take();
        write_body(body, inflater, stdin, limit).await?;
        process
            .process_state
            .input_done
            .store(true, Ordering::Relaxed);
        self.respond(process).await
    }

    async fn spawn_for_body(&self, is_small: bool) -> Result<BackendProcess, ApiError> {
        if self.service == Service::UploadPack {
            return self.spawn("POST", None).await;
        }
        let prepared = self
            .state
            .services
            .git
            .pushes()
            .and_then(|pushes| Push::create(&pushes, is_small))
            .map_err(|error| self.failed(&error.to_string()))?;
        self.spawn("POST", Some(prepared)).await
    }

    async fn spawn(
        &self,
        method: &str,
        push: Option<(Push, HookChannel)>,
    ) -> Result<BackendProcess, ApiError> {
        let git = find_git(&self.state)?;
        let permit = self.state.services.git.process_limit.acquire().await?;
        let failed = |error: io::Error| self.failed(&error.to_string());
        let hooks = match self.service {
            Service::ReceivePack => Some(self.state.services.git.hooks().map_err(failed)?),
            Service::UploadPack => None,
        };
        let mut command = command::build(
            &git,
            self.state.services.git.search_path(),
            hooks.as_deref(),
        );
        if push.as_ref().is_some_and(|(push, _)| !push.is_small()) {
            command.args(KEEP_PACK);
        }
        self.set_cgi_environment(&mut command, method)
            .map_err(failed)?;
        let errors = match &push {
            Some((push, _)) => {
                command.env(
                    hook_channel::REQUEST_PIPE,
                    push.path(hook_channel::REQUEST_PIPE),
                );
                command.env(
                    hook_channel::RESPONSE_PIPE,
                    push.path(hook_channel::RESPONSE_PIPE),
                );
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
        let mut process = ProcessGroup::spawn(&mut command, permit).map_err(failed)?;
        // Closes the command's copy of the file.
        drop(command);
        let stdin = process.stdin();
        let stdout = process
            .stdout()
            .ok_or_else(|| self.failed("git's output is not connected"))?;
        let (sender, receiver) = channel();
        let process_state = Arc::new(ProcessState::default());
        let relay = OutputRelay {
            process,
            stdout,
            sender,
            process_state: Arc::clone(&process_state),
        };
        match push {
            None => drop(tokio::spawn(relay.run(None))),
            Some((push, hook)) => {
                let authorizer = PushAuthorizer {
                    state: Arc::clone(&self.state),
                    headers: self.headers.clone(),
                    target: self.target.clone(),
                    repository: self.repository.clone(),
                };
                drop(tokio::spawn(relay.run_push(push, hook, authorizer)));
            }
        }
        Ok(BackendProcess {
            receiver,
            stdin,
            process_state,
            errors,
        })
    }

    /// Sets the CGI variables.
    fn set_cgi_environment(&self, command: &mut Command, method: &str) -> io::Result<()> {
        let folder = self
            .state
            .store
            .folder(self.repository.kind, &self.repository.id);
        let folder = folder.canonicalize()?;
        let parent = folder.parent().unwrap_or(&folder);
        let service_path = match method {
            "GET" => "info/refs",
            _ => self.service.name(),
        };
        command
            .current_dir(&folder)
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", parent)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_HTTP_MAX_REQUEST_BUFFER", MAX_REQUEST_BYTES.to_string())
            .env(
                "PATH_INFO",
                format!("/{}.git/{service_path}", self.repository.id),
            )
            .env("REQUEST_METHOD", method)
            .env(
                "CONTENT_TYPE",
                format!("application/x-{}-request", self.service.name()),
            );
        if method == "GET" {
            command.env("QUERY_STRING", format!("service={}", self.service.name()));
        }
        if let Some(principal) = self.caller.principal() {
            command.env("REMOTE_USER", principal.owner.name());
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
    async fn respond(&self, mut process: BackendProcess) -> ApiResult {
        let Some((head, mut rest)) = head(&mut process.receiver).await else {
            return Err(self.failed(&message(&process.errors)));
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
                .ok_or_else(|| self.failed(&message(&process.errors)))?;
            return Err(not_taken(status));
        }
        if rest.is_empty() {
            // git produces no body for a request that it cannot parse.
            match process.receiver.recv().await {
                Some(Ok(chunk)) => rest = chunk,
                None if !process.process_state.failed.load(Ordering::Acquire) => (),
                None => return Err(not_taken(StatusCode::BAD_REQUEST)),
                Some(Err(_)) => return Err(self.failed(&message(&process.errors))),
            }
        }
        let mut response = Response::new(body(rest, process.receiver));
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
            return not_installed(&self.state);
        }
        self.state.telemetry.log.record(|| {
            tracing::error!(
                service = self.service.name(),
                repository = self.repository.id.as_str(),
                cause,
                "git failed"
            );
        });
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "git failed on the server; see the Hub's log",
        )
    }
}

/// The path of git, or the error response if it is not installed, which is logged only once.
fn find_git(state: &HubState) -> Result<PathBuf, ApiError> {
    command::find_git(state.services.git.search_path()).ok_or_else(|| not_installed(state))
}

fn not_installed(state: &HubState) -> ApiError {
    if !state
        .services
        .git
        .missing_git_logged
        .swap(true, Ordering::Relaxed)
    {
        state.telemetry.log.record(|| {
            tracing::warn!(
                "git is not installed, or lacks http-backend: nothing can be cloned, fetched or \
                 pushed"
            );
        });
    }
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "This Hub does not support git: the program `git`, including its `http-backend`, is not \
         installed on its machine. Files can still be uploaded and downloaded",
    )
}

/// Git's error output, after it has exited.
fn message(errors: &File) -> String {
    let mut text = vec![0; MAX_MESSAGE_BYTES];
    let length = errors.read_at(&mut text, 0).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).trim().to_owned()
}

/// The header of git's response, and the part of the body received with it. `None` if there is no
/// header.
async fn head(receiver: &mut BodyReceiver) -> Option<(Vec<u8>, Bytes)> {
    let mut text: Vec<u8> = Vec::new();
    loop {
        text.extend_from_slice(&receiver.recv().await?.ok()?);
        let end = text.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = text.split_off(end + 4);
            return Some((text, rest.into()));
        }
        if text.len() > MAX_HEAD_BYTES {
            return None;
        }
    }
}
