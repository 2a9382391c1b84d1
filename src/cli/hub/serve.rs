//! `hubtoken hub serve`: runs a Hub in the foreground.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::admin_client::DataArgs;
use super::interruptible::wait;
use super::upstreams::Upstreams;
use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::env;
use crate::error::Error;
use crate::hub::{
    Hub, HubError, HubOptions, Limits, LogFormat, LogLevel, OAuthOptions, RateLimit, TlsFiles,
};
use crate::hub_clock::hub_clock;
use crate::interrupt::Interrupt;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken hub serve                         a temporary Hub on a free port
  hubtoken hub serve --data ./hub --port 8080
  hubtoken hub serve --whoami-limit 5 --whoami-window 60
  hubtoken hub serve --data /srv/hub --host 0.0.0.0 --port 443 --base-url https://hub.example \\
      --tls-cert /etc/hub/cert.pem --tls-key /etc/hub/key.pem
  hubtoken hub serve --data /srv/hub --port 8080 --base-url https://hub.example --behind-proxy
  hubtoken hub serve --upstream alice/tiny=http://127.0.0.1:8000 --upstream '*=http://127.0.0.1:8001'

All data is stored in the data folder. If neither --data nor HUBTOKEN_HUB_DATA names one, it is a
temporary one that is removed at the end.

With a certificate or a proxy, other machines can use the Hub, and it only accepts requests for the
host of its base URL. Administration and /metrics then have a separate address on this machine.

Ctrl-C and SIGTERM stop it; requests in progress may finish, and the exit code is 0. A second one
stops it at once. SIGHUP reloads the certificate; without a certificate it stops the Hub, as when a
terminal is closed.
With --json it writes one line once it accepts connections: endpoint, local_endpoint, data,
admin_key_file, temporary, process_id.")]
pub struct Args {
    #[command(flatten)]
    place: DataArgs,
    /// The address to listen on: localhost or a loopback address; with a certificate, any address
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    host: String,
    /// The port to listen on; 0 selects a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// How many whoami requests a user may send per window; unlimited by default
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
    /// How many days the audit log is kept
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    audit_days: u32,
    /// The certificate and its chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM, which other users must not be able to read
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The public address of the Hub, such as <https://hub.example>
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A proxy on this machine terminates TLS for the Hub; its X-Forwarded-For header is trusted
    #[arg(long, requires = "base_url", conflicts_with = "tls_cert")]
    behind_proxy: bool,
    /// The port on 127.0.0.1 for administration, health and metrics, if the Hub has a public
    /// address
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    local_port: u16,
    /// The maximum number of concurrent connections
    #[arg(long, default_value_t = Limits::default().connections, value_name = "COUNT")]
    connections: u32,
    /// The maximum number of connections per address; 0 means no limit
    #[arg(
        long,
        default_value_t = Limits::default().connections_per_address,
        value_name = "COUNT"
    )]
    connections_per_address: u32,
    /// How long uploads and other requests in progress may continue after the first signal
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    grace: u32,
    #[command(flatten)]
    upstreams: Upstreams,
    /// The format of the log, which goes to standard error
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    log_format: Format,
    /// What is logged
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    log_level: Level,
    /// Has no effect, and will be removed
    #[arg(long, hide = true)]
    lfs: bool,
    /// How long the access token of a login is valid; at most 30 days
    #[arg(
        long,
        default_value_t = OAuthOptions::default().access_token_seconds,
        value_name = "SECONDS"
    )]
    access_token_lifetime: u32,
    /// How long a login can be refreshed after it began or was last refreshed
    #[arg(
        long,
        default_value_t = OAuthOptions::default().refresh_token_seconds,
        value_name = "SECONDS"
    )]
    refresh_token_lifetime: u32,
    /// How long the code of a program that logs in can be approved
    #[arg(
        long,
        default_value_t = OAuthOptions::default().device_code_seconds,
        value_name = "SECONDS"
    )]
    device_code_lifetime: u32,
    /// How long such a program waits between two questions; 0 means as it likes
    #[arg(
        long,
        default_value_t = OAuthOptions::default().device_interval_seconds,
        value_name = "SECONDS"
    )]
    device_code_interval: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Plain text
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    /// Nothing
    Off,
    /// Failures of the Hub, with their cause
    Error,
    /// Also what the owner of the Hub should look into
    Warn,
    /// Also every request
    Info,
}

