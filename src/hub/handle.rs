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

use super::clock::Clock;
use super::data_folder::DataFolder;
use super::error::HubError;
use super::options::HubOptions;
use super::secret::Secret;
use super::state::HubState;
use super::{app, server};

const THREADS: usize = 2;
/// Git work and password hashing at once.
const BLOCKING_THREADS: usize = 16;
/// How long the threads may take to end after the connections did.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running Hub. Stops when dropped.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    data: PathBuf,
    admin_key: Secret,
    started_by: u32,
    /// `None` once stopped; taken whole, so that whoever stops it has all of it.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    state: Arc<HubState>,
    server: JoinHandle<()>,
    stop: watch::Sender<bool>,
    folder: DataFolder,
}

impl Hub {
    /// Starts a Hub and returns once it answers.
    ///
    /// # Errors
    /// The [`HubError`] that says why it cannot start; nothing is left running then.
    pub fn start(options: &HubOptions) -> Result<Self, HubError> {
        options.check()?;
        let address = options.address()?;
        let folder = DataFolder::open(options.data.as_deref())?;
        let started = Self::start_in(options, address, &folder);
        match started {
            Ok((runtime, state, server, stop, endpoint, admin_key)) => Ok(Self {
                endpoint,
                data: folder.path().to_owned(),
                admin_key,
                started_by: std::process::id(),
                running: Mutex::new(Some(Running {
                    runtime,
                    state,
                    server,
                    stop,
                    folder,
                })),
            }),
            Err(error) => {
                folder.close();
                Err(error)
            }
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "the parts of a Hub on their way into one"
    )]
    fn start_in(
        options: &HubOptions,
        address: std::net::SocketAddr,
        folder: &DataFolder,
    ) -> Result<
        (
            Runtime,
            Arc<HubState>,
            JoinHandle<()>,
            watch::Sender<bool>,
            String,
            Secret,
        ),
        HubError,
    > {
        let admin_key = folder.admin_key()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("hubtoken-hub")
            .enable_all()
            .build()
            .map_err(HubError::Runtime)?;
        let (path, limit, key) = (
            folder.path().to_owned(),
            options.whoami_limit,
            admin_key.clone(),
        );
        let named = options.clone();
        let (listener, endpoint, state) = wait(&runtime, async move {
            let listener = tokio::net::TcpListener::bind(address)
                .await
                .map_err(|source| {
                    if source.kind() == std::io::ErrorKind::AddrInUse {
                        HubError::PortTaken {
                            host: named.host.clone(),
                            port: address.port(),
                        }
                    } else {
                        HubError::Listen {
                            address: address.to_string(),
                            source,
                        }
                    }
                })?;
            let bound = listener.local_addr().map_err(|source| HubError::Listen {
                address: address.to_string(),
                source,
            })?;
            let endpoint = named.endpoint(bound);
            let state = HubState::open(&path, &endpoint, &key, limit, Clock::system()).await?;
            Ok::<_, HubError>((listener, endpoint, Arc::new(state)))
        })??;
        folder.announce(&endpoint)?;
        let (stop, stopped) = watch::channel(false);
        let server = runtime.spawn(server::serve(listener, app(Arc::clone(&state)), stopped));
        Ok((runtime, state, server, stop, endpoint, admin_key))
    }

    /// Where it listens, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
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
        self.with_running(|running| running.state.requests.count(path))
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
        let Some(Running {
            runtime,
            state,
            server,
            stop,
            folder,
        }) = running
        else {
            return;
        };
        let _ = stop.send(true);
        let _ = wait(&runtime, async move {
            let _ = server.await;
            state.close().await;
        });
        runtime.shutdown_timeout(PATIENCE);
        folder.close();
    }

    /// Runs a deed on the Hub's own threads and waits for it. Not `block_on`, which panics when the caller happens to
    /// be on a thread of some other runtime.
    pub(super) fn run<T, F>(&self, deed: impl FnOnce(Arc<HubState>) -> F) -> Result<T, HubError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HubError>> + Send + 'static,
    {
        let receiver = self.with_running(|running| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let deed = deed(Arc::clone(&running.state));
            running.runtime.spawn(async move {
                let _ = sender.send(deed.await);
            });
            receiver
        })?;
        // The sender is dropped unsent only when the runtime is shut down.
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

/// Runs a future on the runtime's threads and waits for it.
fn wait<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, HubError> {
    let (sender, receiver) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let _ = sender.send(future.await);
    });
    receiver.recv().map_err(|_| HubError::Stopped)
}
