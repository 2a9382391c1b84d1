//! Requests to a Hub.
//!
//! A request goes to its endpoint and nowhere else: redirects are followed by hand and within the
//! endpoint's origin only, since the header would travel with them. A Hub on this machine is
//! never asked through a proxy, whatever the environment says. Answers are bounded in size, and
//! time-outs in length, because a Hub can be down in many ways.

mod certificates;
#[cfg(test)]
mod certificates_tests;
mod failure;
#[cfg(test)]
mod failure_tests;
pub mod log;
mod proxy;
pub mod tls;
#[cfg(test)]
mod tls_tests;
mod way;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, Proxy, RequestBuilder};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::env::{self, Environment};
use crate::error::Error;
use crate::paths::Paths;
use crate::strict_url::check_reference;
use crate::sync::lock;
pub use certificates::Certificates;
use certificates::Stamp;
pub use failure::cause;
use failure::describe;
use log::LoggedRequest;
pub use proxy::ProxyName;
pub use way::Way;

/// The largest answer that is read, in bytes. An identity with a thousand organizations fits.
const MAXIMUM_BODY: usize = 4 * 1024 * 1024;
/// How many redirects within the endpoint are followed.
const MAXIMUM_REDIRECTS: usize = 5;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says of the way to a Hub.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    certificates: Certificates,
    proxy: Option<proxy::Named>,
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
        Self {
            certificates: Certificates::read(environment),
            proxy: proxy::Named::read(environment),
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

    /// The certificates that are trusted.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
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

/// A client for one way to a Hub.
#[derive(Clone)]
pub struct HubClient {
    http: reqwest::Client,
    /// What its requests go through.
    proxy: Option<ProxyName>,
}

/// How a Hub is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Plain http on this machine; no setting counts.
    Local,
    /// Without a proxy.
    Direct,
    /// Through the proxy that the environment names.
    Proxied,
}

impl Route {
    fn of(endpoint: &Endpoint, settings: &Settings) -> Self {
        let exceptions = settings.no_proxy.as_deref().unwrap_or_default();
        if endpoint.is_loopback() {
            if endpoint.is_secure() {
                Self::Direct
            } else {
                Self::Local
            }
        } else if settings.proxy.is_none() || proxy::is_exempt(exceptions, endpoint.as_str()) {
            Self::Direct
        } else {
            Self::Proxied
        }
    }
}

/// The HTTP clients of a process, one for each way to a Hub.
#[derive(Default)]
pub struct Transport {
    clients: Mutex<Vec<Kept>>,
}

/// A client, and what it was made of.
struct Kept {
    settings: Settings,
    route: Route,
    /// What the named certificates were like.
    stamp: Stamp,
    client: HubClient,
}

impl Transport {
    /// The client for an endpoint. Made once, and anew when the certificates that the environment
    /// names have changed; certificates are read only for https.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when the environment names certificates or a proxy that cannot be
    /// used.
    pub fn client(&self, endpoint: &Endpoint, settings: &Settings) -> Result<HubClient, Error> {
        let route = Route::of(endpoint, settings);
        if route == Route::Proxied && endpoint.as_str().starts_with("https://[") {
            return Err(Error::Configuration(format!(
                "{endpoint} is an IPv6 address, and hubtoken asks such an address without a proxy \
                 only. Give the Hub a name, or list its address in NO_PROXY; nothing was sent"
            )));
        }
        let stamp = match route {
            Route::Local => Stamp::default(),
            Route::Direct | Route::Proxied => settings.certificates.stamp(),
        };
        let mut clients = lock(&self.clients);
        let known = clients.iter().position(|kept| {
            kept.route == route && (route == Route::Local || kept.settings.same_way(settings))
        });
        if let Some(known) = known {
            if clients[known].stamp == stamp {
                return Ok(clients[known].client.clone());
            }
            clients.swap_remove(known);
        }
        let client = build(route, settings)?;
        clients.push(Kept {
            settings: settings.clone(),
            route,
            stamp,
            client: client.clone(),
        });
        Ok(client)
    }

