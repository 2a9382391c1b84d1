//! Sends requests to a Hub.
//!
//! A request goes to its endpoint and nowhere else. Redirects are followed manually and only within
//! the endpoint's origin, since the `Authorization` header would go along. A Hub on this machine is
//! never reached through a proxy, whatever the environment says, and its name is never looked up.
//! Nor is a Hub reached through a proxy over plain http: the user trusts the network up to that
//! host, and a proxy would show the token to another one. Response sizes and waiting times are
//! bounded, because a Hub can fail in many ways.

mod certificates;
pub mod log;
mod loopback;
mod proxy;
mod response;
pub mod response_details;
mod route;
mod settings;
pub mod tls;
mod transport_error;

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, Proxy, RequestBuilder};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::strict_url::check_reference;
use crate::sync::lock_ignoring_poison;
pub use certificates::Certificates;
use certificates::FileStamps;
use log::LoggedRequest;
use loopback::LoopbackResolver;
pub use proxy::ProxyName;
pub use response::{Response, TransportError};
use route::Route;
pub use route::RouteId;
pub use settings::Settings;
use transport_error::classify;
pub use transport_error::root_cause;

/// The largest response body that is read, in bytes. An identity with a thousand organizations
/// fits.
const MAXIMUM_BODY: usize = 4 * 1024 * 1024;
/// How many redirects within the endpoint are followed.
const MAXIMUM_REDIRECTS: usize = 5;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for one route to a Hub.
#[derive(Clone)]
pub struct HubClient {
    http: reqwest::Client,
    /// The proxy that its requests go through.
    proxy: Option<ProxyName>,
}

/// The HTTP clients of a process, one per route to a Hub.
#[derive(Default)]
pub struct Transport {
    clients: Mutex<Vec<PooledClient>>,
}

/// A client, and the settings it was built from.
struct PooledClient {
    settings: Settings,
    route: Route,
    /// The state of the named certificate files.
    stamp: FileStamps,
    client: HubClient,
}

impl Transport {
    /// Returns the client for an endpoint. It is built once, and again when the certificates that
    /// the environment names have changed. Certificates are read only for https.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the environment names certificates or a proxy that cannot be
    /// used.
    pub fn client(&self, endpoint: &Endpoint, settings: &Settings) -> Result<HubClient, Error> {
        let route = Route::of(endpoint, settings);
        if route == Route::Proxied && endpoint.as_str().starts_with("https://[") {
            return Err(Error::Configuration(format!(
                "{endpoint} is an IPv6 address, which hubtoken cannot reach through a proxy. Give \
                 the Hub a name, or list its address in NO_PROXY; nothing was sent"
            )));
        }
        let stamp = if route.is_secure() {
            settings.certificates.stamp()
        } else {
            FileStamps::default()
        };
        let mut clients = lock_ignoring_poison(&self.clients);
        let known = clients.iter().position(|kept| {
            kept.route == route && (!route.is_secure() || kept.settings.same_route(settings))
        });
        if let Some(known) = known {
            if clients[known].stamp == stamp {
                return Ok(clients[known].client.clone());
            }
            clients.swap_remove(known);
        }
        let client = build(route, settings)?;
        clients.push(PooledClient {
            settings: settings.clone(),
            route,
            stamp,
            client: client.clone(),
        });
        Ok(client)
    }

    /// Drops all clients, so that certificates are read again.
    pub fn close(&self) {
        lock_ignoring_poison(&self.clients).clear();
    }
}

fn build(route: Route, settings: &Settings) -> Result<HubClient, Error> {
    // Before the certificates, which take longer to read.
    let server = match &settings.proxy {
        Some(named) if route == Route::Proxied => Some(named.parse()?),
        _ => None,
    };
    let tls = tls::client_config(route.is_secure(), &settings.certificates)?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("hubtoken/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .referer(false)
        // The environment was read in `Settings`; reqwest must not read it again.
        .no_proxy();
    let set_up = |error: reqwest::Error| {
        Error::Configuration(format!("HTTP cannot be set up: {}", root_cause(&error)))
    };
    if route.is_local() {
        builder = builder.dns_resolver(LoopbackResolver);
    }
    if let Some(server) = &server {
        builder = builder.proxy(Proxy::all(server.address.as_str()).map_err(set_up)?);
    }
    Ok(HubClient {
        http: builder.build().map_err(set_up)?,
        proxy: server.map(|server| server.name),
    })
}

/// Sends a `GET` request to a path of an endpoint.
///
/// # Errors
///
/// [`TransportError`].
pub async fn get(
    client: &HubClient,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
    timeout: impl Into<TimeLimit>,
) -> Result<Response, TransportError> {
    with_timeout(
        client,
        timeout.into(),
        follow(client, endpoint, path, authorization),
    )
    .await
}

/// Sends a request with a method and an optional JSON body to an endpoint.
///
/// Redirects are not followed: a request that changes something is not sent twice.
///
/// # Errors
///
/// [`TransportError`].
pub async fn send(
    client: &HubClient,
    endpoint: &Endpoint,
    (method, path): (Method, &str),
    authorization: Zeroizing<String>,
    body: Option<&serde_json::Value>,
    timeout: Duration,
) -> Result<Response, TransportError> {
    with_timeout(client, timeout.into(), async {
        let url = endpoint.url(path);
        let mut request = authorize(client.http.request(method.clone(), &url), &authorization)?;
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        send_once(client, (&method, &url), request).await
    })
    .await
}

/// Sends a `POST` request with a body of the caller's encoding and without a token to a path of an
/// endpoint. Redirects are not followed, since the body may contain a secret.
///
/// # Errors
///
/// [`TransportError`].
pub async fn post(
    client: &HubClient,
    endpoint: &Endpoint,
    path: &str,
    (content_type, body): (&'static str, Zeroizing<String>),
    timeout: Duration,
) -> Result<Response, TransportError> {
    with_timeout(client, timeout.into(), async {
        let request = client.http.post(endpoint.url(path));
        let request = request
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, "application/json")
            .body(body.as_bytes().to_vec());
        send_once(client, (&Method::POST, &endpoint.url(path)), request).await
    })
    .await
}

/// Sends a request, and rejects a redirect.
async fn send_once(
    client: &HubClient,
    (method, url): (&Method, &str),
    request: RequestBuilder,
) -> Result<Response, TransportError> {
    let mut logged = LoggedRequest::start(method, url);
    let response = request
        .send()
        .await
        .map_err(|error| logged.failed(classify(&error, client.proxy.as_ref())))?;
    if response.status().is_redirection() {
        logged.answered(response.status());
        return Err(TransportError::unusable(
            &response,
            "it redirects instead of answering",
        ));
    }
    let answer = read(client, response).await;
    logged.ended(answer)
}

/// How long a request may still take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    /// The time that is left.
    pub left: Duration,
    /// The whole time that the caller allowed, which is what errors name: how much of it was spent
    /// before the request depends on the machine.
    pub whole: Duration,
}

