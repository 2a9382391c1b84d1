//! What each project has needed a token for, so that `hubtoken status --advice` can say which narrower
//! one would do.
//!
//! A check that passed leaves a small [record] in `hubtoken/uses` in `HF_HOME`: the project's folder,
//! the Hub, what was required, and the token's digest, never its value. Checks that are answered from
//! memory record nothing, and a record is renewed once a day. `HUBTOKEN_DISABLE_CACHE` turns it off.
//!
//! [record]: crate::record_folder

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::hexadecimal;
use crate::identity::Settings;
use crate::paths::{PROJECT_FILE, PYPROJECT_FILE};
use crate::record_folder::{NEW, RecordFolder};
use crate::repository::RepositoryType;
use crate::require::Requirement;
use crate::role::{Required, Role};

/// What a folder holds that is a project.
const MARKS: [&str; 3] = [PROJECT_FILE, PYPROJECT_FILE, ".git"];
const SUFFIX: &str = ".use";
/// The maximum number of files of each kind.
const BOUNDS: [(&str, usize); 2] = [(SUFFIX, 512), (NEW, 64)];
/// The longest record, in bytes: a path, an address and a repository.
const MAXIMUM_SIZE: u64 = 16 * 1024;
/// How long a record is not written again.
const RENEWED_AFTER: Duration = Duration::from_hours(24);
/// How long a use counts.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(90 * 24);

/// Something that a project needed a token for.
#[derive(Clone, Debug)]
pub struct ProjectUse {
    /// The project's folder.
    pub project: PathBuf,
    /// What was required.
    pub requirement: Requirement,
    /// The Hub.
    pub endpoint: Endpoint,
    /// A part of the token's digest.
    token: String,
}

/// The record of a use.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    project: String,
    hub: String,
    required: String,
    repository: Option<String>,
    repository_type: Option<String>,
    namespace: Option<String>,
}

/// The uses that are on record.
pub struct ProjectUses {
    folder: RecordFolder,
}

impl ProjectUses {
    /// Where the environment says that they are; `None` if nothing is recorded.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let folder = RecordFolder::new(settings.uses.clone()?);
        Some(Self {
            folder: folder.in_home_of(&settings.home_user),
        })
    }

    /// Records that a token had what a project requires. A disk that cannot be written records
    /// nothing.
    pub fn record(&self, project: &Path, credential: &Credential, requirement: &Requirement) {
        let (repository, repository_type) = requirement.repository.clone().unzip();
        let record = Record {
            format: 1,
            project: project.to_string_lossy().into_owned(),
            hub: credential.endpoint.as_str().to_owned(),
            required: requirement.required.name().to_owned(),
            repository,
            repository_type: repository_type.map(|kind| kind.as_str().to_owned()),
            namespace: requirement.namespace.clone(),
        };
        let Ok(content) = serde_json::to_vec(&record) else {
            return;
        };
        let name = format!(
            "{}-{}-{}{SUFFIX}",
            short(project.as_os_str().as_encoded_bytes()),
            token_part(credential),
            short(&content)
        );
        let age = age(&self.folder.path().join(&name));
        if age.is_some_and(|age| age < RENEWED_AFTER) {
            return;
        }
        if self.folder.replace(&name, &content).is_ok() {
            self.folder.sweep(&BOUNDS);
        }
    }

    /// What is on record of the last 90 days, ordered by project.
    #[must_use]
    pub fn read(&self) -> Vec<ProjectUse> {
        let mut uses: Vec<ProjectUse> = self
            .folder
            .entries()
            .filter(|(name, path)| {
                name.ends_with(SUFFIX) && age(path).is_some_and(|age| age < FORGOTTEN_AFTER)
            })
            .filter_map(|(name, _)| {
                let content = self.folder.read(&name, MAXIMUM_SIZE)?;
                let record: Record = serde_json::from_slice(&content).ok()?;
                record.into_use(name.split('-').nth(1)?)
            })
            .collect();
        uses.sort_by_cached_key(|each| {
            let repository = each.requirement.repository.clone().unzip().0;
            let required = each.requirement.required.name().to_owned();
            (each.project.clone(), required, repository)
        });
        uses
    }
}

impl ProjectUse {
    /// Whether it was a use of this token.
    #[must_use]
    pub fn is_of(&self, credential: &Credential) -> bool {
        self.token == token_part(credential)
    }
}

impl Record {
    fn into_use(self, token: &str) -> Option<ProjectUse> {
        let required = match Role::parse(&self.required) {
            Ok(role) => Required::Role(role),
            Err(_) => Required::permission_named(&self.required).ok()?,
        };
        let kind = self
            .repository_type
            .as_deref()
            .and_then(RepositoryType::parse);
        Some(ProjectUse {
            project: self.project.into(),
            requirement: Requirement {
                required,
                repository: self.repository.zip(kind),
                namespace: self.namespace,
                must_exist: false,
                needed_until: None,
            },
            endpoint: Endpoint::parse_recorded(&self.hub).ok()?,
            token: token.to_owned(),
        })
    }
}

/// Records that a token had what the project of a folder requires. Without a place to record it, or a
/// folder, nothing is recorded.
pub fn record_use(
    settings: &Settings,
    folder: Option<&Path>,
    home: Option<&Path>,
    credential: &Credential,
    requirement: &Requirement,
) {
    if let Some((uses, folder)) = ProjectUses::of(settings).zip(folder) {
        uses.record(project_of(folder, home), credential, requirement);
    }
}

/// The project that a folder belongs to: the nearest folder that holds a project's file, below the
/// user's home; else the folder itself.
#[must_use]
pub fn project_of<'a>(folder: &'a Path, home: Option<&Path>) -> &'a Path {
    folder
        .ancestors()
        .take_while(|above| home.is_none_or(|home| !home.starts_with(above)))
        .find(|above| MARKS.iter().any(|mark| above.join(mark).exists()))
        .unwrap_or(folder)
}

/// How long ago a file was written; `None` if there is none.
fn age(path: &Path) -> Option<Duration> {
    let written = path.symlink_metadata().ok()?.modified().ok()?;
    // A clock that was set back makes it new.
    Some(
        SystemTime::now()
            .duration_since(written)
            .unwrap_or_default(),
    )
}

fn token_part(credential: &Credential) -> String {
    credential.token.digest().fingerprint()
}

fn short(bytes: &[u8]) -> String {
    hexadecimal::encode(&Sha256::digest(bytes)[..8])
}

#[cfg(test)]
mod tests;
