//! What a resolver remembers between calls.
//!
//! Two things are slow enough to be worth remembering: the last ambient answer, and the project's
//! configuration, which takes two look-ups a folder up to the root. Neither is believed for
//! longer than what it came from stays the same: variables are compared at each call, a token
//! file by its `stat`, and a configuration is looked for again after a second.
//!
//! The token file is trusted as long as its `stat` is unchanged, unless it changed within the last
//! 100 ms: file systems record time in steps, and a second write within one step would go
//! unnoticed.

use std::ffi::{OsStr, OsString};
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
use crate::source::Source;

/// How long the configuration found from a folder is believed.
const CONFIGURATION_LIFETIME: Duration = Duration::from_secs(1);

/// A file that changed more recently than this may change again without a change of its `stat`:
/// file systems count time in steps of some milliseconds.
const RACY: Duration = Duration::from_millis(100);

/// The working directories whose configuration is remembered.
const MAXIMUM_FOLDERS: usize = 64;

/// The variables that decide whether the environment's token is used, and which.
const ENVIRONMENT: [&str; 5] = [
    env::HF_TOKEN,
    env::HF_ENDPOINT,
    env::HUGGINGFACE_CO_STAGING,
    env::HF_OIDC_RESOURCE,
    env::HF_HUB_DISABLE_IMPLICIT_TOKEN,
];

/// The variables that decide where files are.
const FILES: [&str; 9] = [
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

/// What [`super::Resolver::recall`] answers.
pub enum Recall {
    /// There is nothing to recall: ask the chain.
    Nothing,
    /// The token, which needs no look at the disk.
    Ready(Arc<Credential>),
    /// The token of a file, to be verified.
    Check(Arc<Credential>),
}

/// Tells a file's content apart from an earlier one, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    /// The stamp of a file, `None` when there is none or it may still change unseen.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
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
        Some(stamp)
    }

    fn is_settled(&self) -> bool {
        self.modified.is_some_and(|modified| {
            SystemTime::now()
                .duration_since(modified)
                .is_ok_and(|age| age > RACY)
        })
    }
}

/// A file, and how it looked before it was read.
pub(super) type Stamped = (PathBuf, Option<Stamp>);

type Value = Option<Zeroizing<Vec<u8>>>;

/// The values of [`ENVIRONMENT`] and [`FILES`] at one moment.
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
}

/// The last ambient answer and what it rests on.
pub(super) struct Memory {
    credential: Arc<Credential>,
    variables: Variables,
    file: Option<(PathBuf, Stamp)>,
    folder: Option<PathBuf>,
}

fn value(environment: &dyn Environment, name: &str) -> Value {
    environment
        .get(name)
        .map(|value| Zeroizing::new(value.into_encoded_bytes()))
}

/// Whether variables still have the values that are known.
fn same(environment: &dyn Environment, names: &[&str], known: &[Value]) -> bool {
    names.iter().zip(known).all(|(name, known)| {
        let now = environment.get(name);
        now.as_ref().map(|value| value.as_encoded_bytes())
            == known.as_ref().map(|value| value.as_slice())
    })
}

