//! The state that all routes share.

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

/// The precision of `last_used_at`: at most one write per minute and token.
const LAST_USED_STEP: time::Duration = time::Duration::minutes(1);

/// The state that the routes of one Hub share. Created by [`HubState::open`], served by
/// [`app`](super::app).
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
    /// Limits the commits being received.
    pub(crate) commits: Places,
    pub(crate) started: OffsetDateTime,
    stopping: AtomicBool,
    pub(super) folder: PathBuf,
    last_used: Mutex<HashMap<String, OffsetDateTime>>,
}

impl HubState {
    /// Opens registry and repositories in a folder, and reconciles them if the last Hub there
    /// crashed.
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
            commits: Places::new(UPLOADS, "Too many uploads are in progress"),
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

    /// The same Hub with a different sign-in policy for its pages.
    #[must_use]
    pub fn with_sign_in_policy(self, policy: SignInPolicy) -> Self {
        Self {
            desk: Desk::new(policy),
            ..self
        }
    }

    /// The same Hub with upstream servers for its inference API.
    ///
    /// # Errors
    /// [`HubError::InvalidOption`], which says what is wrong with the options.
    pub fn with_inference(self, options: &InferenceOptions) -> Result<Self, HubError> {
        Ok(Self {
            inference: Inference::new(options)?,
            ..self
        })
    }

    /// Searches for `git` in these folders instead of this process's `PATH`.
    #[must_use]
    pub fn with_search_path(self, search_path: OsString) -> Self {
        Self {
            git: self.git.with_search_path(search_path),
            ..self
        }
    }

    /// Sets whether uploads through the API send large files to LFS.
    #[must_use]
    pub fn with_lfs(mut self, lfs: bool) -> Self {
        self.lfs.preferred = lfs;
        self
    }

    /// Keeps entries of the audit log for this many days instead of a year.
    #[must_use]
    pub fn with_audit_days(self, days: u32) -> Self {
        self.registry.keep_audit(days);
        self
    }

    /// The tokens of a user, with up-to-date usage counts.
    pub(crate) async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        self.inference.usage.write(&*self.registry).await?;
        self.registry.list_tokens(user).await
    }

    /// The audit-log origin for actions of the embedding program.
    pub(crate) fn program(&self) -> Origin {
        Origin {
            actor: Actor::Program,
            address: None,
            at: self.clock.now(),
        }
    }

    /// Sets the address of the admin listener, and whether a proxy is trusted.
    pub(crate) fn for_the_public(mut self, local: Option<&str>, behind_proxy: bool) -> Self {
        self.addresses = Addresses::new(&self.endpoint, local);
        self.behind_proxy = behind_proxy;
        self
    }

    /// Sets the log.
    pub(crate) fn with_journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Announces the shutdown through `/readyz`, so that load balancers send requests elsewhere.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Free space on the disk of the data folder, in bytes, if the system reports it.
    pub(crate) fn disk_free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Writes all pending data and closes the database.
    pub async fn close(&self) {
        // Usage counts that cannot be written now are lost, as in a crash. They are only
        // statistics, and no caller is left to report the error to.
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

    /// Sets a user's password, which ends all their sessions at the pages.
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

    /// Makes a user the first administrator, with a password that cannot be guessed.
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

    /// Records that a token was used, without making the request wait.
    pub(crate) fn note_use(self: &Arc<Self>, principal: &Principal, now: OffsetDateTime) {
        // For frequent callers the principal alone suffices, without the shared lock.
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
            // No caller is waiting, and the next use tries again, so a failure is not reported.
            let _ = state.registry.touch_token(&id, now).await;
        });
    }
}
