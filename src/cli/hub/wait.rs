//! `hubtoken hub wait`: waits until a Hub accepts requests.
//!
//! A script that starts `hubtoken hub serve` in the background needs to know when it can go on. The
//! data folder says where the Hub listens, and only an answered request says that it does.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::admin_client::{Admin, DataArgs};
use super::data_args::folder;
use super::interruptible;
use crate::cli::args::seconds;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::error::Error;

/// How long to wait before the folder is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub serve --data ./hub --port 8080 &
  hubtoken hub wait --data ./hub && hubtoken hub user list --data ./hub

It returns once the Hub of the data folder has answered a request. The folder need not exist yet.
Exit codes: 0 the Hub is ready; 2 wrong usage; 3 it was not in time.")]
pub struct Args {
    #[command(flatten)]
    place: DataArgs,
    /// How many seconds to wait for it
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    timeout: Duration,
}

/// Runs the verb.
///
/// # Errors
///
/// No folder was given, or no Hub answered in time.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    // Every attempt would fail in the same way.
    folder(&arguments.place, context)?;
    let begun = Instant::now();
    let endpoint = loop {
        let left = arguments.timeout.saturating_sub(begun.elapsed());
        match is_ready(&arguments.place, context, left) {
            Ok(endpoint) => break endpoint,
            Err(failure) if failure.code() != Code::Unknown || left.is_zero() => {
                return Err(failure);
            }
            Err(_) => {
                let pause = async { tokio::time::sleep(PAUSE).await };
                interruptible::wait(pause, context.interrupt)?;
            }
        }
    };
    if output.is_json() {
        output.object(&json!({ "local_endpoint": endpoint, "error": null }));
    } else {
        let mut page = output.page();
        page.paragraph(&format!("the Hub answers at {endpoint}"));
        output.show(&page);
    }
    Ok(Code::Success)
}

/// The address of the Hub's administration, once it has answered a request there.
fn is_ready(place: &DataArgs, context: &Context<'_>, left: Duration) -> Result<String, Failure> {
    let admin = Admin::open(place, context)?.within(left.max(PAUSE));
    match admin.ask_with(Method::GET, &["audit"], &[("limit", "1".to_owned())], None) {
        Ok(_) => Ok(admin.endpoint().to_string()),
        // The folder of a Hub that has just ended, whose port another program has.
        Err(Failure::Core(Error::Hub { message, .. })) => Err(Error::unknown(message).into()),
        Err(failure) => Err(failure),
    }
}
