//! Everything that the routes share.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use super::address::Addresses;
use super::blocking::{Places, UPLOADS, blocking};
use super::clock::Clock;
use super::error::HubError;
use super::git::service::Git;
use super::inference::options::InferenceOptions;
use super::inference::service::Inference;
use super::journal::Journal;
use super::lfs::service::Lfs;
use super::metrics::Metrics;
use super::pages::desk::{Desk, SignInPolicy};
use super::password;
use super::rate_limit::{RateLimit, RateLimiter};
use super::registry::sqlite::{self, Sqlite};
use super::registry::{Actor, NewUser, Origin, Principal, Registry, TokenInfo, User};
use super::repository::Store;
use super::repository::lfs::Objects;
use super::request_id::RequestIds;
use super::request_log::RequestLog;
use super::secret::{Digest, Secret};
use hubtoken_core::env::{self, Environment as _, ProcessEnvironment};

/// How exactly `last_used_at` is kept: one write a minute and token, at most.
const LAST_USED_STEP: time::Duration = time::Duration::minutes(1);

/// What the routes of one Hub share. Made by [`HubState::open`], served by [`app`](super::app).
#[derive(Debug)]
pub struct HubState {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) endpoint: String,
    pub(crate) whoami_limiter: Option<RateLimiter>,
    pub(crate) inference: Inference,
    pub(crate) requests: RequestLog,
    pub(crate) admin_key: Digest,
    pub(crate) desk: Desk,
    pub(crate) addresses: Addresses,
    pub(crate) behind_proxy: bool,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    pub(crate) request_ids: RequestIds,
    pub(crate) git: Git,
    pub(crate) lfs: Lfs,
    /// Commits that are being received.
    pub(crate) commits: Places,
    pub(crate) started: OffsetDateTime,
    stopping: AtomicBool,
    pub(super) folder: PathBuf,
    last_used: Mutex<HashMap<String, OffsetDateTime>>,
}

impl HubState {
    /// Opens registry and repositories in a folder, and makes them agree if the last Hub there crashed.
    ///
    /// # Errors
    /// The [`HubError`] that says what is wrong with the folder or the database.
    pub async fn open(
        folder: &Path,
        endpoint: &str,
        admin_key: &Secret,
        whoami_limit: Option<RateLimit>,
        clock: Clock,
    ) -> Result<Self, HubError> {
        let registry: Arc<dyn Registry> = Arc::new(Sqlite::open(&folder.join(sqlite::FILE)).await?);
        let repositories = folder.join("repositories");
        let registered = registry.repositories().await?;
        let store = Arc::new(Store::new(repositories.clone(), Objects::new(folder)));
        let reconciling = Arc::clone(&store);
        let data = folder.to_owned();
        let search_path = ProcessEnvironment.get(env::PATH).unwrap_or_default();
        let git = blocking(move || {
            let git =
                Git::open(&data, search_path).map_err(|error| HubError::folder(&data, error))?;
            reconciling
                .reconcile(&registered)
                .map_err(|error| HubError::folder(&repositories, error))?;
            Ok::<_, HubError>(git)
        })
        .await??;
        Ok(Self {
            registry,
            store,
            addresses: Addresses::new(endpoint, None),
            behind_proxy: false,
            journal: Journal::silent(),
            metrics: Metrics::default(),
            request_ids: RequestIds::new(),
            git,
            lfs: Lfs::new(folder),
            commits: Places::new(UPLOADS, "Too many uploads are under way"),
            started: clock.now(),
            stopping: AtomicBool::default(),
            folder: folder.to_owned(),
            clock,
            endpoint: endpoint.to_owned(),
            whoami_limiter: whoami_limit.map(|limit| RateLimiter::new("whoami", limit)),
            inference: Inference::new(&InferenceOptions::default())?,
            requests: RequestLog::default(),
            admin_key: admin_key.digest(),
            desk: Desk::new(SignInPolicy::default()),
            last_used: Mutex::default(),
        })
    }

    /// The same Hub with other rules for signing in at its pages.
    #[must_use]
    pub fn with_sign_in_policy(self, policy: SignInPolicy) -> Self {
        Self {
            desk: Desk::new(policy),
            ..self
        }
    }

    /// The same Hub with servers behind its inference API.
    ///
    /// # Errors
    /// [`HubError::InvalidOption`], which says what is wrong with them.
    pub fn with_inference(self, options: &InferenceOptions) -> Result<Self, HubError> {
        Ok(Self {
            inference: Inference::new(options)?,
            ..self
        })
    }

