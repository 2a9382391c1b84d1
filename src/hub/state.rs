//! Everything that the routes share, and the few deeds that touch the registry and git at once.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use time::OffsetDateTime;

use super::address::Addresses;
use super::clock::Clock;
use super::error::HubError;
use super::git::Git;
use super::inference::{Inference, InferenceOptions};
use super::journal::Journal;
use super::lfs::{Lfs, Objects};
use super::metrics::Metrics;
use super::names;
use super::options::WhoamiLimit;
use super::pages::{Desk, SignInPolicy};
use super::password;
use super::rate_limit::RateLimiter;
use super::registry::{
    self, Actor, Gate, Namespace, NewRepository, NewUser, Origin, Principal, Registry, Repository,
    RepositoryType, TokenInfo, User,
};
use super::repository::{Author, Content, GitFault, Store};
use super::request_id::RequestIds;
use super::request_log::RequestLog;
use super::secret::{self, Digest, Secret};
use crate::env::{self, Environment as _, ProcessEnvironment};

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
    pub(crate) started: OffsetDateTime,
    stopping: AtomicBool,
    folder: PathBuf,
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
        whoami_limit: Option<WhoamiLimit>,
        clock: Clock,
    ) -> Result<Self, HubError> {
        let registry = registry::open(folder).await?;
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
            Some(password) => Some(hash_password(password).await?),
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
        let hash = hash_password(password).await?;
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
            password_hash: Some(hash_password(password).await?),
        };
        self.registry.create_first_administrator(new, origin).await
    }

    /// Creates a repository: first its folder, then its row, so that a row always has a folder.
    pub(crate) async fn create_repository(
        &self,
        kind: RepositoryType,
        namespace: &Namespace,
        name: &str,
        creator: Option<&User>,
        (private, gated): (bool, Option<Gate>),
        origin: &Origin,
    ) -> Result<Repository, HubError> {
        names::check_repository(name)?;
        if let Some(existing) = self
            .registry
            .find_repository(kind, &namespace.name, name)
            .await?
        {
            return Err(HubError::RepositoryExists {
                kind,
                id: existing.full_name(),
            });
        }
        let now = origin.at;
        let id = secret::object_id()?;
        let author =
            creator.map_or_else(|| author_of_owner(namespace, now), |user| author(user, now));
        self.on_store(&id, move |store, id| store.create(kind, id, &author))
            .await?;
        let creator_id = creator.map_or(namespace.id.as_str(), |user| user.id.as_str());
        let new = NewRepository {
            id: &id,
            kind,
            namespace,
            name,
            creator_id,
            private,
            gated,
        };
        match self.registry.create_repository(new, origin).await {
            Ok(repository) => {
                self.on_store(&id, move |store, id| store.settle(kind, id))
                    .await?;
                Ok(repository)
            }
            Err(error) => {
                self.on_store(&id, move |store, id| store.delete(kind, id))
                    .await?;
                Err(error)
            }
        }
    }

    /// Deletes a repository: first its row, so that nobody finds it half deleted.
    pub(crate) async fn delete_repository(
        &self,
        repository: &Repository,
        origin: &Origin,
    ) -> Result<(), HubError> {
        let kind = repository.kind;
        self.on_store(&repository.id, move |store, id| store.unsettle(kind, id))
            .await?;
        self.registry
            .delete_repository(&repository.id, origin)
            .await?;
        self.on_store(&repository.id, move |store, id| store.delete(kind, id))
            .await
    }

    /// Runs git work on a repository's content.
    pub(crate) async fn on_content<T: Send + 'static>(
        &self,
        repository: &Repository,
        work: impl FnOnce(&Content) -> Result<T, GitFault> + Send + 'static,
    ) -> Result<T, GitFault> {
        let store = Arc::clone(&self.store);
        let repository = repository.clone();
        tokio::task::spawn_blocking(move || work(&store.open(&repository)?))
            .await
            .unwrap_or_else(|_| Err(GitFault::Io(std::io::Error::other("the work was cut off"))))
            .map_err(|fault| fault.for_want_of_room(&self.folder, 0))
    }

    async fn on_store(
        &self,
        id: &str,
        work: impl FnOnce(&Store, &str) -> Result<(), GitFault> + Send + 'static,
    ) -> Result<(), HubError> {
        let store = Arc::clone(&self.store);
        let id = id.to_owned();
        blocking(move || work(&store, &id)).await?.map_err(|fault| {
            match fault.for_want_of_room(&self.folder, 0) {
                GitFault::DiskFull => HubError::DiskFull {
                    path: self.folder.clone(),
                },
                fault => HubError::Repository {
                    detail: fault.to_string(),
                },
            }
        })
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

/// A commit that nobody in particular made: the owner's. The addresses lead nowhere, so that nobody's own address ends
/// up in a history that others can read.
fn author_of_owner(namespace: &Namespace, when: OffsetDateTime) -> Author {
    Author {
        name: namespace.name.clone(),
        email: format!("{}@users.noreply.localhost", namespace.name),
        when,
    }
}

/// The user as the author of a commit.
pub(crate) fn author(user: &User, when: OffsetDateTime) -> Author {
    Author {
        name: user.name.clone(),
        email: format!("{}@users.noreply.localhost", user.name),
        when,
    }
}

/// Runs work that blocks on the threads that are there for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HubError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| HubError::Stopped)
}

/// The hash that is checked when there is none to check, so that an unknown user takes as long as a known one. It has
/// the form and the cost of the others; that it belongs to any password is as unlikely as guessing a token.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a password belongs to a stored hash. Without a hash it takes as long, and says no.
pub(crate) async fn verify(password: Secret, stored: Option<String>) -> Result<bool, HubError> {
    blocking(move || {
        let known = stored.is_some();
        let stored = stored.as_deref().unwrap_or(NOBODY);
        let matches = Argon2::default()
            .verify_password(password.reveal().as_bytes(), stored)
            .is_ok();
        matches && known
    })
    .await
}

/// The hash of a password, made on a thread that may take its time.
pub(crate) async fn hash_password(password: Secret) -> Result<String, HubError> {
    blocking(move || password::hash(&password)).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(ToOwned::to_owned);
        let real = password::hash(&Secret::new("a password".to_owned())).unwrap();
        assert_eq!(cost(&real), cost(NOBODY));
        assert_eq!(real.len(), NOBODY.len());
    }
}
