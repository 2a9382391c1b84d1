//! The data folder for verbs that work on it without a request to the Hub.

use std::path::PathBuf;

use super::admin_client::DataArgs;
use crate::cli::context::Context;
use crate::cli::error::Failure;

/// The data folder that was given.
///
/// # Errors
///
/// No folder was given.
pub fn folder(place: &DataArgs, context: &Context<'_>) -> Result<PathBuf, Failure> {
    place.folder(context).ok_or_else(|| {
        Failure::Usage(
            "which Hub? Name its data folder with --data, or in HUBTOKEN_HUB_DATA".to_owned(),
        )
    })
}
