//! Requests to a Hub.
//!
//! A request goes to its endpoint and nowhere else: redirects are followed by hand and within the
//! endpoint's origin only, since the header would travel with them. A Hub on this machine is
//! never asked through a proxy, whatever the environment says. Answers are bounded in size, and
//! time-outs in length, because a Hub can be down in many ways.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, NoProxy, Proxy, RequestBuilder};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::identity::failure::no_answer_within;
use crate::paths::Paths;
use crate::strict_url::{check_proxy, check_reference};
use crate::sync::lock;

/// The largest answer that is read, in bytes. An identity with a thousand organisations fits.
const MAXIMUM_BODY: usize = 4 * 1024 * 1024;
/// How many redirects within the endpoint are followed.
const MAXIMUM_REDIRECTS: usize = 5;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says of the way to a Hub.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    certificates: Option<PathBuf>,
    // A proxy's address may hold a password.
    proxy: Option<Zeroizing<String>>,
    no_proxy: Option<String>,
    /// Whether requests are forbidden.
    pub offline: bool,
    /// The folder of what processes share of their answers; `None` when they share nothing.
    pub identities: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment.
    #[must_use]
    pub fn read(environment: &dyn Environment) -> Self {
        let path = |name| env::text(environment, name).map(PathBuf::from);
        Self {
            certificates: path(env::SSL_CERT_FILE).or_else(|| path(env::REQUESTS_CA_BUNDLE)),
            proxy: env::first_text(environment, &env::HTTPS_PROXY)
                .or_else(|| env::first_text(environment, &env::ALL_PROXY))
                .map(Zeroizing::new),
            no_proxy: env::first_text(environment, &env::NO_PROXY),
            offline: env::is_offline(environment),
            identities: Paths::new(environment)
                .identities
                .filter(|_| !env::is_on(environment, env::HUBTOKEN_DISABLE_CACHE)),
        }
    }
}

impl Settings {
    /// The same, with nothing shared between processes.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self {
            identities: None,
            ..self
        }
    }

    /// The file or folder of certificates that the environment names.
    #[must_use]
    pub fn certificates(&self) -> Option<&Path> {
        self.certificates.as_deref()
    }

    /// Whether requests take the same way: where answers are kept does not count.
    fn same_way(&self, other: &Self) -> bool {
        self.certificates == other.certificates
            && self.proxy == other.proxy
            && self.no_proxy == other.no_proxy
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer. None of these says anything about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody answered, or not in time, or not to the end.
    Unreachable(String),
    /// Somebody answered something that is no Hub's answer.
    Strange(String),
}

/// The HTTP clients of a process, one for each way to a Hub.
#[derive(Default)]
pub struct Transport {
    clients: Mutex<Vec<(Settings, bool, Client)>>,
}

impl Transport {
    /// The client for an endpoint. Made once; the system's certificates are read only for https.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when the environment names certificates or a proxy that cannot be
    /// used.
    pub fn client(&self, endpoint: &Endpoint, settings: &Settings) -> Result<Client, Error> {
        let local = endpoint.is_loopback() && !endpoint.is_secure();
        let mut clients = lock(&self.clients);
        if let Some((.., client)) = clients
            .iter()
            .find(|(known, is_local, _)| *is_local == local && (local || known.same_way(settings)))
        {
            return Ok(client.clone());
        }
        let client = build(endpoint, settings)?;
        clients.push((settings.clone(), local, client.clone()));
        Ok(client)
    }
}

