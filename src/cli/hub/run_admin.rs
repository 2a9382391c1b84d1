//! What every administrative verb does: it opens the Hub, asks it, and shows its answer.

use super::admin_client::{Admin, DataArgs};
use super::rendering::Reply;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;

/// Opens the Hub of a data folder, has a verb ask it, and shows the reply as JSON or as text.
///
/// # Errors
///
/// The Hub's own, or that none runs.
pub fn run_admin(
    place: &DataArgs,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    ask: impl FnOnce(&Admin<'_>) -> Result<Reply, Failure>,
) -> Result<Code, Failure> {
    let admin = Admin::open(place, context)?;
    ask(&admin)?.show(output)?;
    Ok(Code::Success)
}