impl Args {
    fn options(&self, data: Option<PathBuf>, context: &Context<'_>) -> Result<HubOptions, Failure> {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        Ok(HubOptions {
            data,
            host: self.host.clone(),
            port: self.port,
            whoami_limit: self.whoami_limit.map(|quota| RateLimit {
                quota,
                window_seconds: self.whoami_window,
            }),
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            base_url: self.base_url.clone(),
            behind_proxy: self.behind_proxy,
            local_port: self.local_port,
            limits: Limits {
                connections: self.connections,
                connections_per_address: self.connections_per_address,
                ..Limits::default()
            },
            grace_seconds: self.grace,
            inference: self.upstreams.options(context)?,
            log_format: match self.log_format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            },
            log_level: match self.log_level {
                Level::Off => LogLevel::Off,
                Level::Error => LogLevel::Error,
                Level::Warn => LogLevel::Warn,
                Level::Info => LogLevel::Info,
            },
            audit_days: self.audit_days,
            oauth: OAuthOptions {
                access_token_seconds: self.access_token_lifetime,
                refresh_token_seconds: self.refresh_token_lifetime,
                device_code_seconds: self.device_code_lifetime,
                device_interval_seconds: self.device_code_interval,
            },
            clock: hub_clock(),
            search_path: context.environment.get(env::PATH),
        })
    }
}

/// Runs the Hub until it is stopped.
///
/// # Errors
///
/// The Hub cannot start.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let data = arguments.place.folder(context);
    if arguments.lfs {
        output.warning(
            "--lfs has no effect, and will be removed: large files are stored outside git on every \
             Hub",
        );
    }
    let hub = Hub::start(&arguments.options(data.clone(), context)?).map_err(failed)?;
    let has_certificate = arguments.tls_cert.is_some();
    let stopped = async {
        // Installed before the Hub is announced: a client may stop it as soon as it reads the
        // address.
        let signals = Signals::listen(has_certificate);
        announce(&hub, data.is_none(), output);
        signals?.first(&hub).await;
        Ok(())
    };
    let ended = wait(stopped, context.interrupt);
    let ending = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| hub.stop());
        let hurried = async {
            match Signals::listen(has_certificate) {
                Ok(signals) => {
                    tokio::select! {
                        () = signals.first(&hub) => hub.stop_now(),
                        () = done(&stopping) => (),
                    }
                }
                Err(_) => done(&stopping).await,
            }
        };
        let again = ReloadSignal {
            interrupt: context.interrupt,
            rested: AtomicBool::new(false),
        };
        let ending = wait(hurried, &again);
        if matches!(ending, Err(Error::Interrupted)) {
            hub.stop_now();
        }
        ending
    });
    match (ended, ending) {
        (Ok(Err(error)) | Err(error), _) | (_, Err(error))
            if !matches!(error, Error::Interrupted) =>
        {
            Err(error.into())
        }
        _ => Ok(Code::Success),
    }
}

/// The second Ctrl-C: the first one may stay visible for a while.
struct ReloadSignal<'a> {
    interrupt: &'a dyn Interrupt,
    rested: AtomicBool,
}

impl Interrupt for ReloadSignal<'_> {
    fn is_set(&self) -> bool {
        let set = self.interrupt.is_set();
        if !set {
            self.rested.store(true, Ordering::Relaxed);
        }
        set && self.rested.load(Ordering::Relaxed)
    }
}

/// The signals that stop a Hub, and the one that makes it reload its certificate.
struct Signals {
    terminate: Signal,
    hangup: Signal,
    has_certificate: bool,
}

impl Signals {
    fn listen(has_certificate: bool) -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::hub(format!("signals cannot be received: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            has_certificate,
        })
    }

    /// Waits for a signal that stops the Hub.
    async fn first(mut self, hub: &Hub) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => {
                    if !self.has_certificate {
                        return;
                    }
                    // The problem is in the log; the old certificate stays in use.
                    let _ = hub.reload_certificate();
                }
            }
        }
    }
}

async fn done(thread: &std::thread::ScopedJoinHandle<'_, ()>) {
    while !thread.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn announce(hub: &Hub, temporary: bool, output: &Output<'_, '_>) {
    let key = hub.data().join("admin-key");
    if output.is_json() {
        output.object(&json!({
            "endpoint": hub.endpoint(),
            "local_endpoint": hub.local_endpoint(),
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
    if hub.local_endpoint() != hub.endpoint() {
        page.row(
            "for you",
            &format!("{} (administration, metrics)", hub.local_endpoint()),
        );
    }
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

/// A path, quoted for a shell.
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
        HubError::NotLoopback { .. }
        | HubError::InvalidOption { .. }
        | HubError::UnusableOption { .. }
        | HubError::Certificate { .. } => Failure::Usage(error.to_string()),
        error => Error::hub(error.to_string()).into(),
    }
}
