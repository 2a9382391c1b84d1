//! The state that all routes share.

mod groups;
mod publishers;
pub(crate) mod repositories;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use time::OffsetDateTime;

use self::groups::{Limiters, Listeners, Services, Telemetry};
use super::blocking::run_blocking;
use super::clock::Clock;
use super::error::HubError;
use super::git::service::Git;
use super::inference::options::InferenceOptions;
use super::inference::service::Inference;
use super::monitoring::log::Log;
use super::oauth::issuer_keys::IssuerKeys;
use super::oauth::options::OAuthOptions;
use super::oauth::service::OAuth;
use super::pages::sign_in_limiter::{SignInLimiter, SignInPolicy};
use super::password;
use super::rate_limit::RateLimit;
use super::registry::sqlite::{self, Sqlite};
use super::registry::{Actor, AuditContext, NewUser, Principal, Registry, TokenInfo, User};
use super::repository::Store;
use super::repository::lfs::Objects;
use super::seal::Seals;
use super::secret::{Digest, Secret};
use super::server::allowed_hosts::HostPolicy;
use hubtoken_core::env::{self, Environment as _, ProcessEnvironment};
use hubtoken_core::sync::lock_ignoring_poison;

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
    pub(crate) admin_key: Digest,
    pub(crate) services: Services,
    pub(crate) listeners: Listeners,
    pub(crate) telemetry: Telemetry,
    pub(crate) limiters: Limiters,
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
        let git = run_blocking(move || {
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
            services: Services {
                git,
                seals: Seals::new(folder),
                inference: Inference::new(&InferenceOptions::default())?,
                oauth: OAuth::new(folder),
            },
            listeners: Listeners {
                host_policy: HostPolicy::new(endpoint, None),
                behind_proxy: false,
            },
            telemetry: Telemetry::new(clock.now()),
            limiters: Limiters::new(whoami_limit),
            clock,
            endpoint: endpoint.to_owned(),
            admin_key: admin_key.digest(),
            stopping: AtomicBool::default(),
            folder: folder.to_owned(),
            last_used: Mutex::default(),
        })
    }

    /// The same Hub with a different sign-in policy for its pages.
    #[must_use]
    pub fn with_sign_in_policy(mut self, policy: SignInPolicy) -> Self {
        self.limiters.sign_in = SignInLimiter::new(policy);
        self
    }

    /// The same Hub with upstream servers for its inference API.
    ///
    /// # Errors
    /// [`HubError::InvalidOption`], which says what is wrong with the options.
    pub fn with_inference(mut self, options: &InferenceOptions) -> Result<Self, HubError> {
        self.services.inference = Inference::new(options)?;
        // The Hub verifies every server that it connects to in the same way.
        self.services.oauth.issuers = IssuerKeys::new(options.certificates.clone());
        Ok(self)
    }

    /// Sets how long what logins consist of lasts.
    ///
    /// # Errors
    /// [`HubError::InvalidOption`], which says what is wrong with the options.
    pub fn with_oauth(mut self, options: OAuthOptions) -> Result<Self, HubError> {
        options.check()?;
        self.services.oauth.options = options;
        Ok(self)
    }

    /// Searches for `git` in these folders instead of this process's `PATH`.
    #[must_use]
    pub fn with_search_path(mut self, search_path: OsString) -> Self {
        self.services.git = self.services.git.with_search_path(search_path);
        self
    }

    /// Keeps entries of the audit log for this many days instead of a year.
    #[must_use]
    pub fn with_audit_days(self, days: u32) -> Self {
        self.registry.set_audit_retention(days);
        self
    }

    /// The tokens of a user, with up-to-date usage counts.
    pub(crate) async fn list_tokens(&self, user: &str) -> Result<Vec<TokenInfo>, HubError> {
        self.services.inference.usage.write(&*self.registry).await?;
        self.registry.list_tokens(user).await
    }

    /// The audit-log origin for actions of the embedding program.
    pub(crate) fn embedder_context(&self) -> AuditContext {
        AuditContext {
            actor: Actor::Program,
            address: None,
            at: self.clock.now(),
        }
    }

    /// Sets the address of the admin listener, and whether a proxy is trusted.
    pub(crate) fn with_public_endpoint(mut self, local: Option<&str>, behind_proxy: bool) -> Self {
        self.listeners = Listeners {
            host_policy: HostPolicy::new(&self.endpoint, local),
            behind_proxy,
        };
        self
    }

    /// Sets the log.
    pub(crate) fn with_log(mut self, log: Log) -> Self {
        self.telemetry.log = log;
        self
    }

    /// Announces the shutdown through `/readyz`, so that load balancers send requests elsewhere.
    pub(crate) fn begin_shutdown(&self) {
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
        let _ = self.services.inference.usage.write(&*self.registry).await;
        self.registry.close().await;
    }

    pub(crate) async fn create_user(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Option<Secret>,
        context: &AuditContext,
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
        self.registry.create_user(new, context).await
    }

    /// Sets a user's password, which ends all their sessions at the pages.
    pub(crate) async fn set_password(
        &self,
        name: &str,
        password: Secret,
        context: &AuditContext,
    ) -> Result<(), HubError> {
        password::check(&password, name)?;
        let user = self.registry.user(name).await?;
        let hash = password::hash(password).await?;
        self.registry.set_password(&user, &hash, context).await
    }

    /// Makes a user the first administrator, with a password that cannot be guessed.
    pub(crate) async fn create_first_administrator(
        &self,
        name: &str,
        fullname: &str,
        email: Option<&str>,
        password: Secret,
        context: &AuditContext,
    ) -> Result<User, HubError> {
        password::check(&password, name)?;
        let new = NewUser {
            name: name.to_owned(),
            fullname: fullname.to_owned(),
            email: email.map(ToOwned::to_owned),
            password_hash: Some(password::hash(password).await?),
        };
        self.registry.create_first_administrator(new, context).await
    }

    /// Records that a token was used, without making the request wait.
    pub(crate) fn touch_token(self: &Arc<Self>, principal: &Principal, now: OffsetDateTime) {
        // For frequent callers the principal alone suffices, without the shared lock.
        let seconds = now.unix_timestamp();
        let step = LAST_USED_STEP.whole_seconds();
        if seconds.saturating_sub(principal.last_touched.load(Ordering::Relaxed)) < step {
            return;
        }
        principal.last_touched.store(seconds, Ordering::Relaxed);
        let id = &principal.token.id;
        let is_recent = |last: OffsetDateTime| now - last < LAST_USED_STEP;
        {
            let mut last_used = lock_ignoring_poison(&self.last_used);
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
