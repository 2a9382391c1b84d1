//! `GET` and `HEAD` on `/{id}/resolve/{revision}/{path}` (and `/raw/`): the content of a file.
//!
//! Files are served as plain text or as bytes, never as HTML or anything else that a browser would
//! execute: they are user uploads served from the Hub's own origin. An LFS pointer is served as the
//! object it points to, except by `raw`.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LINK,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use git2::Oid;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::download::Download;
use crate::auth::access::Action;
use crate::auth::authentication::Caller;
use crate::blocking::spawn_io;
use crate::extract::repository::RepositoryRef;
use crate::git::blob::stream_packed_blob;
use crate::registry::Repository;
use crate::repository::lfs::LargeFile;
use crate::repository::{Entry, LooseBlob, OpenRepository, RepositoryError, RepositoryPath};
use crate::response::{ApiError, ApiResult, X_REPO_COMMIT, header_text};
use crate::state::HubState;
use crate::stream_body::from_reader;
use crate::xet::issue::store_address;

const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
/// What a client accepts that wants to know how to get a file by Xet.
const FILE_INFO: &str = "application/vnd.xet-fileinfo+json";
const X_XET_HASH: HeaderName = HeaderName::from_static("x-xet-hash");
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// Files up to this size are read at once; larger ones are streamed.
const SMALL_FILE_BYTES: u64 = 256 << 10;

/// The characters that RFC 5987 leaves unescaped in a file name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const TEXT_EXTENSIONS: &[&str] = &[
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
enum BlobSource {
    /// A git object small enough to be read at once.
    Small(Oid),
    /// A loose git object.
    Loose(Box<LooseBlob>),
    /// A large file in a git pack.
    Packed(Oid),
    /// The LFS object that a pointer refers to.
    Large(LargeFile),
}

/// A file that was found.
struct ResolvedFile {
    commit: Oid,
    entry: Entry,
    source: BlobSource,
}

pub(super) async fn resolve(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    target: RepositoryRef,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> ApiResult {
    let repository = target.open(&state, &caller, Action::Read).await?;
    let path = RepositoryPath::parse_existing(target.path.as_deref().unwrap_or_default())?;
    let (revision, wanted) = (target.revision(), path.clone());
    let is_raw = uri.path().split('/').nth(target.verb_index()) == Some("raw");
    let found = state
        .with_repository(&repository, move |repo| {
            find(repo, &revision, &wanted, is_raw)
        })
        .await?;
    let ResolvedFile {
        commit,
        entry,
        source,
    } = found;
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), &path, commit);
    let mut xet_hash = None;
    let download = match (&source, entry.lfs) {
        (BlobSource::Large(file), Some(pointer)) => {
            let headers = response.headers_mut();
            xet_hash = file.xet_hash();
            if let Some(hash) = &xet_hash {
                headers.insert(X_XET_HASH, header_text(hash));
                headers.insert(LINK, xet_links(&state.endpoint, &repository, commit, hash));
            }
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
    if let Some(hash) = xet_hash.filter(|_| wants_file_info(&headers)) {
        return Ok(file_info(response, &hash, &download));
    }
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
    repo: &OpenRepository,
    revision: &str,
    wanted: &RepositoryPath,
    is_raw: bool,
) -> Result<ResolvedFile, RepositoryError> {
    let commit = repo.resolve(revision)?;
    let entry = repo.entry(commit, wanted)?;
    if !entry.is_file() {
        return Err(not_a_file(&entry.path, commit));
    }
    let source = match entry.lfs.filter(|_| !is_raw) {
        Some(pointer) => {
            let file = repo.lfs_object(&pointer)?;
            BlobSource::Large(file.ok_or(RepositoryError::LargeFileMissing { commit })?)
        }
        None if entry.blob_size() <= SMALL_FILE_BYTES => BlobSource::Small(entry.oid),
        None => match repo.loose_blob(entry.oid)? {
            Some(blob) => BlobSource::Loose(Box::new(blob)),
            None => BlobSource::Packed(entry.oid),
        },
    };
    Ok(ResolvedFile {
        commit,
        entry,
        source,
    })
}

async fn read(
    state: &Arc<HubState>,
    repository: &Repository,
    source: BlobSource,
    part: Range<u64>,
) -> Result<Body, ApiError> {
    let length = part.end - part.start;
    let oid = match source {
        BlobSource::Large(file) => {
            let reader = spawn_io(move || file.read_from(part.start)).await;
            let reader = reader.map_err(RepositoryError::from)?;
            return Ok(from_reader(reader, 0, length));
        }
        BlobSource::Loose(blob) => return Ok(from_reader(*blob, part.start, length)),
        BlobSource::Packed(oid) => {
            if let Some(body) = stream_packed_blob(state, repository, oid, part.start, length).await
            {
                return Ok(body);
            }
            // Without the `git` program, the whole object has to be read.
            oid
        }
        BlobSource::Small(oid) => oid,
    };
    let data = state
        .with_repository(repository, move |repo| repo.blob(oid, part))
        .await?;
    Ok(Body::from(data))
}

/// Where a client gets the token that reads the file's chunks, and then what they are.
fn xet_links(endpoint: &str, repository: &Repository, commit: Oid, hash: &str) -> HeaderValue {
    let (kind, id) = (repository.kind.plural(), repository.full_name());
    let store = store_address(endpoint, repository);
    header_text(&format!(
        "<{endpoint}/api/{kind}/{id}/xet-read-token/{commit}>; rel=\"xet-auth\", \
         <{store}/v1/reconstructions/{hash}>; rel=\"xet-reconstruction-info\""
    ))
}

/// Whether a client asks how to get the file by Xet, as huggingface.js does, instead of its content.
fn wants_file_info(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(ACCEPT).iter();
    all.any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains(FILE_INFO))
    })
}

fn file_info(mut response: Response, hash: &str, download: &Download) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FILE_INFO));
    headers.insert(ETAG, header_text(&download.tag));
    let etag = download.tag.trim_matches('"');
    let body = json!({ "hash": hash, "size": download.size, "etag": etag });
    *response.body_mut() = Body::from(body.to_string());
    response
}

fn not_a_file(path: &str, commit: Oid) -> RepositoryError {
    RepositoryError::EntryNotFound {
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
    let content_type = if TEXT_EXTENSIONS.contains(&extension.as_str()) {
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
