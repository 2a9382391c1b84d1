//! The servers behind the inference API. They are configured once, when the Hub starts, and a
//! request can only select one of them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;
use zeroize::Zeroizing;

use super::options::{InferenceOptions, Upstream, invalid};
use crate::error::HubError;
use crate::local_url::is_on_this_machine;
use crate::names;
use hubtoken_core::bounded_file::read_secret;
use hubtoken_core::http::{self, Certificates};
use hubtoken_core::strict_url::Origin;

/// The model name that stands for every model without an upstream of its own.
const ANY: &str = "*";
const MAX_MODEL_BYTES: usize = 200;
const MAX_KEY_BYTES: u64 = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Less than the five seconds after which common servers close an idle connection: a request sent
/// at that instant would fail and could not be retried.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// All upstreams, and the client used to reach them.
#[derive(Debug)]
pub(super) struct Upstreams {
    named: BTreeMap<String, ModelUpstream>,
    any: Option<Arc<Server>>,
    pub client: Client,
}

#[derive(Debug)]
struct ModelUpstream {
    /// The model's name as the operator spelled it.
    model: String,
    server: Arc<Server>,
}

/// One model server.
#[derive(Debug)]
pub(super) struct Server {
    /// The base URL, without a trailing slash.
    base: String,
    /// The scheme, host and port, for the log.
    pub origin: String,
    /// Marked as sensitive, which redacts it in `Debug` output.
    pub key: Option<HeaderValue>,
}

impl Upstreams {
    pub(super) fn load(options: &InferenceOptions) -> Result<Self, HubError> {
        let mut named = BTreeMap::new();
        let mut any = None;
        let mut secure = false;
        for upstream in &options.upstreams {
            let url = parse_url(upstream)?;
            secure |= url.scheme() == "https";
            let server = Arc::new(Server {
                base: url
                    .as_str()
                    .trim_end_matches('/')
                    .trim_end_matches("/v1")
                    .trim_end_matches('/')
                    .to_owned(),
                origin: url.origin().ascii_serialization(),
                key: key(upstream, &url)?,
            });
            let is_duplicate = if upstream.model == ANY {
                any.replace(server).is_some()
            } else {
                let model = upstream.model.clone();
                named
                    .insert(names::key(&model), ModelUpstream { model, server })
                    .is_some()
            };
            if is_duplicate {
                return Err(invalid_upstream(
                    upstream,
                    "the model has two of them (model names are case-insensitive)",
                ));
            }
        }
        Ok(Self {
            named,
            any,
            client: client(&options.certificates, secure)?,
        })
    }

    /// The server for a model.
    pub(super) fn of(&self, model: &str) -> Option<&Arc<Server>> {
        self.named
            .get(&names::key(model))
            .map(|named| &named.server)
            .or(self.any.as_ref())
    }

    /// Whether a model has an upstream of its own.
    pub(super) fn is_named(&self, model: &str) -> bool {
        self.named.contains_key(&names::key(model))
    }

    /// The models with upstreams of their own, by name.
    pub(super) fn models(&self) -> impl Iterator<Item = &str> {
        self.named.values().map(|named| named.model.as_str())
    }
}

impl Server {
    /// The URL of a request. `path` comes from the allowlist and begins with a slash. The query is
    /// the client's.
    pub(super) fn url(&self, path: &str, query: Option<&str>) -> String {
        match query {
            Some(query) => format!("{}{path}?{query}", self.base),
            None => format!("{}{path}", self.base),
        }
    }
}

