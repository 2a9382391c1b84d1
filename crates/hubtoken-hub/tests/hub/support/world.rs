//! A Hub for tests, run in-process on a clock that the test controls.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubtoken_hub::{Clock, HubState, InferenceOptions, RateLimit, Secret, SignInPolicy, app};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub const ENDPOINT: &str = "http://127.0.0.1:8080";
pub const ADMIN: &str = "hubtoken_admin_ofatestofatestofatestofatestofatestofat";
/// 2026-01-02T03:04:05Z.
pub const START: i64 = 1_767_323_045;

pub struct World {
    runtime: Runtime,
    app: Router,
    pub folder: TempDir,
    now: Arc<AtomicI64>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status, error code and error message: the parts that clients base decisions on.
    pub fn verdict(&self) -> (u16, &str, &str) {
        (
            self.status,
            self.header("x-error-code"),
            self.header("x-error-message"),
        )
    }
}

impl World {
    pub fn new() -> Self {
        Self::with_limit(None)
    }

    pub fn with_limit(limit: Option<RateLimit>) -> Self {
        Self::with_policy(limit, SignInPolicy::default())
    }

    pub fn with_policy(limit: Option<RateLimit>, policy: SignInPolicy) -> Self {
        let inference = InferenceOptions::default();
        Self::on(TempDir::new().unwrap(), START, (limit, policy), &inference)
    }

    /// A world on an existing data folder, at a given time.
    pub fn found(folder: TempDir, now: i64) -> Self {
        let inference = InferenceOptions::default();
        Self::on(folder, now, (None, SignInPolicy::default()), &inference)
    }

    fn on(
        folder: TempDir,
        now: i64,
        (limit, policy): (Option<RateLimit>, SignInPolicy),
        inference: &InferenceOptions,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let now = Arc::new(AtomicI64::new(now));
        let reading = Arc::clone(&now);
        let clock = Clock::new(move || {
            OffsetDateTime::from_unix_timestamp(reading.load(Ordering::SeqCst)).unwrap()
        });
        let key = Secret::new(ADMIN.to_owned());
        let state = runtime
            .block_on(HubState::open(folder.path(), ENDPOINT, &key, limit, clock))
            .unwrap()
            .with_sign_in_policy(policy)
            .with_inference(inference)
            .unwrap();
        Self {
            runtime,
            app: app(Arc::new(state)),
            folder,
            now,
        }
    }

    /// A world with `alice`, `bob`, and `acme`, in which alice has the role write and bob the role
    /// read.
    pub fn populated() -> Self {
        Self::new().populate()
    }

    /// The same with upstream servers for the inference API.
    pub fn populated_with(inference: &InferenceOptions) -> Self {
        let rules = (None, SignInPolicy::default());
        Self::on(TempDir::new().unwrap(), START, rules, inference).populate()
    }

    fn populate(self) -> Self {
        let world = self;
        for (name, email) in [("alice", Some("alice@example.invalid")), ("bob", None)] {
            world.admin(
                "POST",
                "users",
                Some(json!({ "name": name, "fullname": "Some One", "email": email })),
            );
        }
        world.admin(
            "POST",
            "organizations",
            Some(json!({ "name": "acme", "fullname": "Acme Inc" })),
        );
        for (user, role) in [("alice", "write"), ("bob", "read")] {
            let path = format!("organizations/acme/members/{user}");
            assert_eq!(
                world
                    .admin("PUT", &path, Some(json!({ "role": role })))
                    .status,
                204
            );
        }
        world
    }

    /// Closes the Hub and returns its folder.
    pub fn into_folder(self) -> TempDir {
        let Self {
            folder,
            app,
            runtime,
            ..
        } = self;
        drop(app);
        drop(runtime);
        folder
    }

    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = self.app.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .unwrap()
                .to_vec();
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
            }
        })
    }

    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body).unwrap())
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.ask("GET", path, token, &[], Body::empty())
    }

    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.ask("POST", path, token, &[], Body::from(body.to_string()))
    }

    pub fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/-/hubtoken/v1/{path}");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.ask(
            method,
            &path,
            Some(ADMIN),
            &[("host", "127.0.0.1:8080")],
            body,
        )
    }

    /// Creates a token and returns its value.
    pub fn token(&self, user: &str, name: &str, role: &str) -> String {
        self.token_from(user, json!({ "name": name, "role": role }))
    }

    pub fn fine(&self, user: &str, scopes: &[(&str, &str)]) -> String {
        let scopes: Vec<Value> = scopes
            .iter()
            .map(|(entity, permission)| json!({ "entity": entity, "permissions": [permission] }))
            .collect();
        self.token_from(
            user,
            json!({ "name": "fine", "role": "fineGrained", "scopes": scopes }),
        )
    }

    pub fn token_from(&self, user: &str, body: Value) -> String {
        let answer = self.admin("POST", &format!("users/{user}/tokens"), Some(body));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Deletes a model of `alice`.
    pub fn delete(&self, token: &str, name: &str) -> Answer {
        let body = json!({ "name": name, "organization": "alice" }).to_string();
        self.ask(
            "DELETE",
            "/api/repos/delete",
            Some(token),
            &[],
            Body::from(body),
        )
    }

    /// Commits a large file to `alice/m` by its SHA-256.
    pub fn commit_large(&self, token: &str, path: &str, oid: &str, size: usize) -> Answer {
        let file = json!({ "path": path, "algo": "sha256", "oid": oid, "size": size });
        let lines = [
            json!({ "key": "header", "value": { "summary": "Upload" } }),
            json!({ "key": "lfsFile", "value": file }),
        ];
        self.commit_lines(token, "alice/m", &lines)
    }

    pub fn create(&self, token: &str, id: &str, private: bool) -> Answer {
        let (owner, name) = id.split_once('/').unwrap();
        let visibility = if private { "private" } else { "public" };
        let body = json!({ "name": name, "organization": owner, "visibility": visibility });
        self.post("/api/repos/create", Some(token), &body)
    }

    /// Commits files to a model's `main`.
    pub fn commit(&self, token: &str, id: &str, files: &[(&str, &[u8])]) -> Answer {
        let mut lines =
            vec![json!({ "key": "header", "value": { "summary": "Upload", "description": "" } })];
        lines.extend(files.iter().map(|(path, data)| {
            let content = STANDARD.encode(data);
            json!({ "key": "file", "value": { "content": content, "path": path, "encoding": "base64" } })
        }));
        self.commit_lines(token, id, &lines)
    }

    pub fn commit_lines(&self, token: &str, id: &str, lines: &[Value]) -> Answer {
        let body: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let path = format!("/api/models/{id}/commit/main");
        self.ask("POST", &path, Some(token), &[], Body::from(body.join("\n")))
    }
}
