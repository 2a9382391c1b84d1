//! Git LFS: large files beside git, which holds pointers to them.
//!
//! A client asks in batches (`batch`) what is there and what is not, and gets a link for each file (`capability`),
//! which it follows without credentials (`transfer`). The files are on the disk under the digest of their content
//! (`objects`). A commit brings the pointers (`pointer`), by git or by API; whoever downloads gets what they point to.
//!
//! `git lfs` talks to the batch endpoint of any repository. `huggingface_hub` uses it when `preupload` tells it to, which
//! is a setting of the Hub ([`HubOptions::lfs`](super::HubOptions)): at its defaults that client goes to another service
//! first, Xet, which is not here, and fails.

mod batch;
mod capability;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod objects;
mod pointer;
mod transfer;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use self::capability::Key;
pub(crate) use self::objects::{Objects, RepositoryObjects};
pub(crate) use self::pointer::{LENGTHS as POINTER_LENGTHS, ObjectId, Pointer};
use super::pieces::of_reader;
use super::state::HubState;

/// What LFS needs of one Hub.
#[derive(Debug)]
pub(crate) struct Lfs {
    data: PathBuf,
    /// Made at the first need.
    key: Mutex<Option<Arc<Key>>>,
    /// Whether `preupload` sends large files here.
    pub preferred: bool,
}

impl Lfs {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            key: Mutex::default(),
            preferred: false,
        }
    }

    fn key(&self) -> io::Result<Arc<Key>> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*key {
            return Ok(Arc::clone(key));
        }
        let opened = Arc::new(Key::open(&self.data)?);
        *key = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

pub(crate) fn routes() -> Router<Arc<HubState>> {
    let mut router = Router::new();
    for prefix in ["", "/datasets", "/spaces"] {
        let objects = format!("{prefix}/{{namespace}}/{{name}}/info/lfs/objects");
        router = router
            .route(&format!("{objects}/batch"), post(batch::batch))
            .route(&format!("{objects}/verify"), post(batch::verify))
            .route(
                &format!("{objects}/{{oid}}"),
                get(transfer::download)
                    .put(transfer::upload)
                    .layer(DefaultBodyLimit::disable()),
            );
    }
    router
}

/// A part of a file, as a body.
pub(crate) fn file_body(mut file: File, part: &Range<u64>) -> io::Result<Body> {
    file.seek(SeekFrom::Start(part.start))?;
    Ok(of_reader(file, 0, part.end - part.start))
}
