//! [`Hub`]: a Hub that runs on its own threads, for programs that do not use async.
//!
//! After a `fork`, the child has a copy of this handle but none of the threads behind it. Every
//! method checks the process id first, before taking any lock that one of the parent's threads may
//! have held at the time of the fork. The copy is leaked when dropped: shutting down the runtime in
//! the child would hang, and removing the folder would take it away from the parent.

mod commands;
mod maintenance;
mod runtime;
mod start;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use self::start::{Parts, Started, start_in};
use super::data_folder::DataFolder;
use super::error::HubError;
use super::options::HubOptions;
use super::secret::Secret;
use super::server::Shutdown;
use super::server::tls::Certificate;
use super::state::HubState;
use hubtoken_core::sync::lock_ignoring_poison;

/// A running Hub. It stops when dropped.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    local: Option<String>,
    data: PathBuf,
    admin_key: Secret,
    started_by: u32,
    certificate: Option<Arc<Certificate>>,
    shutdown: watch::Sender<Shutdown>,
    /// `None` once stopped. Taken as a whole, so that one caller of `stop` owns all of it.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    parts: Parts,
    folder: DataFolder,
}

impl Hub {
    /// Starts a Hub and returns once it accepts requests.
    ///
    /// # Errors
    /// The [`HubError`] that says why it cannot start; in that case nothing is left running.
    pub fn start(options: &HubOptions) -> Result<Self, HubError> {
        options.check()?;
        let folder = DataFolder::open(options.data.as_deref())?;
        let started = match start_in(options, &folder) {
            Ok(started) => started,
            Err(error) => {
                folder.close();
                return Err(error);
            }
        };
        let Started {
            endpoint,
            local,
            admin_key,
            certificate,
            shutdown,
            parts,
        } = started;
        Ok(Self {
            endpoint,
            local,
            data: folder.path().to_owned(),
            admin_key,
            started_by: std::process::id(),
            certificate,
            shutdown,
            running: Mutex::new(Some(Running { parts, folder })),
        })
    }

    /// The endpoint for clients, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The endpoint for administration and metrics: the endpoint itself, or for a public Hub the
    /// loopback address of its admin listener.
    #[must_use]
    pub fn local_endpoint(&self) -> &str {
        self.local.as_deref().unwrap_or(&self.endpoint)
    }

    /// Reloads the certificate files. Does nothing without TLS.
    ///
    /// # Errors
    /// [`HubError::Certificate`]; in that case the old certificate stays in use.
    pub fn reload_certificate(&self) -> Result<(), HubError> {
        let Some(certificate) = &self.certificate else {
            return Ok(());
        };
        let read = certificate.reload();
        self.with_running(|running| {
            let log = &running.parts.state.telemetry.log;
            match &read {
                Ok(()) => log.record(|| tracing::info!("the certificate was reloaded")),
                Err(error) => {
                    log.record(
                        || tracing::warn!(cause = %error, "the new certificate is not used"),
                    );
                }
            }
        })?;
        read
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The key of the administration API.
    #[must_use]
    pub fn admin_key(&self) -> &Secret {
        &self.admin_key
    }

    /// The number of requests received so far, for exactly this path or in total.
    ///
    /// # Errors
    /// [`HubError::Stopped`], or [`HubError::OtherProcess`] in a forked child.
    pub fn request_count(&self, path: Option<&str>) -> Result<u64, HubError> {
        self.with_running(|running| running.parts.state.telemetry.request_counter.count(path))
    }

    /// Ends the grace period of a [`Hub::stop`], whether in progress or still to come: open
    /// requests are aborted.
    pub fn stop_now(&self) {
        if self.started_by == std::process::id() {
            self.shutdown.send_replace(Shutdown::Immediate);
        }
    }

    /// Stops the Hub. Requests in progress may finish, and a temporary folder is removed. Does
    /// nothing when called again, or in a process forked from the one that started the Hub.
    pub fn stop(&self) {
        if self.started_by != std::process::id() {
            return;
        }
        let running = lock_ignoring_poison(&self.running).take();
        let Some(Running { parts, folder }) = running else {
            return;
        };
        let Parts {
            runtime,
            state,
            servers,
            admin_server,
        } = parts;
        state.begin_shutdown();
        state.telemetry.log.record(|| tracing::info!("stopping"));
        // Keep the stronger signal if `stop_now` was called.
        self.shutdown
            .send_modify(|shutdown| *shutdown = (*shutdown).max(Shutdown::Graceful));
        let _ = runtime.block_on(async move {
            for server in servers {
                let _ = server.await;
            }
            if let Some((server, shutdown)) = admin_server {
                shutdown.send_replace(Shutdown::Graceful);
                let _ = server.await;
            }
            state.close().await;
            state.telemetry.log.record(|| tracing::info!("stopped"));
        });
        drop(runtime);
        folder.close();
    }

    /// Runs an operation on the Hub's own threads and waits for it.
    fn block_on<T, F>(&self, command: impl FnOnce(Arc<HubState>) -> F) -> Result<T, HubError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HubError>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.with_running(|running| {
            let command = command(Arc::clone(&running.parts.state));
            running.parts.runtime.spawn(async move {
                let _ = sender.send(command.await);
            })
        })??;
        receiver.recv().map_err(|_| HubError::Stopped)?
    }

    fn with_running<T>(&self, read: impl FnOnce(&Running) -> T) -> Result<T, HubError> {
        if self.started_by != std::process::id() {
            return Err(HubError::OtherProcess {
                started_by: self.started_by,
            });
        }
        let running = lock_ignoring_poison(&self.running);
        running.as_ref().map(read).ok_or(HubError::Stopped)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if self.started_by == std::process::id() {
            self.stop();
        } else {
            // A thread of the parent may have held this lock at the fork, in which case it is never
            // released. What cannot be taken out is replaced without being read.
            std::mem::forget(std::mem::take(&mut self.running));
        }
    }
}
