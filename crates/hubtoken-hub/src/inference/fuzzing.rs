//! Fuzzing entry points for the parsers of inference requests; see `hub/fuzzing.rs`.

use std::cell::OnceCell;

use axum::http::Uri;

use super::model_scanner::{Malformed, ModelScanner};
use super::options::{InferenceOptions, Upstream};
use super::routes::parse_model_path;
use super::upstream::Upstreams;

/// The model that a body names, if any: as first read, when forwarding may begin, and as known at
/// the end.
///
/// # Errors
///
/// Why the body is rejected, or that it is incomplete.
pub fn named_model(chunks: &[&[u8]]) -> Result<(Option<String>, Option<String>), &'static str> {
    let mut scanner = ModelScanner::new();
    let mut first = None;
    for chunk in chunks {
        scanner.feed(chunk).map_err(Malformed::message)?;
        first = first.or_else(|| scanner.model().map(str::to_owned));
    }
    if scanner.is_whole() {
        Ok((first, scanner.model().map(str::to_owned)))
    } else {
        Err("it has not ended")
    }
}

/// Parses a path below `/models/`: the model, the path at its server, and whether that takes JSON.
/// The model `gpt2` has an upstream of its own here.
#[must_use]
pub fn model_path(path: &str) -> Option<(String, String, bool)> {
    thread_local! {
        static UPSTREAMS: OnceCell<Option<Upstreams>> = const { OnceCell::new() };
    }
    let load = || {
        let upstream = Upstream {
            model: "gpt2".to_owned(),
            url: "http://127.0.0.1:1".to_owned(),
            key_file: None,
        };
        let options = InferenceOptions {
            upstreams: vec![upstream],
            ..InferenceOptions::default()
        };
        Upstreams::load(&options).ok()
    };
    let uri: Uri = path.parse().ok()?;
    UPSTREAMS.with(|upstreams| {
        let model_path = parse_model_path(&uri, upstreams.get_or_init(load).as_ref()?)?;
        Some((model_path.model, model_path.path, model_path.is_json))
    })
}