fn build(endpoint: &Endpoint, settings: &Settings) -> Result<Client, Error> {
    let tls = tls(endpoint.is_secure(), settings.certificates.as_deref())?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("hubtoken/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .referer(false)
        // The environment was read in `Settings`; reqwest must not read it again.
        .no_proxy();
    if let Some(address) = &settings.proxy
        && !endpoint.is_loopback()
    {
        check_proxy(address).map_err(|problem| {
            Error::UntrustedEndpoint(format!(
                "the address of the proxy in HTTPS_PROXY (or ALL_PROXY) {problem}"
            ))
        })?;
        let proxy = Proxy::all(address.as_str()).map_err(|_| {
            // The address may hold a password and is not repeated.
            Error::Configuration(
                "HTTPS_PROXY (or ALL_PROXY) is not a proxy's address; write it like \
                 http://proxy.example:3128"
                    .to_owned(),
            )
        })?;
        let exceptions = settings.no_proxy.as_deref().and_then(NoProxy::from_string);
        builder = builder.proxy(proxy.no_proxy(exceptions));
    }
    builder
        .build()
        .map_err(|error| Error::Configuration(format!("HTTP cannot be set up: {}", chain(&error))))
}

/// How to speak TLS: trusting the certificates in `file`, or the system's. They are read only when they are needed.
pub(crate) fn tls(is_secure: bool, file: Option<&Path>) -> Result<ClientConfig, Error> {
    let roots = if is_secure {
        roots(file)?
    } else {
        RootCertStore::empty()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Configuration(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let found = match file {
        Some(path) if path.is_dir() => rustls_native_certs::load_certs_from_paths(None, Some(path)),
        Some(path) => rustls_native_certs::load_certs_from_paths(Some(path), None),
        None => rustls_native_certs::load_native_certs(),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(Error::Configuration(match file {
            Some(path) => format!(
                "SSL_CERT_FILE (or REQUESTS_CA_BUNDLE) names {}, which holds no certificate",
                path.display()
            ),
            None => "the system has no certificates to trust. Install the package \
                     ca-certificates, or name a file in SSL_CERT_FILE"
                .to_owned(),
        }));
    }
    Ok(roots)
}

/// Asks a path of an endpoint.
///
/// # Errors
///
/// [`NoAnswer`].
pub async fn get(
    client: &Client,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    in_time(timeout, follow(client, endpoint, path, authorization)).await
}

/// Asks an endpoint to do something, with a JSON body or without one.
///
/// No redirect is followed: what changes something is not sent twice.
///
/// # Errors
///
/// [`NoAnswer`].
pub async fn send(
    client: &Client,
    endpoint: &Endpoint,
    (method, path): (Method, &str),
    authorization: Zeroizing<String>,
    body: Option<&serde_json::Value>,
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    in_time(timeout, async {
        let mut request = authorize(client.request(method, endpoint.url(path)), &authorization)?;
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(|error| describe(&error))?;
        if response.status().is_redirection() {
            return Err(NoAnswer::Strange(
                "it redirects instead of answering".to_owned(),
            ));
        }
        read(response).await
    })
    .await
}

async fn in_time(
    timeout: Duration,
    answer: impl Future<Output = Result<Answer, NoAnswer>>,
) -> Result<Answer, NoAnswer> {
    tokio::time::timeout(timeout, answer)
        .await
        .unwrap_or_else(|_| Err(NoAnswer::Unreachable(no_answer_within(timeout))))
}

/// Puts the secret into its header, marked as one.
fn authorize(request: RequestBuilder, authorization: &str) -> Result<RequestBuilder, NoAnswer> {
    let mut value = HeaderValue::from_str(authorization)
        .map_err(|_| NoAnswer::Strange("the token cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

async fn follow(
    client: &Client,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
) -> Result<Answer, NoAnswer> {
    let mut url = endpoint.url(path);
    for _ in 0..=MAXIMUM_REDIRECTS {
        let mut request = client.get(&url);
        if let Some(text) = &authorization {
            request = authorize(request, text)?;
        }
        let response = request.send().await.map_err(|error| describe(&error))?;
        let status = response.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            url = redirection(endpoint, &response)?;
            continue;
        }
        return read(response).await;
    }
    Err(NoAnswer::Strange(format!(
        "it redirects more than {MAXIMUM_REDIRECTS} times"
    )))
}

/// Where an answer redirects to, if that is the same Hub.
fn redirection(endpoint: &Endpoint, response: &reqwest::Response) -> Result<String, NoAnswer> {
    let nowhere = || NoAnswer::Strange("it redirects to nowhere".to_owned());
    let text = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(nowhere)?;
    let target = response.url().join(text).map_err(|_| nowhere())?;
    check_reference(text).map_err(|problem| {
        NoAnswer::Strange(format!(
            "it redirects to an address that {problem}, and the token was not sent there"
        ))
    })?;
    if endpoint.owns(target.as_str()) {
        return Ok(target.into());
    }
    Err(NoAnswer::Strange(format!(
        "it redirects to {}, and the token was not sent there",
        target.origin().ascii_serialization()
    )))
}

async fn read(mut response: reqwest::Response) -> Result<Answer, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > MAXIMUM_BODY {
            return Err(NoAnswer::Strange(format!(
                "its answer is longer than {MAXIMUM_BODY} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

fn describe(error: &reqwest::Error) -> NoAnswer {
    let text = chain(error);
    if error.is_connect() {
        NoAnswer::Unreachable(text)
    } else if error.is_body() || error.is_decode() || text.contains("closed") {
        NoAnswer::Unreachable(format!("the answer broke off: {text}"))
    } else {
        NoAnswer::Unreachable(text)
    }
}

/// An error's causes in one line, without the URL.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    // The last cause is the system's or TLS's own word; those before it repeat each other.
    causes
        .pop()
        .unwrap_or_else(|| "the request failed".to_owned())
}
