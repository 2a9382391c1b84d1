//! The helpers that `setup-git` wrote, as `status` shows them.

use serde_json::{Value, json};

use super::context::Context;
use crate::git::configured_helper::ConfiguredHelper;
use crate::git::setup::{Git, Scope};
use crate::sanitize::redacted;

/// Our helpers in git's configuration. None if there is no git, or if git cannot read its
/// configuration: then no helper runs, and git says why.
pub fn configured(context: &Context<'_>) -> Vec<ConfiguredHelper> {
    let git = Git {
        environment: context.environment,
        folder: context.folder.as_deref(),
        scope: Scope::Global,
    };
    git.configured_helpers().unwrap_or_default()
}

/// A helper as JSON.
pub fn to_json(helper: &ConfiguredHelper) -> Value {
    json!({
        "url": helper.url.as_deref().map(redacted),
        "helper": redacted(&helper.value),
        "origin": redacted(&helper.origin),
        "exists": helper.exists,
    })
}
