//! Emits a debug event for each request: what was requested from which host, and its outcome.
//!
//! An event has the method, the host, the path, the status, and the duration. It never has a header
//! or a query, where secrets are. Without a subscriber an event costs one comparison.

use std::time::Instant;

use reqwest::{Method, StatusCode, Url};

use super::{Response, TransportError};

/// The target of the events; Python's `logging` knows it as `hubtoken.http`.
pub const TARGET: &str = "hubtoken::http";

/// One request, from when it is sent. If it is dropped before its outcome is known, it timed out.
pub(super) struct LoggedRequest {
    method: Method,
    url: Option<Url>,
    started: Instant,
}

impl LoggedRequest {
    /// Starts the clock.
    pub(super) fn start(method: &Method, url: &str) -> Self {
        let is_on = tracing::enabled!(target: TARGET, tracing::Level::DEBUG);
        Self {
            method: method.clone(),
            // Parsed only if someone reads the log.
            url: is_on.then(|| Url::parse(url).ok()).flatten(),
            started: Instant::now(),
        }
    }

    /// Emits the status of a response whose body is not read.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.write(Some(status.as_u16()), "");
    }

    /// Emits the reason for a missing response.
    pub(super) fn failed(&mut self, failure: TransportError) -> TransportError {
        self.write(None, failure.text());
        failure
    }

    /// Emits the outcome of reading a whole response.
    pub(super) fn ended(
        &mut self,
        answer: Result<Response, TransportError>,
    ) -> Result<Response, TransportError> {
        match answer {
            Ok(answer) => {
                self.write(Some(answer.status), "");
                Ok(answer)
            }
            Err(failure) => Err(self.failed(failure)),
        }
    }

    fn write(&mut self, status: Option<u16>, error: &str) {
        let Some(url) = self.url.take() else {
            return;
        };
        let host = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let duration_ms = self.started.elapsed().as_secs_f64() * 1e3;
        tracing::debug!(
            target: TARGET,
            method = self.method.as_str(),
            host,
            path = url.path(),
            status,
            duration_ms,
            error,
        );
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        self.write(None, "no answer in time");
    }
}
