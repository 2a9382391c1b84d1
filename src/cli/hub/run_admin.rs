//! The flow of every administrative verb: connect to the Hub, send the request, show the response.

use super::admin_client::{Admin, DataArgs};
use super::rendering::Reply;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;

/// Connects to the Hub of a data folder, runs a verb, and shows its reply as JSON or as text.
///
/// # Errors
///
/// The Hub reports an error, or no Hub is running.
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