impl From<Duration> for TimeLimit {
    fn from(timeout: Duration) -> Self {
        Self {
            left: timeout,
            whole: timeout,
        }
    }
}

async fn with_timeout(
    client: &HubClient,
    limit: TimeLimit,
    answer: impl Future<Output = Result<Response, TransportError>>,
) -> Result<Response, TransportError> {
    tokio::time::timeout(limit.left, answer)
        .await
        .unwrap_or_else(|_| {
            let waited = no_answer_within(limit.whole);
            Err(TransportError::TimedOut {
                after: limit.whole,
                text: match &client.proxy {
                    Some(proxy) => format!("{waited} through the proxy {proxy}"),
                    None => waited,
                },
            })
        })
}

/// "no answer within 10 seconds".
#[must_use]
pub fn no_answer_within(time: Duration) -> String {
    format!("no answer within {} seconds", time.as_secs_f64())
}

/// Adds the `Authorization` header, marked as sensitive.
fn authorize(
    request: RequestBuilder,
    authorization: &str,
) -> Result<RequestBuilder, TransportError> {
    let mut value = HeaderValue::from_str(authorization).map_err(|_| {
        TransportError::Unsendable("the token cannot be sent in a header".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

async fn follow(
    client: &HubClient,
    endpoint: &Endpoint,
    path: &str,
    authorization: Option<Zeroizing<String>>,
) -> Result<Response, TransportError> {
    let mut url = endpoint.url(path);
    let mut redirects = 0;
    loop {
        let mut request = client.http.get(&url);
        if let Some(text) = &authorization {
            request = authorize(request, text)?;
        }
        let mut logged = LoggedRequest::start(&Method::GET, &url);
        let response = request
            .send()
            .await
            .map_err(|error| logged.failed(classify(&error, client.proxy.as_ref())))?;
        let status = response.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            logged.answered(status);
            if redirects == MAXIMUM_REDIRECTS {
                return Err(TransportError::unusable(
                    &response,
                    format!("it redirects more than {MAXIMUM_REDIRECTS} times"),
                ));
            }
            redirects += 1;
            url = redirection(endpoint, &response)?;
            continue;
        }
        let answer = read(client, response).await;
        return logged.ended(answer);
    }
}

/// The target of a redirect, if it is on the same Hub.
fn redirection(
    endpoint: &Endpoint,
    response: &reqwest::Response,
) -> Result<String, TransportError> {
    let unusable = |text: String| TransportError::unusable(response, text);
    let nowhere = || unusable("it redirects without a valid target".to_owned());
    let text = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(nowhere)?;
    let target = response.url().join(text).map_err(|_| nowhere())?;
    check_reference(text).map_err(|problem| {
        unusable(format!(
            "it redirects to an address that {}, and the token was not sent there",
            problem.of_server()
        ))
    })?;
    if endpoint.owns(target.as_str()) {
        return Ok(target.into());
    }
    Err(unusable(format!(
        "it redirects to {}, and the token was not sent there",
        target.origin().ascii_serialization()
    )))
}

async fn read(
    client: &HubClient,
    mut response: reqwest::Response,
) -> Result<Response, TransportError> {
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                let failure = classify(&error, client.proxy.as_ref());
                return Err(TransportError::cut_off(&response, failure.text()));
            }
        };
        if body.len() + chunk.len() > MAXIMUM_BODY {
            let text = format!("its answer is longer than {MAXIMUM_BODY} bytes");
            return Err(TransportError::unusable(&response, text));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}
