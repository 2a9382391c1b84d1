//! Caches the results of a resolver between calls.
//!
//! Two things are slow enough to be worth caching: the last ambient result, and the project's
//! configuration, which takes two lookups per folder up to the root. A cached value is used only
//! while its inputs are unchanged: variables are compared on each call, a token file by its `stat`,
//! and the configuration is searched for again after one second.
//!
//! The token file counts as unchanged if its `stat` is the same, unless it changed within the last
//! 100 ms. File systems record time in steps, so a second write within one step would go unnoticed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use super::configuration::Configuration;
use super::search::{self, PassedOver};
use super::trust::Trust;
use crate::credential::Credential;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::source::{Placement, Source};

/// How long the configuration found for a folder is cached.
const CONFIGURATION_LIFETIME: Duration = Duration::from_secs(1);

/// A file modified more recently than this may change again without a change of its `stat`, because
/// file systems record time in steps of some milliseconds.
const MTIME_GRANULARITY: Duration = Duration::from_millis(100);

/// The maximum number of working directories whose configuration is cached.
const MAXIMUM_FOLDERS: usize = 64;

/// The variables that decide whether a token from the environment is used, and which one.
static ENVIRONMENT: [&str; 6] = [
    env::HF_TOKEN,
    env::HF_ENDPOINT,
    env::HUBTOKEN_INSECURE_HOSTS,
    env::HUGGINGFACE_CO_STAGING,
    env::HF_OIDC_RESOURCE,
    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
];

/// The variables that decide where files are located.
static FILES: [&str; 9] = [
    env::HUGGING_FACE_HUB_TOKEN,
    env::HF_TOKEN_PATH,
    env::HF_HOME,
    env::XDG_CACHE_HOME,
    env::XDG_CONFIG_HOME,
    env::HOME,
    env::USERPROFILE,
    env::APPDATA,
    env::HUBTOKEN_SAFE_DIRECTORIES,
];

/// The result of [`super::Resolver::cached`].
pub enum Cached {
    /// Nothing is cached: run the chain.
    Miss,
    /// The token, valid without disk access.
    Hit(Arc<Credential>),
    /// A token from a file, which must be verified first.
    Revalidate(Arc<Credential>),
}

/// Detects a change of a file's content without reading the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl FileStamp {
    /// The stamp of a file; `None` if the file does not exist.
    pub(super) fn of(path: &Path) -> Option<Self> {
        Self::read(path).ok()
    }

    /// The same, with the reason why there is none.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        let modified = metadata.modified().ok();
        let stamp = Self {
            length: metadata.len(),
            modified,
            #[cfg(unix)]
            identity: {
                use std::os::unix::fs::MetadataExt as _;
                (
                    metadata.dev(),
                    metadata.ino(),
                    metadata.ctime(),
                    metadata.ctime_nsec(),
                )
            },
        };
        Ok(stamp)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.modified.is_some_and(|modified| {
            SystemTime::now()
                .duration_since(modified)
                .is_ok_and(|age| age > MTIME_GRANULARITY)
        })
    }
}

/// A file and its stamp, taken before it was read.
pub(super) type StampedPath = (PathBuf, Option<FileStamp>);

type Value = Option<Zeroizing<Vec<u8>>>;

/// A snapshot of the values of [`ENVIRONMENT`] and [`FILES`].
#[derive(Clone)]
pub(super) struct Variables {
    environment: [Value; ENVIRONMENT.len()],
    files: [Value; FILES.len()],
}

impl Variables {
    pub(super) fn read(environment: &dyn Environment) -> Self {
        Self {
            environment: ENVIRONMENT.map(|name| value(environment, name)),
            files: FILES.map(|name| value(environment, name)),
        }
    }

    /// Whether a path has `$NAME` in it, and so depends on variables that are not listed.
    fn expand(&self) -> bool {
        let mut values = self.files.iter().flatten();
        values.any(|value| value.contains(&b'$'))
    }
}

/// The last ambient result and its inputs.
pub(super) struct LastResolution {
    credential: Arc<Credential>,
    variables: Variables,
    file: Option<(PathBuf, FileStamp)>,
    folder: Option<PathBuf>,
}

fn value(environment: &dyn Environment, name: &str) -> Value {
    environment
        .get(name)
        .map(|value| Zeroizing::new(value.into_encoded_bytes()))
}

/// Whether variables still have the cached values.
fn same(environment: &dyn Environment, names: &'static [&'static str], known: &[Value]) -> bool {
    environment.are_accepted(names, &mut |position, now| {
        let known = known.get(position).and_then(Option::as_ref);
        now == known.map(|value| value.as_slice())
    })
}

impl LastResolution {
    /// What to cache of a result; `None` if it cannot be verified cheaply.
    pub(super) fn of(
        credential: &Arc<Credential>,
        variables: &Variables,
        folder: Option<&Path>,
        stamp: Option<StampedPath>,
    ) -> Option<Self> {
        let file = match &credential.source {
            Source::Environment(name) if name == env::HF_TOKEN => None,
            // The source of an active token may get another one.
            Source::Placed {
                origin,
                by: Placement::Activation,
            } if matches!(**origin, Source::Configuration { .. } | Source::Command(_)) => {
                return None;
            }
            Source::Placed {
                by: Placement::Activation,
                ..
            } if stamp.is_some() => {
                let (file, stamp) = stamp.filter(|_| !variables.expand())?;
                Some((file, stamp.filter(FileStamp::is_settled)?))
            }
            // The variable that names the source is not compared: see
            // `Resolver::clear_last_resolution`.
            Source::Placed { .. } => None,
            Source::File(path) | Source::ConfiguredFile(path) => {
                let is_listed = |file: &Path| file == path && !variables.expand();
                let (file, stamp) = stamp.filter(|(file, _)| is_listed(file))?;
                Some((file, stamp.filter(FileStamp::is_settled)?))
            }
            _ => return None,
        };
        Some(Self {
            credential: Arc::clone(credential),
            variables: variables.clone(),
            file,
            folder: folder.map(Path::to_owned),
        })
    }

