//! What is done to a data folder without asking the Hub that may run in it.

use std::path::PathBuf;

use super::admin_client::DataArgs;
use crate::cli::context::Context;
use crate::cli::error::Failure;

/// The folder that is meant.
///
/// # Errors
///
/// None was named.
pub fn folder(place: &DataArgs, context: &Context<'_>) -> Result<PathBuf, Failure> {
    place.folder(context).ok_or_else(|| {
        Failure::Usage(
            "which Hub? Name its data folder with --data, or in HUBTOKEN_HUB_DATA".to_owned(),
        )
    })
}