    /// Looks for `git` here, in place of this process's own `PATH`.
    #[must_use]
    pub fn with_search_path(self, search_path: OsString) -> Self {
        Self {
            git: self.git.with_search_path(search_path),
            ..self
        }
    }

    /// Whether uploads by API send large files to LFS.
    #[must_use]
    pub fn with_lfs(mut self, lfs: bool) -> Self {
        self.lfs.preferred = lfs;
        self
    }

    /// Keeps entries of the audit log for this many days, in place of a year.
    #[must_use]
    pub fn with_audit_days(self, days: u32) -> Self {
        self.registry.keep_audit(days);
        self
    }

    /// The tokens of a user, with their use as it is now.
    pub(crate) async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        self.inference.usage.write(&*self.registry).await?;
        self.registry.list_tokens(user).await
    }

    /// What the program does in which the Hub is embedded.
    pub(crate) fn program(&self) -> Origin {
        Origin {
            actor: Actor::Program,
            address: None,
            at: self.clock.now(),
        }
    }

    /// Serves its owner elsewhere than everybody, and believes a proxy.
    pub(crate) fn for_the_public(mut self, local: Option<&str>, behind_proxy: bool) -> Self {
        self.addresses = Addresses::new(&self.endpoint, local);
        self.behind_proxy = behind_proxy;
        self
    }

    /// Keeps a log.
    pub(crate) fn with_journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Says that it is about to end; whoever sends requests should look for another one.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Room on the disk of the data folder, in bytes, where the system tells.
    pub(crate) fn disk_free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Writes everything back and closes the database.
    pub async fn close(&self) {
        // What cannot be written at the end is lost, as in a crash: these are figures, and nobody is left to ask.
        let _ = self.inference.usage.write(&*self.registry).await;
        self.registry.close().await;
    }

    pub(crate) async fn create_user(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Option<Secret>,
        origin: &Origin,
    ) -> Result<User, HubError> {
        let password_hash = match password {
            Some(password) => Some(password::hash(password).await?),
            None => None,
        };
        let new = NewUser {
            name: name.to_owned(),
            fullname: fullname.to_owned(),
            email: email.map(ToOwned::to_owned),
            password_hash,
        };
        self.registry.create_user(new, origin).await
    }

    /// Gives a user a new password, which ends all their sessions at the pages.
    pub(crate) async fn set_password(
        &self,
        name: &str,
        password: Secret,
        origin: &Origin,
    ) -> Result<(), HubError> {
        password::check(&password, name)?;
        let user = self.registry.user(name).await?;
        let hash = password::hash(password).await?;
        self.registry.set_password(&user, &hash, origin).await
    }

    /// Makes a user the first administrator, with a password that will not be guessed.
    pub(crate) async fn create_first_administrator(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Secret,
        origin: &Origin,
    ) -> Result<User, HubError> {
        password::check(&password, name)?;
        let new = NewUser {
            name: name.to_owned(),
            fullname: fullname.to_owned(),
            email: email.map(ToOwned::to_owned),
            password_hash: Some(password::hash(password).await?),
        };
        self.registry.create_first_administrator(new, origin).await
    }

    /// Notes that a token was used, without making the request wait for it.
    pub(crate) fn note_use(self: &Arc<Self>, principal: &Principal, now: OffsetDateTime) {
        // Whoever asks often is known by the principal alone, without the lock that all share.
        let seconds = now.unix_timestamp();
        let step = LAST_USED_STEP.whole_seconds();
        if seconds.saturating_sub(principal.noted.load(Ordering::Relaxed)) < step {
            return;
        }
        principal.noted.store(seconds, Ordering::Relaxed);
        let id = &principal.token.id;
        let is_recent = |last: OffsetDateTime| now - last < LAST_USED_STEP;
        {
            let mut last_used = self
                .last_used
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if last_used.get(id).copied().is_some_and(is_recent) {
                return;
            }
            last_used.retain(|_, last| is_recent(*last));
            last_used.insert(id.clone(), now);
        }
        let (state, id) = (Arc::clone(self), id.clone());
        tokio::spawn(async move {
            // Nobody is waiting, and the next use tries again: a failure here is no one's error.
            let _ = state.registry.touch_token(&id, now).await;
        });
    }
}
