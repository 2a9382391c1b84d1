//! `hubtoken hub serve`: a Hub in the foreground.

use std::path::Path;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::admin::Where;
use super::waiting::wait;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{Code, World};
use crate::error::Error;
use crate::hub::{Hub, HubError, HubOptions, WhoamiLimit};

/// What the verb takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubtoken hub serve                         a throw-away Hub on a free port
  hubtoken hub serve --data ./hub --port 8080
  hubtoken hub serve --whoami-limit 5 --whoami-window 60

Everything is kept in the data folder. When neither --data nor HUBTOKEN_HUB_DATA names one, it is a
temporary one that is removed at the end.

Ctrl-C and SIGTERM stop it; requests under way may finish, and the exit code is 0.
With --json it writes one line once it answers: endpoint, data, admin_key_file, temporary,
process_id.")]
pub struct Arguments {
    #[command(flatten)]
    place: Where,
    /// Where to listen: localhost, or a loopback address
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    host: String,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// How often a user may ask who they are in one window; without it, without limit
    #[arg(long, value_name = "COUNT")]
    whoami_limit: Option<u32>,
    /// The length of that window in seconds
    #[arg(
        long,
        default_value_t = 300,
        value_name = "SECONDS",
        requires = "whoami_limit"
    )]
    whoami_window: u32,
    /// For how many days the audit log is kept
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    audit_days: u32,
}

/// Runs the verb until it is stopped.
///
/// # Errors
///
/// The Hub cannot start.
pub fn run(
    arguments: &Arguments,
    world: &World<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let data = arguments.place.folder(world);
    let options = HubOptions {
        data: data.clone(),
        host: arguments.host.clone(),
        port: arguments.port,
        whoami_limit: arguments.whoami_limit.map(|quota| WhoamiLimit {
            quota,
            window_seconds: arguments.whoami_window,
        }),
        audit_days: arguments.audit_days,
    };
    let hub = Hub::start(&options).map_err(failed)?;
    let stopped = async {
        // Listened for before the Hub is announced: whoever reads of it may stop it at once.
        let listening = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        );
        announce(&hub, data.is_none(), output);
        match listening {
            (Ok(mut terminate), Ok(mut hangup)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            }
            // Without them there still is Ctrl-C.
            _ => std::future::pending().await,
        }
    };
    let ended = wait(stopped, world.interrupt);
    hub.stop();
    match ended {
        Ok(()) | Err(Error::Interrupted) => Ok(Code::Success),
        Err(error) => Err(error.into()),
    }
}

fn announce(hub: &Hub, temporary: bool, output: &Output<'_, '_>) {
    let key = hub.data().join("admin-key");
    if output.is_json() {
        output.object(&json!({
            "endpoint": hub.endpoint(),
            "data": hub.data().display().to_string(),
            "admin_key_file": key.display().to_string(),
            "temporary": temporary,
            "process_id": std::process::id(),
            "error": null,
        }));
        return;
    }
    let mut page = output.page();
    page.strong_row("Hub", hub.endpoint());
    let fate = if temporary {
        " (temporary, removed at the end)"
    } else {
        ""
    };
    page.row("data", &format!("{}{fate}", hub.data().display()));
    page.row("admin key", &format!("in {}", key.display()));
    page.line("");
    page.line("In another terminal:");
    page.line(&format!("  export HF_ENDPOINT={}", hub.endpoint()));
    page.line(&format!(
        "  export HUBTOKEN_HUB_DATA={}",
        quoted(hub.data())
    ));
    page.line("  hubtoken hub user create alice");
    page.line("  export HF_TOKEN=$(hubtoken hub token create alice --name laptop --role write)");
    page.line("");
    page.line("Ctrl-C stops it.");
    output.show(&page);
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    if text.bytes().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn failed(error: HubError) -> Failure {
    match error {
        HubError::NotLoopback { .. } | HubError::InvalidOption { .. } => {
            Failure::Usage(error.to_string())
        }
        error => Error::Hub(error.to_string()).into(),
    }
}