    pub(super) fn cached(&self, environment: &dyn Environment) -> Cached {
        if !same(environment, &ENVIRONMENT, &self.variables.environment) {
            return Cached::Miss;
        }
        if self.file.is_none() {
            return Cached::Hit(Arc::clone(&self.credential));
        }
        if same(environment, &FILES, &self.variables.files) {
            Cached::Revalidate(Arc::clone(&self.credential))
        } else {
            Cached::Miss
        }
    }

    pub(super) fn revalidate(
        &self,
        credential: &Arc<Credential>,
        configurations: &mut ConfigurationCache,
    ) -> bool {
        let Some((path, stamp)) = &self.file else {
            return false;
        };
        let folder = std::env::current_dir().ok();
        Arc::ptr_eq(&self.credential, credential)
            && folder == self.folder
            && configurations.is_fresh(folder.as_deref())
            && FileStamp::of(path).as_ref() == Some(stamp)
    }
}

/// The configurations that apply to a folder.
#[derive(Clone)]
pub(super) struct DiscoveredConfigurations {
    /// The project's.
    pub(super) project: Option<Arc<Configuration>>,
    /// The user's own.
    pub(super) user: Option<Arc<Configuration>>,
    /// What was skipped in the search for them.
    pub(super) passed_over: Arc<[PassedOver]>,
}

/// Where to look for configurations, in addition to the working directory.
pub(super) struct SearchPaths<'a> {
    /// The user's own file.
    pub(super) user: Option<&'a Path>,
    pub(super) home: Option<&'a Path>,
    /// Which project files are trusted.
    pub(super) trust: &'a Trust,
}

/// The configurations found, by working directory.
#[derive(Default)]
pub(super) struct ConfigurationCache {
    /// The most recently used folder comes first, since it is nearly always the next one.
    by_folder: Vec<(OsString, Entry)>,
}

/// The folder as a string, because paths are compared component by component. A deleted working
/// directory maps to the empty string.
fn key(folder: Option<&Path>) -> &OsStr {
    folder.map(Path::as_os_str).unwrap_or_default()
}

struct Entry {
    looked_at: Instant,
    user_path: Option<PathBuf>,
    trust: Trust,
    found: DiscoveredConfigurations,
}

impl ConfigurationCache {
    pub(super) fn clear(&mut self) {
        self.by_folder.clear();
    }

    fn entry(&mut self, key: &OsStr) -> Option<&Entry> {
        let index = self.by_folder.iter().position(|(known, _)| known == key)?;
        self.by_folder.swap(0, index);
        self.by_folder.first().map(|(_, entry)| entry)
    }

    fn is_fresh(&mut self, folder: Option<&Path>) -> bool {
        self.fresh(folder).is_some()
    }

    /// The configurations for a folder, if they are cached and fresh.
    pub(super) fn fresh(&mut self, folder: Option<&Path>) -> Option<&DiscoveredConfigurations> {
        let entry = self.entry(key(folder))?;
        (entry.looked_at.elapsed() < CONFIGURATION_LIFETIME).then_some(&entry.found)
    }

    /// The project's and the user's configuration.
    pub(super) fn find(
        &mut self,
        folder: Option<&Path>,
        search_paths: &SearchPaths<'_>,
    ) -> Result<DiscoveredConfigurations, Error> {
        let key = key(folder);
        if let Some(entry) = self.entry(key)
            && entry.looked_at.elapsed() < CONFIGURATION_LIFETIME
            && entry.user_path.as_deref() == search_paths.user
            && entry.trust == *search_paths.trust
        {
            return Ok(entry.found.clone());
        }
        let looked_at = Instant::now();
        // The user's file is read first, because it may list trusted folders.
        let (user, unseen) = match search_paths.user {
            Some(path) => search::read_user(path)?,
            None => (None, None),
        };
        let mut project = match (folder, &user) {
            (Some(folder), Some(user)) if !user.safe_directories.is_empty() => {
                let safe = user.safe_directories(search_paths.home);
                search::find_project(folder, &search_paths.trust.with_safe_directories(&safe))?
            }
            (Some(folder), _) => search::find_project(folder, search_paths.trust)?,
            // Without a working directory there is no project.
            (None, _) => search::Search::default(),
        };
        project.passed_over.extend(unseen);
        let found = DiscoveredConfigurations {
            project: project.found.map(Arc::new),
            user: user.map(Arc::new),
            passed_over: project.passed_over.into(),
        };
        if self.by_folder.len() >= MAXIMUM_FOLDERS {
            self.by_folder.clear();
        }
        self.by_folder.retain(|(known, _)| known != key);
        let entry = Entry {
            looked_at,
            user_path: search_paths.user.map(Path::to_owned),
            trust: search_paths.trust.clone(),
            found: found.clone(),
        };
        self.by_folder.push((key.to_owned(), entry));
        Ok(found)
    }
}