impl Memory {
    /// What to remember of an answer; `None` when it cannot be checked cheaply.
    pub(super) fn of(
        credential: &Arc<Credential>,
        variables: &Variables,
        folder: Option<&Path>,
        stamp: Option<Stamped>,
    ) -> Option<Self> {
        let file = match &credential.source {
            Source::Environment(name) if name == env::HF_TOKEN => None,
            // What says so is dropped with the answer: see `Resolver::forget_answer`.
            Source::Placed { .. } => None,
            Source::File(path) => {
                // A path with `$NAME` depends on variables that are not listed.
                let expands = variables
                    .files
                    .iter()
                    .flatten()
                    .any(|value| value.contains(&b'$'));
                let (file, stamp) = stamp.filter(|(file, _)| file == path && !expands)?;
                Some((file, stamp.filter(Stamp::is_settled)?))
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

    pub(super) fn recall(&self, environment: &dyn Environment) -> Recall {
        if !same(environment, &ENVIRONMENT, &self.variables.environment) {
            return Recall::Nothing;
        }
        if self.file.is_none() {
            return Recall::Ready(Arc::clone(&self.credential));
        }
        if same(environment, &FILES, &self.variables.files) {
            Recall::Check(Arc::clone(&self.credential))
        } else {
            Recall::Nothing
        }
    }

    pub(super) fn verify(&self, credential: &Arc<Credential>, projects: &mut Projects) -> bool {
        let Some((path, stamp)) = &self.file else {
            return false;
        };
        let folder = std::env::current_dir().ok();
        Arc::ptr_eq(&self.credential, credential)
            && folder == self.folder
            && projects.is_fresh(folder.as_deref())
            && Stamp::of(path).as_ref() == Some(stamp)
    }
}

/// The configurations that count in a folder.
#[derive(Clone)]
pub(super) struct Found {
    /// The project's.
    pub(super) project: Option<Arc<Configuration>>,
    /// The user's own.
    pub(super) user: Option<Arc<Configuration>>,
    /// What was passed over on the way to them.
    pub(super) passed_over: Arc<[PassedOver]>,
}

/// Where configurations are looked for, beside the working directory.
pub(super) struct Places<'a> {
    /// The user's own file.
    pub(super) user: Option<&'a Path>,
    pub(super) home: Option<&'a Path>,
    /// Whose project files count.
    pub(super) trust: &'a Trust,
}

/// The configurations that were found, by working directory.
#[derive(Default)]
pub(super) struct Projects {
    /// The folder that was asked for last comes first: it is nearly always the next one.
    by_folder: Vec<(OsString, Entry)>,
}

/// The folder as text, since a path is compared part by part. A working directory that is gone is no path
/// at all.
fn key(folder: Option<&Path>) -> &OsStr {
    folder.map(Path::as_os_str).unwrap_or_default()
}

struct Entry {
    looked: Instant,
    user_path: Option<PathBuf>,
    trust: Trust,
    found: Found,
}

impl Projects {
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

    /// What was found from a folder a moment ago.
    pub(super) fn fresh(&mut self, folder: Option<&Path>) -> Option<&Found> {
        let entry = self.entry(key(folder))?;
        (entry.looked.elapsed() < CONFIGURATION_LIFETIME).then_some(&entry.found)
    }

    /// The project's and the user's configuration.
    pub(super) fn find(
        &mut self,
        folder: Option<&Path>,
        places: &Places<'_>,
    ) -> Result<Found, Error> {
        let key = key(folder);
        if let Some(entry) = self.entry(key)
            && entry.looked.elapsed() < CONFIGURATION_LIFETIME
            && entry.user_path.as_deref() == places.user
            && entry.trust == *places.trust
        {
            return Ok(entry.found.clone());
        }
        let looked = Instant::now();
        // First, since it may say which folders are trusted.
        let (user, unseen) = match places.user {
            Some(path) => search::read_user(path)?,
            None => (None, None),
        };
        let mut project = match (folder, &user) {
            (Some(folder), Some(user)) if !user.safe_directories.is_empty() => {
                let safe = user.safe_directories(places.home);
                search::find_project(folder, &places.trust.with_safe_directories(&safe))?
            }
            (Some(folder), _) => search::find_project(folder, places.trust)?,
            // The working directory is gone, and no project with it.
            (None, _) => search::Search::default(),
        };
        project.passed_over.extend(unseen);
        let found = Found {
            project: project.found.map(Arc::new),
            user: user.map(Arc::new),
            passed_over: project.passed_over.into(),
        };
        if self.by_folder.len() >= MAXIMUM_FOLDERS {
            self.by_folder.clear();
        }
        self.by_folder.retain(|(known, _)| known != key);
        let entry = Entry {
            looked,
            user_path: places.user.map(Path::to_owned),
            trust: places.trust.clone(),
            found: found.clone(),
        };
        self.by_folder.push((key.to_owned(), entry));
        Ok(found)
    }
}
