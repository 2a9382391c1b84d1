//! [`Hub`]: a Hub with its own threads, held by a program that knows nothing of async.
//!
//! After a `fork` the child has a copy of this handle, but none of the threads behind it. Every method looks first at
//! the process id, before any lock that a thread of the parent may have held at that moment, and the copy is leaked
//! when dropped: taking the runtime apart in the child would hang, and removing the folder would pull it from under
//! the parent.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::Door;
use super::clock::Clock;
use super::data_folder::DataFolder;
use super::error::HubError;
use super::journal::{Journal, LogLevel};
use super::options::HubOptions;
use super::secret::Secret;
use super::server::{Doorway, Stop};
use super::state::HubState;
use super::tls::Certificate;
use super::{app, blocking, listen, server};

const THREADS: usize = 2;
/// How long the threads may take to end after the connections did.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the files of a certificate are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(10);

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

/// All of a running Hub but its folder, which is there before and after.
#[derive(Debug)]
struct Parts {
    threads: Threads,
    state: Arc<HubState>,
    servers: Vec<JoinHandle<()>>,
    /// The socket for the owner, which goes on answering until the others have ended.
    owners: Option<(JoinHandle<()>, watch::Sender<Stop>)>,
}

/// What a start comes to, beside the parts.
struct Started {
    endpoint: String,
    local: Option<String>,
    admin_key: Secret,
    certificate: Option<Arc<Certificate>>,
    stop: watch::Sender<Stop>,
    parts: Parts,
}

fn start_in(options: &HubOptions, folder: &DataFolder) -> Result<Started, HubError> {
    let certificate = options.tls.as_ref().map(Certificate::load).transpose()?;
    let tls = certificate.as_ref().map(Certificate::server).transpose()?;
    let admin_key = folder.admin_key()?;
    let journal = Journal::new(
        options.log_format,
        options.log_level,
        Clock::system(),
        std::io::stderr(),
    )
    .map_err(HubError::Runtime)?;
    let threads = Threads::start()?;
    let (path, key, wanted) = (folder.path().to_owned(), admin_key.clone(), options.clone());
    let (listeners, owners, endpoint, local, state) = threads.wait(async move {
        let (listeners, bound) = listen::bind(&wanted).await?;
        let owners = listen::bind_local(&wanted).await?;
        let (owners, local) = owners.unzip();
        let endpoint = wanted.endpoint(bound);
        let limit = wanted.whoami_limit;
        let mut state = HubState::open(&path, &endpoint, &key, limit, Clock::system()).await?;
        if let Some(search_path) = wanted.search_path {
            state = state.with_search_path(search_path);
        }
        let state = state
            .for_the_public(local.as_deref(), wanted.behind_proxy)
            .with_journal(journal)
            .with_audit_days(wanted.audit_days)
            .with_lfs(wanted.lfs)
            .with_inference(&wanted.inference)?;
        Ok::<_, HubError>((listeners, owners, endpoint, local, Arc::new(state)))
    })??;
    folder.announce(&endpoint, local.as_deref())?;
    let (stop, stopping) = watch::channel(Stop::No);
    let serve = |listener, door, tls, stopping| {
        let doorway = Doorway {
            listener,
            door,
            tls,
            limits: options.limits,
            grace: Duration::from_secs(options.grace_seconds.into()),
        };
        let app = app(Arc::clone(&state));
        threads.spawn(server::serve(doorway, app, Arc::clone(&state), stopping))
    };
    let door = if options.is_public() {
        Door::Public
    } else {
        Door::Only
    };
    let servers = listeners
        .into_iter()
        .map(|listener| serve(listener, door, tls.clone(), stopping.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let owners = owners
        .map(|listener| {
            let (stop, stopping) = watch::channel(Stop::No);
            Ok((serve(listener, Door::Local, None, stopping)?, stop))
        })
        .transpose()?;
    if let Some(certificate) = &certificate {
        threads.spawn(look_after(Arc::clone(certificate), Arc::clone(&state)))?;
    }
    state.journal.write(
        LogLevel::Info,
        "started",
        &[
            ("endpoint", endpoint.as_str().into()),
            ("local", local.as_deref().into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ],
    );
    Ok(Started {
        endpoint,
        local,
        admin_key,
        certificate,
        stop,
        parts: Parts {
            threads,
            state,
            servers,
            owners,
        },
    })
}

/// Takes a renewed certificate into use, for as long as the threads run.
async fn look_after(certificate: Arc<Certificate>, state: Arc<HubState>) {
    loop {
        tokio::time::sleep(CERTIFICATE_LOOK).await;
        match certificate.reload_if_changed() {
            Ok(false) => (),
            Ok(true) => state
                .journal
                .write(LogLevel::Info, "the certificate was renewed", &[]),
            Err(error) => state.journal.write(
                LogLevel::Warn,
                "the new certificate is not used",
                &[("cause", error.to_string().into())],
            ),
        }
    }
}

/// The Hub's own threads. They are ended by one more, since a runtime that is dropped on a thread of another runtime
/// panics, and a program may well hold a Hub in async code.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self, HubError> {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(blocking::THREADS)
            .thread_name("hubtoken-hub")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(HubError::Runtime)
    }

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>, HubError> {
        self.0
            .as_ref()
            .map(|runtime| runtime.spawn(future))
            .ok_or(HubError::Stopped)
    }

    /// Runs a future on these threads and waits for it. Not `block_on`, which panics when the caller happens to be on
    /// a thread of some other runtime.
    fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, HubError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.spawn(async move {
            let _ = sender.send(future.await);
        })?;
        // The sender is dropped unsent only when the runtime is shut down.
        receiver.recv().map_err(|_| HubError::Stopped)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            let ending = std::thread::spawn(move || runtime.shutdown_timeout(PATIENCE));
            let _ = ending.join();
        }
    }
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
