//! [`Hub`]: a Hub with its own threads, held by a program that knows nothing of async.
//!
//! After a `fork` the child has a copy of this handle, but none of the threads behind it. Every method looks first at
//! the process id, before any lock that a thread of the parent may have held at that moment, and the copy is leaked
//! when dropped: taking the runtime apart in the child would hang, and removing the folder would pull it from under
//! the parent.

mod start;
mod threads;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use self::start::{Parts, Started, start_in};
use super::data_folder::DataFolder;
use super::error::HubError;
use super::journal::LogLevel;
use super::options::HubOptions;
use super::secret::Secret;
use super::server::Stop;
use super::state::HubState;
use super::tls::Certificate;

/// A running Hub. Stops when dropped.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    local: Option<String>,
    data: PathBuf,
    admin_key: Secret,
    started_by: u32,
    certificate: Option<Arc<Certificate>>,
    stop: watch::Sender<Stop>,
    /// `None` once stopped; taken whole, so that whoever stops it has all of it.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    parts: Parts,
    folder: DataFolder,
}

impl Hub {
    /// Starts a Hub and returns once it answers.
    ///
    /// # Errors
    /// The [`HubError`] that says why it cannot start; nothing is left running then.
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
            stop,
            parts,
        } = started;
        Ok(Self {
            endpoint,
            local,
            data: folder.path().to_owned(),
            admin_key,
            started_by: std::process::id(),
            certificate,
            stop,
            running: Mutex::new(Some(Running { parts, folder })),
        })
    }

    /// Where clients find it, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where its owner finds administration and metrics: the endpoint itself, or for a public Hub an address on
    /// loopback.
    #[must_use]
    pub fn local_endpoint(&self) -> &str {
        self.local.as_deref().unwrap_or(&self.endpoint)
    }

    /// Reads the certificate's files again. Without TLS there is nothing to read.
    ///
    /// # Errors
    /// [`HubError::Certificate`]; the old certificate stays in use then.
    pub fn reload_certificate(&self) -> Result<(), HubError> {
        let Some(certificate) = &self.certificate else {
            return Ok(());
        };
        let read = certificate.reload();
        self.with_running(|running| {
            let journal = &running.parts.state.journal;
            match &read {
                Ok(()) => journal.write(LogLevel::Info, "the certificate was read again", &[]),
                Err(error) => journal.write(
                    LogLevel::Warn,
                    "the new certificate is not used",
                    &[("cause", error.to_string().into())],
                ),
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

    /// Requests received so far: of exactly this path, or all.
    ///
    /// # Errors
    /// [`HubError::Stopped`] and [`HubError::OtherProcess`].
    pub fn request_count(&self, path: Option<&str>) -> Result<u64, HubError> {
        self.with_running(|running| running.parts.state.requests.count(path))
    }

    /// Ends the wait of a [`Hub::stop`] that is under way, or to come: requests are cut off.
    pub fn hurry(&self) {
        if self.started_by == std::process::id() {
            self.stop.send_replace(Stop::Now);
        }
    }

    /// Stops it: requests under way may finish, a temporary folder is removed. Does nothing the second time, or in a
    /// process forked from the one that started it.
    pub fn stop(&self) {
        if self.started_by != std::process::id() {
            return;
        }
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Running { parts, folder }) = running else {
            return;
        };
        let Parts {
            threads,
            state,
            servers,
            owners,
        } = parts;
        state.begin_to_stop();
        state.journal.write(LogLevel::Info, "stopping", &[]);
        // Not below what `hurry` has said.
        self.stop
            .send_modify(|stop| *stop = (*stop).max(Stop::Gently));
        let _ = threads.wait(async move {
            for server in servers {
                let _ = server.await;
            }
            if let Some((server, stop)) = owners {
                stop.send_replace(Stop::Gently);
                let _ = server.await;
            }
            state.close().await;
            state.journal.write(LogLevel::Info, "stopped", &[]);
        });
        drop(threads);
        folder.close();
    }

    /// Runs a deed on the Hub's own threads and waits for it.
    pub(super) fn run<T, F>(&self, deed: impl FnOnce(Arc<HubState>) -> F) -> Result<T, HubError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HubError>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.with_running(|running| {
            let deed = deed(Arc::clone(&running.parts.state));
            running.parts.threads.spawn(async move {
                let _ = sender.send(deed.await);
            })
        })??;
        receiver.recv().map_err(|_| HubError::Stopped)?
    }

    fn with_running<T>(&self, look: impl FnOnce(&Running) -> T) -> Result<T, HubError> {
        if self.started_by != std::process::id() {
            return Err(HubError::OtherProcess {
                started_by: self.started_by,
            });
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(look).ok_or(HubError::Stopped)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if self.started_by == std::process::id() {
            self.stop();
        } else {
            // A thread of the parent may have held this lock at the fork, in which case nobody will ever release it;
            // what cannot be taken out is replaced unseen.
            std::mem::forget(std::mem::take(&mut self.running));
        }
    }
}