    /// Drops all clients, so that certificates are read anew.
    pub fn close(&self) {
        lock(&self.clients).clear();
    }
}

fn build(route: Route, settings: &Settings) -> Result<HubClient, Error> {
    let is_secure = route != Route::Local;
    // Before the certificates, which take longer to read.
    let server = match &settings.proxy {
        Some(named) if route == Route::Proxied => Some(named.parse()?),
        _ => None,
    };
    let tls = tls::client_config(is_secure, &settings.certificates)?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("hubtoken/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .referer(false)
        // The environment was read in `Settings`; reqwest must not read it again.
        .no_proxy();
    let set_up = |error: reqwest::Error| {
        Error::Configuration(format!("HTTP cannot be set up: {}", cause(&error)))
    };
    if let Some(server) = &server {
        builder = builder.proxy(Proxy::all(server.address.as_str()).map_err(set_up)?);
    }
    Ok(HubClient {
        http: builder.build().map_err(set_up)?,
        proxy: server.map(|server| server.name),
    })
}

/// Asks a path of an endpoint.
///
/// # Errors
///
/// [`NoAnswer`].
pub async fn get(
    client: &HubClient,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    in_time(
        client,
        timeout,
        follow(client, endpoint, path, authorization),
    )
    .await
}

/// Asks an endpoint to do something, with a JSON body or without one.
///
/// No redirect is followed: what changes something is not sent twice.
///
/// # Errors
///
/// [`NoAnswer`].
pub async fn send(
    client: &HubClient,
    endpoint: &Endpoint,
    (method, path): (Method, &str),
    authorization: Zeroizing<String>,
    body: Option<&serde_json::Value>,
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    in_time(client, timeout, async {
        let url = endpoint.url(path);
        let mut logged = LoggedRequest::start(&method, &url);
        let mut request = authorize(client.http.request(method, url), &authorization)?;
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = request
            .send()
            .await
            .map_err(|error| logged.failed(describe(&error, client.proxy.as_ref())))?;
        if response.status().is_redirection() {
            logged.answered(response.status());
            return Err(NoAnswer::Strange(
                "it redirects instead of answering".to_owned(),
            ));
        }
        let answer = read(client, response).await;
        logged.ended(answer)
    })
    .await
}

async fn in_time(
    client: &HubClient,
    timeout: Duration,
    answer: impl Future<Output = Result<Answer, NoAnswer>>,
) -> Result<Answer, NoAnswer> {
    tokio::time::timeout(timeout, answer)
        .await
        .unwrap_or_else(|_| {
            let waited = no_answer_within(timeout);
            Err(NoAnswer::Unreachable(match &client.proxy {
                Some(proxy) => format!("{waited} through the proxy {proxy}"),
                None => waited,
            }))
        })
}

/// "no answer within 10 seconds".
#[must_use]
pub fn no_answer_within(time: Duration) -> String {
    format!("no answer within {} seconds", time.as_secs_f64())
}

/// Puts the secret into its header, marked as one.
fn authorize(request: RequestBuilder, authorization: &str) -> Result<RequestBuilder, NoAnswer> {
    let mut value = HeaderValue::from_str(authorization)
        .map_err(|_| NoAnswer::Strange("the token cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

async fn follow(
    client: &HubClient,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
) -> Result<Answer, NoAnswer> {
    let mut url = endpoint.url(path);
    for _ in 0..=MAXIMUM_REDIRECTS {
        let mut request = client.http.get(&url);
        if let Some(text) = &authorization {
            request = authorize(request, text)?;
        }
        let mut logged = LoggedRequest::start(&Method::GET, &url);
        let response = request
            .send()
            .await
            .map_err(|error| logged.failed(describe(&error, client.proxy.as_ref())))?;
        let status = response.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            logged.answered(status);
            url = redirection(endpoint, &response)?;
            continue;
        }
        let answer = read(client, response).await;
        return logged.ended(answer);
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
            "it redirects to an address that {}, and the token was not sent there",
            problem.of_server()
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

async fn read(client: &HubClient, mut response: reqwest::Response) -> Result<Answer, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| describe(&error, client.proxy.as_ref()))?
    {
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
