//! Starts a Hub, from its options to sockets that accept requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::maintenance::maintain;
use super::runtime::HubRuntime;
use crate::data_folder::DataFolder;
use crate::error::HubError;
use crate::monitoring::log::Log;
use crate::options::HubOptions;
use crate::router::app;
use crate::secret::Secret;
use crate::server::allowed_hosts::Listener;
use crate::server::tls::Certificate;
use crate::server::{self, listen};
use crate::server::{ListenerConfig, Shutdown};
use crate::state::HubState;

/// How often the certificate files are checked for changes.
const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// All parts of a running Hub except its folder, which outlives them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) runtime: HubRuntime,
    pub(super) state: Arc<HubState>,
    pub(super) servers: Vec<JoinHandle<()>>,
    /// The admin listener, which keeps answering until the others have ended.
    pub(super) admin_server: Option<(JoinHandle<()>, watch::Sender<Shutdown>)>,
}

/// The results of a start.
pub(super) struct Started {
    pub(super) endpoint: String,
    pub(super) local: Option<String>,
    pub(super) admin_key: Secret,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) shutdown: watch::Sender<Shutdown>,
    pub(super) parts: Parts,
}

/// Starts a Hub in an open data folder.
pub(super) fn start_in(options: &HubOptions, folder: &DataFolder) -> Result<Started, HubError> {
    let certificate = options.tls.as_ref().map(Certificate::load).transpose()?;
    let tls = certificate
        .as_ref()
        .map(Certificate::server_config)
        .transpose()?;
    let admin_key = folder.admin_key()?;
    let log = Log::new(
        options.log_format,
        options.log_level,
        options.clock.clone(),
        std::io::stderr(),
    )
    .map_err(HubError::Runtime)?;
    let runtime = HubRuntime::start()?;
    let (path, key, wanted) = (folder.path().to_owned(), admin_key.clone(), options.clone());
    let (sockets, admin_socket, endpoint, local, state) = runtime.block_on(async move {
        let (sockets, bound) = listen::bind(&wanted).await?;
        let admin_socket = listen::bind_local(&wanted).await?;
        let (admin_socket, local) = admin_socket.unzip();
        let endpoint = wanted.endpoint(bound);
        let limit = wanted.whoami_limit;
        let mut state = HubState::open(&path, &endpoint, &key, limit, wanted.clock.clone()).await?;
        if let Some(search_path) = wanted.search_path {
            state = state.with_search_path(search_path);
        }
        let state = state
            .with_public_endpoint(local.as_deref(), wanted.behind_proxy)
            .with_log(log)
            .with_audit_days(wanted.audit_days)
            .with_inference(&wanted.inference)?
            .with_oauth(wanted.oauth)?;
        Ok::<_, HubError>((sockets, admin_socket, endpoint, local, Arc::new(state)))
    })??;
    folder.announce(&endpoint, local.as_deref())?;
    let (shutdown, shutdown_signal) = watch::channel(Shutdown::Running);
    let serve = |socket, listener, tls, shutdown_signal| {
        let config = ListenerConfig {
            socket,
            listener,
            tls,
            limits: options.limits,
            grace: Duration::from_secs(options.grace_seconds.into()),
        };
        let app = app(Arc::clone(&state));
        runtime.spawn(server::serve(
            config,
            app,
            Arc::clone(&state),
            shutdown_signal,
        ))
    };
    let listener = if options.is_public() {
        Listener::Public
    } else {
        Listener::Single
    };
    let servers = sockets
        .into_iter()
        .map(|socket| serve(socket, listener, tls.clone(), shutdown_signal.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let admin_server = admin_socket
        .map(|socket| {
            let (shutdown, shutdown_signal) = watch::channel(Shutdown::Running);
            Ok((
                serve(socket, Listener::Admin, None, shutdown_signal)?,
                shutdown,
            ))
        })
        .transpose()?;
    if let Some(certificate) = &certificate {
        runtime.spawn(watch_certificate(
            Arc::clone(certificate),
            Arc::clone(&state),
        ))?;
    }
    runtime.spawn(maintain(Arc::clone(&state)))?;
    state.telemetry.log.record(|| {
        tracing::info!(
            endpoint = endpoint.as_str(),
            local = local.as_deref(),
            version = env!("CARGO_PKG_VERSION"),
            "started"
        );
    });
    Ok(Started {
        endpoint,
        local,
        admin_key,
        certificate,
        shutdown,
        parts: Parts {
            runtime,
            state,
            servers,
            admin_server,
        },
    })
}

/// Reloads the certificate whenever it is renewed, for as long as the threads run.
async fn watch_certificate(certificate: Arc<Certificate>, state: Arc<HubState>) {
    loop {
        tokio::time::sleep(CERTIFICATE_CHECK_INTERVAL).await;
        match certificate.reload_if_changed() {
            Ok(false) => (),
            Ok(true) => state
                .telemetry
                .log
                .record(|| tracing::info!("the certificate was renewed")),
            Err(error) => state
                .telemetry
                .log
                .record(|| tracing::warn!(cause = %error, "the new certificate is not used")),
        }
    }
}