fn parse_url(upstream: &Upstream) -> Result<Url, HubError> {
    let wrong = |reason: &str| invalid_upstream(upstream, reason);
    let model = &upstream.model;
    let plain = |byte: u8| byte.is_ascii_graphic();
    if model.is_empty() || model.len() > MAX_MODEL_BYTES || !model.bytes().all(plain) {
        return Err(wrong(
            "the model's name is empty, too long or contains invalid characters",
        ));
    }
    let url = Url::parse(&upstream.url)
        .map_err(|_| wrong("it is not a valid URL; write it like http://127.0.0.1:8000"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "a secret in a URL is visible to everyone; put it in a key file",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    // The server's key is sent to this address, so the URL must not be open to misreading.
    Origin::of(&upstream.url).map_err(|problem| wrong(&format!("it {problem}")))?;
    Ok(url)
}

/// The header with the server's key. A key file that other users can read is rejected, like a
/// certificate's key.
fn key(upstream: &Upstream, url: &Url) -> Result<Option<HeaderValue>, HubError> {
    let Some(path) = &upstream.key_file else {
        return Ok(None);
    };
    let because = |reason: &str| format!("its key cannot be used: {reason}");
    let wrong = |reason: &str| HubError::UnusableOption {
        what: shown(upstream),
        reason: because(reason),
    };
    if url.scheme() == "http" && !is_on_this_machine(url) {
        return Err(invalid_upstream(
            upstream,
            &because("plain http to another machine would expose it to the network"),
        ));
    }
    let metadata = path
        .metadata()
        .map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(wrong(&format!(
            "every user on this machine may read {}: fix its permissions with chmod o-rwx",
            path.display()
        )));
    }
    let text = read_secret(path, MAX_KEY_BYTES)
        .map_err(|error| wrong(&error))?
        .ok_or_else(|| wrong(&format!("{} does not exist", path.display())))?;
    let text = text.trim();
    let header = Zeroizing::new(format!("Bearer {text}"));
    let mut value = HeaderValue::from_str(&header)
        .ok()
        .filter(|_| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| {
            wrong(&format!(
                "{} does not contain exactly one key",
                path.display()
            ))
        })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// An HTTP/1.1 client without redirects, proxies or `Referer`.
fn client(certificates: &Certificates, secure: bool) -> Result<Client, HubError> {
    let unusable = |reason: String| HubError::UnusableOption {
        what: "the client for the upstreams".to_owned(),
        reason,
    };
    let tls = http::tls::client_config(secure, certificates)
        .map_err(|error| unusable(error.to_string()))?;
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build()
        .map_err(|error| unusable(error.to_string()))
}

fn invalid_upstream(upstream: &Upstream, reason: &str) -> HubError {
    invalid(&shown(upstream), reason)
}

/// An upstream in a message, by its model: the URL may contain a password.
fn shown(upstream: &Upstream) -> String {
    let model: String = upstream.model.escape_debug().take(100).collect();
    format!("the upstream of `{model}`")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn options(upstreams: &[(&str, &str)]) -> InferenceOptions {
        InferenceOptions {
            upstreams: upstreams
                .iter()
                .map(|(model, url)| Upstream {
                    model: (*model).to_owned(),
                    url: (*url).to_owned(),
                    key_file: None,
                })
                .collect(),
            ..InferenceOptions::default()
        }
    }

    fn url_of(base: &str) -> String {
        let upstreams = Upstreams::load(&options(&[("*", base)])).unwrap();
        let server = upstreams.of("any").unwrap();
        server.url("/v1/chat/completions", Some("a=b"))
    }

    #[test]
    fn a_path_is_put_below_the_configured_address() {
        for (base, expected) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000"),
            ("http://gpu.internal/llm", "http://gpu.internal/llm"),
        ] {
            let expected = format!("{expected}/v1/chat/completions?a=b");
            assert_eq!(url_of(base), expected);
        }
    }

    #[test]
    fn a_model_of_its_own_comes_before_the_rest() {
        let upstreams = Upstreams::load(&options(&[
            ("*", "http://127.0.0.1:1"),
            ("alice/Tiny", "http://127.0.0.1:2"),
        ]))
        .unwrap();
        assert_eq!(
            upstreams.of("Alice/tiny").unwrap().base,
            "http://127.0.0.1:2"
        );
        assert_eq!(upstreams.of("bob/x").unwrap().base, "http://127.0.0.1:1");
        assert_eq!(upstreams.models().collect::<Vec<_>>(), ["alice/Tiny"]);
        let none = Upstreams::load(&options(&[("a", "http://127.0.0.1:2")])).unwrap();
        assert!(none.of("b").is_none());
    }

    #[test]
    fn what_is_no_servers_address_is_refused() {
        for url in [
            "",
            "127.0.0.1:8000",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "http://alice:hunter2@127.0.0.1",
            "http://127.0.0.1?x",
            "http://127.0.0.1#x",
            r"http://127.0.0.1:8000\@192.0.2.1",
            "http://127.1:8000",
            "http://127.0.0.1:08000",
            "http://127.0.0.1:8000\n",
        ] {
            let error = Upstreams::load(&options(&[("m", url)])).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let twice = options(&[("a/b", "http://127.0.0.1"), ("A/b", "http://127.0.0.1")]);
        assert!(Upstreams::load(&twice).is_err());
        assert!(Upstreams::load(&options(&[("a b", "http://127.0.0.1")])).is_err());
    }

    #[test]
    fn a_key_is_read_from_a_file_that_others_cannot_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "key-FakeFake").unwrap();
        let mut wanted = options(&[("m", "http://127.0.0.1:8000")]);
        wanted.upstreams[0].key_file = Some(file.path().to_owned());
        let upstreams = Upstreams::load(&wanted).unwrap();
        let key = upstreams.of("m").unwrap().key.as_ref().unwrap();
        assert_eq!(key.as_bytes(), b"Bearer key-FakeFake");
        assert!(!format!("{upstreams:?}").contains("FakeFake"));

        let mut elsewhere = wanted.clone();
        elsewhere.upstreams[0].url = "http://192.0.2.1".to_owned();
        assert!(Upstreams::load(&elsewhere).is_err());

        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(file.path(), mode).unwrap();
        let error = Upstreams::load(&wanted).unwrap_err().to_string();
        assert!(
            error.contains("chmod") && !error.contains("FakeFake"),
            "{error}"
        );
    }
}
