//! What is done to a data folder without asking the Hub that may run in it.

use std::path::PathBuf;

use super::admin::Where;
use crate::cli::failure::Failure;
use crate::cli::world::World;

/// The folder that is meant.
///
/// # Errors
///
/// None was named.
pub fn folder(place: &Where, world: &World<'_>) -> Result<PathBuf, Failure> {
    place.folder(world).ok_or_else(|| {
        Failure::Usage(
            "which Hub? Name its data folder with --data, or in HUBTOKEN_HUB_DATA".to_owned(),
        )
    })
}
