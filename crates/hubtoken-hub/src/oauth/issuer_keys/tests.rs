//! An issuer that does what the test tells it to, on a socket of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header::LOCATION};
use axum::response::Response;
use serde_json::json;
use time::macros::datetime;
use tokio::net::TcpListener;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

type Answer = dyn Fn(&str) -> Response + Send + Sync;

struct Site {
    asked: AtomicUsize,
    answer: Mutex<Arc<Answer>>,
}

struct FakeIssuer {
    url: String,
    site: Arc<Site>,
    keys: IssuerKeys,
}

fn json_response(value: &serde_json::Value) -> Response {
    Response::new(Body::from(value.to_string()))
}

fn key_set(id: &str) -> serde_json::Value {
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": X }] })
}

impl FakeIssuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Site {
            asked: AtomicUsize::new(0),
            answer: Mutex::new(Arc::new(|_| Response::new(Body::empty()))),
        });
        let app = Router::new()
            .fallback(|State(site): State<Arc<Site>>, uri: Uri| async move {
                site.asked.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&lock_ignoring_poison(&site.answer));
                answer(uri.path())
            })
            .with_state(Arc::clone(&site));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let issuer = Self {
            url,
            site,
            keys: IssuerKeys::new(Certificates::default()),
        };
        issuer.publishes("k1");
        issuer
    }

    fn answers(&self, answer: impl Fn(&str) -> Response + Send + Sync + 'static) {
        *lock_ignoring_poison(&self.site.answer) = Arc::new(answer);
    }

    /// Answers discovery properly, and the request for keys as given.
    fn answers_keys(&self, answer: impl Fn() -> Response + Send + Sync + 'static) {
        let url = self.url.clone();
        self.answers(move |path| match path {
            "/.well-known/openid-configuration" => {
                json_response(&json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }))
            }
            _ => answer(),
        });
    }

    fn publishes(&self, id: &'static str) {
        self.answers_keys(move || json_response(&key_set(id)));
    }

    fn times_asked(&self) -> usize {
        self.site.asked.swap(0, Ordering::SeqCst)
    }

    async fn find(&self, id: &str, seconds: i64) -> Result<bool, FetchProblem> {
        let now = NOW + Duration::seconds(seconds);
        let has = |keys: &PublicKeys| keys.find(Some(id)).is_some();
        self.keys
            .get(&self.url, true, now, has)
            .await
            .map(|keys| has(&keys))
    }
}

#[tokio::test]
async fn keys_are_kept_and_fetched_again_for_a_new_one() {
    let issuer = FakeIssuer::start().await;
    assert_eq!(issuer.find("k1", 0).await, Ok(true));
    assert_eq!(issuer.find("k1", 3599).await, Ok(true));
    assert_eq!(issuer.times_asked(), 2);
    // An unknown key makes the Hub ask once, however many id tokens name one.
    issuer.publishes("k2");
    assert_eq!(issuer.find("k2", 29).await, Ok(false));
    assert_eq!(issuer.times_asked(), 0);
    assert_eq!(issuer.find("k2", 30).await, Ok(true));
    for forged in ["k3", "k4", "k5"] {
        assert_eq!(issuer.find(forged, 31).await, Ok(false));
    }
    assert_eq!(issuer.find("k1", 32).await, Ok(false));
    assert_eq!(issuer.times_asked(), 2);
    // What is old is fetched again, and so it is if the clock is set back.
    assert_eq!(issuer.find("k2", 3630).await, Ok(true));
    assert_eq!(issuer.times_asked(), 2);
    assert_eq!(issuer.find("k2", -86_400).await, Ok(true));
    assert_eq!(issuer.times_asked(), 2);
}

#[tokio::test]
async fn last_keys_outlive_an_issuer_that_fails() {
    let issuer = FakeIssuer::start().await;
    assert_eq!(issuer.find("k1", 0).await, Ok(true));
    issuer.answers(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    assert_eq!(issuer.find("k1", 3600).await, Ok(true));
    assert_eq!(issuer.find("k1", 86_399).await, Ok(true));
    assert_eq!(
        issuer.find("k1", 86_400).await,
        Err(FetchProblem::Status(500))
    );
    issuer.publishes("k1");
    issuer.times_asked();
    // A failure is not repeated at once either.
    assert_eq!(
        issuer.find("k1", 86_410).await,
        Err(FetchProblem::Status(500))
    );
    assert_eq!(issuer.times_asked(), 0);
    assert_eq!(issuer.find("k1", 86_500).await, Ok(true));
}

#[tokio::test]
async fn all_that_wait_share_one_request() {
    let issuer = FakeIssuer::start().await;
    let all = tokio::join!(
        issuer.find("k1", 0),
        issuer.find("k1", 0),
        issuer.find("k1", 0)
    );
    assert_eq!(all, (Ok(true), Ok(true), Ok(true)));
    assert_eq!(issuer.times_asked(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let issuer = FakeIssuer::start().await;
    let other = FakeIssuer::start().await;
    let target = HeaderValue::from_str(&format!("{}/keys", other.url)).unwrap();
    issuer.answers_keys(move || {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert(LOCATION, target.clone());
        response
    });
    assert_eq!(issuer.find("k1", 0).await, Err(FetchProblem::Redirect));
    assert_eq!(other.times_asked(), 0);
}

#[tokio::test]
async fn large_and_slow_answers_are_cut_off() {
    let issuer = FakeIssuer::start().await;
    issuer.answers_keys(|| Response::new(Body::from(vec![b' '; MAX_BYTES + 1])));
    assert_eq!(issuer.find("k1", 0).await, Err(FetchProblem::TooLarge));
    let mut slow = FakeIssuer::start().await;
    slow.keys.timeout = StdDuration::from_millis(20);
    slow.answers_keys(|| {
        Response::new(Body::new(axum::body::Body::from_stream(
            tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>(),
        )))
    });
    assert_eq!(slow.find("k1", 0).await, Err(FetchProblem::TimedOut));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = slow.keys.get(&closed, true, NOW, |_| true).await;
    assert_eq!(refused.unwrap_err(), FetchProblem::Unreachable);
}

#[tokio::test]
async fn the_configuration_is_that_of_the_issuer() {
    let issuer = FakeIssuer::start().await;
    let url = issuer.url.clone();
    for configuration in [
        json!({}),
        json!([]),
        json!({ "issuer": "https://other.example", "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": url, "jwks_uri": "http://192.0.2.1/keys" }),
        json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": url, "jwks_uri": "https://user:hunter2@other.example/keys" }),
        json!({ "issuer": url, "jwks_uri": 7 }),
    ] {
        let shown = configuration.to_string();
        issuer.answers(move |_| json_response(&configuration));
        let fresh = IssuerKeys::new(Certificates::default());
        let refused = fresh.get(&issuer.url, true, NOW, |_| true).await;
        assert_eq!(refused.unwrap_err(), FetchProblem::Configuration, "{shown}");
    }
    issuer.answers_keys(|| json_response(&json!({ "keys": [] })));
    let refused = issuer.find("k1", 0).await.unwrap_err();
    assert!(matches!(refused, FetchProblem::Keys(_)));
}

#[tokio::test]
async fn a_public_hub_asks_nothing_of_its_own_machine() {
    let issuer = FakeIssuer::start().await;
    let refused = issuer.keys.get(&issuer.url, false, NOW, |_| true).await;
    assert_eq!(refused.unwrap_err(), FetchProblem::NotAllowed);
    assert_eq!(issuer.times_asked(), 0);
}
