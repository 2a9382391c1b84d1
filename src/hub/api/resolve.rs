//! `GET` and `HEAD` on `/{id}/resolve/{revision}/{path}` (and `/raw/`): the content of a file.
//!
//! Files are served as plain text or as bytes, never as HTML or anything else that a browser would run: they are
//! somebody's upload on the Hub's own origin.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use git2::Oid;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::address::Address;
use super::content_range::{Part, part};
use crate::hub::access::Action;
use crate::hub::answers::{Answer, ApiError, X_REPO_COMMIT, header_text};
use crate::hub::authentication::Caller;
use crate::hub::repository::{GitFault, RepositoryPath};
use crate::hub::state::HubState;

/// What RFC 5987 leaves unescaped in a file name.
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

pub(super) async fn resolve(
    State(state): State<Arc<HubState>>,
    caller: Caller,
    address: Address,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let repository = address.open(&state, &caller, Action::Read).await?;
    let path = RepositoryPath::parse(address.path.as_deref().unwrap_or_default())?;
    let (revision, wanted) = (address.revision(), path.clone());
    let (commit, entry) = state
        .on_content(&repository, move |content| {
            let commit = content.resolve(&revision)?;
            let entry = content.entry(commit, &wanted)?;
            if entry.is_file() {
                Ok((commit, entry))
            } else {
                Err(not_a_file(&entry.path, commit))
            }
        })
        .await?;
    let size = entry.size.unwrap_or(0);
    let tag = format!("\"{}\"", entry.oid);
    let mut response = Response::new(Body::empty());
    describe(response.headers_mut(), &path, commit, &tag);
    if matches_tag(&headers, &IF_NONE_MATCH, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    // A part is only of use to a client that has the rest of the same file.
    let range = if !headers.contains_key(IF_RANGE) || matches_tag(&headers, &IF_RANGE, &tag) {
        headers.get(RANGE).and_then(|range| range.to_str().ok())
    } else {
        None
    };
    let (first, length) = match part(range, size) {
        Part::Whole => (0, size),
        Part::Range { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {first}-{last}/{size}");
            response
                .headers_mut()
                .insert(CONTENT_RANGE, header_text(&text));
            (first, last - first + 1)
        }
        Part::Unsatisfiable => {
            return Err(
                ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "Range not satisfiable")
                    .with_header(CONTENT_RANGE, format!("bytes */{size}"))
                    .with_header(X_REPO_COMMIT, commit.to_string()),
            );
        }
    };
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    if method != Method::HEAD && length > 0 {
        let part = first..first + length;
        let data = state
            .on_content(&repository, move |content| content.blob(entry.oid, part))
            .await?;
        *response.body_mut() = Body::from(data);
    }
    Ok(response)
}

fn not_a_file(path: &str, commit: Oid) -> GitFault {
    GitFault::EntryNotFound {
        path: path.to_owned(),
        commit,
    }
}

fn describe(headers: &mut HeaderMap, path: &RepositoryPath, commit: Oid, tag: &str) {
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
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, header_text(tag));
    headers.insert(X_REPO_COMMIT, header_text(&commit.to_string()));
}

fn matches_tag(headers: &HeaderMap, name: &HeaderName, tag: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| {
            let candidate = candidate.trim();
            candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
        })
}
