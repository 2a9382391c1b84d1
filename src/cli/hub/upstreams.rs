//! The options of `hubtoken hub serve` that configure the inference servers.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::http::Settings;
use crate::hub::{InferenceOptions, RateLimit, Upstream};

#[derive(clap::Args)]
pub(super) struct Upstreams {
    /// The inference server of a model, such as alice/tiny=<http://127.0.0.1:8000>; `*` stands for
    /// all other models; may be repeated
    #[arg(long, value_name = "MODEL=URL")]
    upstream: Vec<String>,
    /// The file with the key for the inference server of a model; may be repeated
    #[arg(long, value_name = "MODEL=FILE", requires = "upstream")]
    upstream_key: Vec<String>,
    /// How long an inference server may stay silent
    #[arg(
        long,
        default_value_t = InferenceOptions::default().timeout_seconds,
        value_name = "SECONDS"
    )]
    upstream_timeout: u32,
    /// How many inference requests a token may send per window; unlimited by default
    #[arg(long, value_name = "COUNT")]
    inference_limit: Option<u32>,
    /// The length of that window in seconds
    #[arg(
        long,
        default_value_t = 300,
        value_name = "SECONDS",
        requires = "inference_limit"
    )]
    inference_window: u32,
}

impl Upstreams {
    pub(super) fn options(&self, context: &Context<'_>) -> Result<InferenceOptions, Failure> {
        let mut keys: HashMap<&str, PathBuf> = HashMap::new();
        for text in &self.upstream_key {
            let (model, file) = pair(text).ok_or_else(|| {
                usage("--upstream-key is written MODEL=FILE, such as alice/tiny=/etc/hub/tiny.key")
            })?;
            if keys.insert(model, file.into()).is_some() {
                return Err(usage("--upstream-key names a model twice"));
            }
        }
        let mut upstreams = Vec::new();
        for text in &self.upstream {
            let (model, url) = pair(text).ok_or_else(|| {
                usage("--upstream is written MODEL=URL, such as alice/tiny=http://127.0.0.1:8000")
            })?;
            upstreams.push(Upstream {
                model: model.to_owned(),
                url: url.to_owned(),
                key_file: keys.remove(model),
            });
        }
        if !keys.is_empty() {
            return Err(usage(
                "--upstream-key names a model that has no --upstream of its own",
            ));
        }
        Ok(InferenceOptions {
            upstreams,
            limit: self.inference_limit.map(|quota| RateLimit {
                quota,
                window_seconds: self.inference_window,
            }),
            timeout_seconds: self.upstream_timeout,
            certificates: Settings::read(context.environment).certificates().clone(),
        })
    }
}

fn pair(text: &str) -> Option<(&str, &str)> {
    let (model, value) = text.split_once('=')?;
    let (model, value) = (model.trim(), value.trim());
    (!model.is_empty() && !value.is_empty()).then_some((model, value))
}

fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}
