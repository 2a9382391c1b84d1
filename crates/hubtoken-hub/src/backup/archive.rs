//! The archive: a tar file that includes a digest of every file in it.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use git2::{ObjectType, Oid};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::MANIFEST;
use crate::clock::iso;
use hubtoken_core::hexadecimal;

/// The version of the archive format.
pub(super) const FORMAT: u32 = 1;

/// The contents of the manifest, which is the last file of an archive.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Manifest {
    pub form: u32,
    pub version: String,
    pub created_at: String,
    pub schema: i64,
    pub files: Vec<ManifestEntry>,
}

/// A file in an archive.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct ManifestEntry {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

/// An archive being written.
pub(super) struct Writer {
    tar: tar::Builder<BufWriter<File>>,
    files: Vec<ManifestEntry>,
}

/// What a reference points to.
#[derive(Debug)]
pub(super) enum Target {
    Object(Oid),
    Reference(String),
}

impl Writer {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            tar: tar::Builder::new(BufWriter::with_capacity(1 << 20, file)),
            files: Vec::new(),
        })
    }

    pub(super) fn add_file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        self.add(name, length, BufReader::new(file))
    }

    fn add_text(&mut self, name: &str, text: &[u8]) -> io::Result<()> {
        self.add(name, text.len() as u64, text)
    }

    fn add(&mut self, name: &str, length: u64, content: impl Read) -> io::Result<()> {
        let mut content = HashingReader {
            content,
            digest: Sha256::new(),
        };
        self.append(name, length, &mut content)?;
        self.files.push(ManifestEntry {
            path: name.to_owned(),
            bytes: length,
            sha256: hexadecimal::encode(&content.digest.finalize()),
        });
        Ok(())
    }

    fn append(&mut self, name: &str, length: u64, content: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        self.tar.append_data(&mut header, name, content)
    }

    /// Adds a repository. Its references were read earlier, and its objects are read now.
    pub(super) fn add_repository(
        &mut self,
        name: &str,
        folder: &Path,
        references: &[(String, Target)],
    ) -> io::Result<()> {
        self.add_file(&format!("{name}/config"), &folder.join("config"))?;
        for (reference, target) in references {
            let text = match target {
                Target::Object(oid) => format!("{oid}\n"),
                Target::Reference(other) => format!("ref: {other}\n"),
            };
            self.add_text(&format!("{name}/{reference}"), text.as_bytes())?;
        }
        self.add_objects(&format!("{name}/objects"), &folder.join("objects"))
    }

    /// Adds a repository's large files. A repository without any has no such folder. What vanishes
    /// while it is read was collected, because nothing refers to it.
    pub(super) fn add_large_files(&mut self, name: &str, folder: &Path) -> io::Result<()> {
        let mut entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?.collect::<io::Result<Vec<_>>>()?,
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str() else {
                continue;
            };
            let inner = format!("{name}/{text}");
            if entry.file_type()?.is_dir() {
                self.add_large_files(&inner, &entry.path())?;
            } else {
                match self.add_file(&inner, &entry.path()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                    added => added?,
                }
            }
        }
        Ok(())
    }

    fn add_objects(&mut self, name: &str, folder: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str() else {
                continue;
            };
            let (inner, path) = (format!("{name}/{text}"), entry.path());
            if entry.file_type()?.is_dir() {
                self.add_objects(&inner, &path)?;
            } else if is_object(text) {
                self.add_file(&inner, &path)?;
            }
        }
        Ok(())
    }

    /// Adds the manifest and syncs the archive to disk.
    pub(super) fn finish(mut self, schema: i64, now: OffsetDateTime) -> io::Result<()> {
        let manifest = Manifest {
            form: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: iso(now),
            schema,
            files: std::mem::take(&mut self.files),
        };
        let text = serde_json::to_vec(&manifest)?;
        self.append(MANIFEST, text.len() as u64, text.as_slice())?;
        let mut file = self.tar.into_inner()?;
        file.flush()?;
        file.get_ref().sync_all()
    }
}

/// Whether a file below `objects` is complete, judging by its name: files that git is still writing
/// are named differently.
fn is_object(name: &str) -> bool {
    let loose = name.len() == 38 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let packed = name.starts_with("pack-")
        && [".pack", ".idx", ".rev"]
            .iter()
            .any(|ending| name.ends_with(ending));
    loose || packed
}

/// A reader that hashes what it reads.
pub(super) struct HashingReader<R> {
    pub content: R,
    pub digest: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

/// All references of a repository, including `HEAD`.
pub(super) fn references(git: &git2::Repository) -> Result<Vec<(String, Target)>, git2::Error> {
    let mut all = vec![(
        "HEAD".to_owned(),
        match git.find_reference("HEAD")?.symbolic_target()? {
            Some(branch) => Target::Reference(branch.to_owned()),
            None => return Err(git2::Error::from_str("its HEAD is not a branch")),
        },
    )];
    for reference in git.references()? {
        let reference = reference?;
        let name = reference.name()?.to_owned();
        match (reference.target(), reference.symbolic_target()?) {
            (Some(oid), _) => all.push((name, Target::Object(oid))),
            (None, Some(other)) => all.push((name, Target::Reference(other.to_owned()))),
            (None, None) => return Err(git2::Error::from_str("a reference points nowhere")),
        }
    }
    Ok(all)
}

/// Checks that everything reachable from a repository's references exists. The error says what is
/// missing.
pub(super) fn check_complete(git: &git2::Repository) -> Result<(), String> {
    let text = |error: git2::Error| error.message().to_owned();
    let database = git.odb().map_err(text)?;
    let mut pending: Vec<Oid> = git
        .references()
        .map_err(text)?
        .filter_map(|reference| reference.ok()?.target())
        .collect();
    let mut seen: HashSet<Oid> = pending.iter().copied().collect();
    while let Some(oid) = pending.pop() {
        let missing = |_| format!("the object {oid} is missing or damaged");
        let (_, kind) = database.read_header(oid).map_err(missing)?;
        let mut found = Vec::new();
        match kind {
            ObjectType::Commit => {
                let commit = git.find_commit(oid).map_err(missing)?;
                found.push(commit.tree_id());
                found.extend(commit.parent_ids());
            }
            ObjectType::Tree => {
                let tree = git.find_tree(oid).map_err(missing)?;
                // A commit in a tree is a submodule, which belongs to another repository.
                let own = tree
                    .iter()
                    .filter(|entry| entry.kind() != Some(ObjectType::Commit));
                found.extend(own.map(|entry| entry.id()));
            }
            ObjectType::Tag => found.push(git.find_tag(oid).map_err(missing)?.target_id()),
            _ => (),
        }
        pending.extend(found.into_iter().filter(|oid| seen.insert(*oid)));
    }
    Ok(())
}
