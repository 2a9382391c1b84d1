//! `GET` and `HEAD` on `/{id}/resolve/{revision}/{path}` (and `/raw/`): the content of a file.
//!
//! Files are served as plain text or as bytes, never as HTML or anything else that a browser would
//! execute: they are user uploads served from the Hub's own origin. An LFS pointer is served as the
//! object it points to, except by `raw`.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use git2::Oid;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::download::Download;
use crate::access::Action;
use crate::answers::{Answer, ApiError, X_REPO_COMMIT, header_text};
use crate::authentication::Caller;
use crate::extract::repository::Address;
use crate::git::blob::packed;
use crate::pieces::{of_file, of_reader};
use crate::registry::Repository;
use crate::repository::{Content, Entry, GitFault, LooseBlob, RepositoryPath};
use crate::state::HubState;

const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// Files up to this size are read at once; larger ones are streamed.
const SMALL: u64 = 256 << 10;

/// The characters that RFC 5987 leaves unescaped in a file name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const TEXT: &[&str] = &[
    "c",
    "cfg",
    "conf",
    "cpp",
    "css",
    "csv",
    "gitattributes",
    "gitignore",
    "h",
    "html",
    "ini",
    "ipynb",
    "jinja",
    "js",
    "json",
    "jsonl",
    "md",
    "py",
    "rs",
    "rst",
    "sh",
    "svg",
    "toml",
    "ts",
    "tsv",
    "txt",
    "xml",
    "yaml",
    "yml",
];

/// Where the content of a file is read from.
enum Source {
    /// A git object small enough to be read at once.
    Small(Oid),
    /// A loose git object.
    Loose(Box<LooseBlob>),
    /// A large file in a git pack.
    Packed(Oid),
    /// The LFS object that a pointer refers to.
    Large(File),
}

/// A file that was found.
struct Found {
    commit: Oid,
    entry: Entry,
    source: Source,
}

pub(super) async fn resolve(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let repository = address.open(&state, &caller, Action::Read).await?;
    let path = RepositoryPath::parse_existing(address.path.as_deref().unwrap_or_default())?;
    let (revision, wanted) = (address.revision(), path.clone());
    let is_raw = uri.path().split('/').nth(address.place_of_verb()) == Some("raw");
    let found = state
        .on_content(&repository, move |content| {
            find(content, &revision, &wanted, is_raw)
        })
        .await?;
    let Found {
        commit,
        entry,
        source,
    } = found;
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), &path, commit);
    let download = match (&source, entry.lfs) {
        (Source::Large(_), Some(pointer)) => {
            let headers = response.headers_mut();
            let tag = format!("\"{}\"", pointer.oid);
            headers.insert(X_LINKED_SIZE, HeaderValue::from(pointer.size));
            headers.insert(X_LINKED_ETAG, header_text(&tag));
            Download {
                size: pointer.size,
                tag,
            }
        }
        _ => Download {
            size: entry.blob_size(),
            tag: format!("\"{}\"", entry.oid),
        },
    };
    let part = download
        .prepare(&headers, &mut response)
        .map_err(|error| error.with_header(X_REPO_COMMIT, commit.to_string()))?;
    if let Some(part) = part.filter(|part| method != Method::HEAD && !part.is_empty()) {
        *response.body_mut() = read(&state, &repository, source, part).await?;
    }
    Ok(response)
}

/// Looks a file up, without reading the content of large ones.
fn find(
    content: &Content,
    revision: &str,
    wanted: &RepositoryPath,
    is_raw: bool,
) -> Result<Found, GitFault> {
    let commit = content.resolve(revision)?;
    let entry = content.entry(commit, wanted)?;
    if !entry.is_file() {
        return Err(not_a_file(&entry.path, commit));
    }
    let source = match entry.lfs.filter(|_| !is_raw) {
        Some(pointer) => {
            let file = content.large(&pointer)?;
            Source::Large(file.ok_or(GitFault::LargeFileMissing { commit })?)
        }
        None if entry.blob_size() <= SMALL => Source::Small(entry.oid),
        None => match content.loose(entry.oid)? {
            Some(blob) => Source::Loose(Box::new(blob)),
            None => Source::Packed(entry.oid),
        },
    };
    Ok(Found {
        commit,
        entry,
        source,
    })
}

async fn read(
    state: &Arc<HubState>,
    repository: &Repository,
    source: Source,
    part: Range<u64>,
) -> Result<Body, ApiError> {
    let length = part.end - part.start;
    let oid = match source {
        Source::Large(file) => return Ok(of_file(file, &part).map_err(GitFault::from)?),
        Source::Loose(blob) => return Ok(of_reader(*blob, part.start, length)),
        Source::Packed(oid) => {
            if let Some(body) = packed(state, repository, oid, part.start, length).await {
                return Ok(body);
            }
            // Without the `git` program, the whole object has to be read.
            oid
        }
        Source::Small(oid) => oid,
    };
    let data = state
        .on_content(repository, move |content| content.blob(oid, part))
        .await?;
    Ok(Body::from(data))
}

fn not_a_file(path: &str, commit: Oid) -> GitFault {
    GitFault::EntryNotFound {
        path: path.to_owned(),
        commit,
    }
}

fn describe(headers: &mut HeaderMap, path: &RepositoryPath, commit: Oid) {
    let name = path.file_name();
    let plain: String = name
        .chars()
        .map(|each| {
            if matches!(each, ' '..='~') && !matches!(each, '"' | '\\') {
                each
            } else {
                '_'
            }
        })
        .collect();
    let disposition = format!(
        "inline; filename*=UTF-8''{}; filename=\"{plain}\";",
        utf8_percent_encode(name, FILE_NAME)
    );
    let extension = name
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension)
        .to_ascii_lowercase();
    let content_type = if TEXT.contains(&extension.as_str()) {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_DISPOSITION, header_text(&disposition));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    headers.insert(X_REPO_COMMIT, header_text(&commit.to_string()));
}
