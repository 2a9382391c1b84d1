//! Starts a Hub, from its options to sockets that accept requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::threads::Threads;
use crate::address::Door;
use crate::clock::Clock;
use crate::data_folder::DataFolder;
use crate::error::HubError;
use crate::journal::{Journal, LogLevel};
use crate::options::HubOptions;
use crate::router::app;
use crate::secret::Secret;
use crate::server::{Doorway, Stop};
use crate::state::HubState;
use crate::tls::Certificate;
use crate::{listen, server};

/// How often the certificate files are checked for changes.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(10);

/// All parts of a running Hub except its folder, which outlives them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) threads: Threads,
    pub(super) state: Arc<HubState>,
    pub(super) servers: Vec<JoinHandle<()>>,
    /// The admin listener, which keeps answering until the others have ended.
    pub(super) owners: Option<(JoinHandle<()>, watch::Sender<Stop>)>,
}

/// The results of a start.
pub(super) struct Started {
    pub(super) endpoint: String,
    pub(super) local: Option<String>,
    pub(super) admin_key: Secret,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) stop: watch::Sender<Stop>,
    pub(super) parts: Parts,
}

/// Starts a Hub in an open data folder.
pub(super) fn start_in(options: &HubOptions, folder: &DataFolder) -> Result<Started, HubError> {
    let certificate = options.tls.as_ref().map(Certificate::load).transpose()?;
    let tls = certificate.as_ref().map(Certificate::server).transpose()?;
    let admin_key = folder.admin_key()?;
    let journal = Journal::new(
        options.log_format,
        options.log_level,
        Clock::system(),
        std::io::stderr(),
    )
    .map_err(HubError::Runtime)?;
    let threads = Threads::start()?;
    let (path, key, wanted) = (folder.path().to_owned(), admin_key.clone(), options.clone());
    let (listeners, owners, endpoint, local, state) = threads.wait(async move {
        let (listeners, bound) = listen::bind(&wanted).await?;
        let owners = listen::bind_local(&wanted).await?;
        let (owners, local) = owners.unzip();
        let endpoint = wanted.endpoint(bound);
        let limit = wanted.whoami_limit;
        let mut state = HubState::open(&path, &endpoint, &key, limit, Clock::system()).await?;
        if let Some(search_path) = wanted.search_path {
            state = state.with_search_path(search_path);
        }
        let state = state
            .for_the_public(local.as_deref(), wanted.behind_proxy)
            .with_journal(journal)
            .with_audit_days(wanted.audit_days)
            .with_lfs(wanted.lfs)
            .with_inference(&wanted.inference)?;
        Ok::<_, HubError>((listeners, owners, endpoint, local, Arc::new(state)))
    })??;
    folder.announce(&endpoint, local.as_deref())?;
    let (stop, stopping) = watch::channel(Stop::No);
    let serve = |listener, door, tls, stopping| {
        let doorway = Doorway {
            listener,
            door,
            tls,
            limits: options.limits,
            grace: Duration::from_secs(options.grace_seconds.into()),
        };
        let app = app(Arc::clone(&state));
        threads.spawn(server::serve(doorway, app, Arc::clone(&state), stopping))
    };
    let door = if options.is_public() {
        Door::Public
    } else {
        Door::Only
    };
    let servers = listeners
        .into_iter()
        .map(|listener| serve(listener, door, tls.clone(), stopping.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let owners = owners
        .map(|listener| {
            let (stop, stopping) = watch::channel(Stop::No);
            Ok((serve(listener, Door::Local, None, stopping)?, stop))
        })
        .transpose()?;
    if let Some(certificate) = &certificate {
        threads.spawn(look_after(Arc::clone(certificate), Arc::clone(&state)))?;
    }
    state.journal.write(
        LogLevel::Info,
        "started",
        &[
            ("endpoint", endpoint.as_str().into()),
            ("local", local.as_deref().into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ],
    );
    Ok(Started {
        endpoint,
        local,
        admin_key,
        certificate,
        stop,
        parts: Parts {
            threads,
            state,
            servers,
            owners,
        },
    })
}

/// Reloads the certificate whenever it is renewed, for as long as the threads run.
async fn look_after(certificate: Arc<Certificate>, state: Arc<HubState>) {
    loop {
        tokio::time::sleep(CERTIFICATE_LOOK).await;
        match certificate.reload_if_changed() {
            Ok(false) => (),
            Ok(true) => state
                .journal
                .write(LogLevel::Info, "the certificate was renewed", &[]),
            Err(error) => state.journal.write(
                LogLevel::Warn,
                "the new certificate is not used",
                &[("cause", error.to_string().into())],
            ),
        }
    }
}
