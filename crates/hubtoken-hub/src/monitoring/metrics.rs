//! The Hub's metrics, for Prometheus.
//!
//! A label is a route template, a method, a status or a fixed word, never a name, a path or
//! anything else that a client chooses. The number of series is therefore bounded by the number of
//! routes, however long the Hub runs and whatever clients send. A request takes a shared lock and
//! adds to a few atomic counters; it never waits for a lock held by another request.

mod page;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use hubtoken_core::sync::{read_ignoring_poison, write_ignoring_poison};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// The upper bounds of the histogram's buckets, in microseconds: from an in-memory lookup to an
/// upload.
const BUCKETS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];
/// The statuses that are counted individually; all others count as `other`.
const STATUSES: [u16; 30] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 400, 401, 403, 404, 405, 409, 412, 413, 415,
    416, 421, 422, 429, 431, 500, 501, 502, 503, 504, 507,
];
/// All routes are known at compile time; this bounds the cost of a mistake there.
const MAX_SERIES: usize = 1_000;

/// The credentials of a request and whether they were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthOutcome {
    /// No credentials.
    Anonymous,
    /// A valid token.
    Token,
    /// A token that is unknown, deleted, expired or malformed.
    TokenRejected,
    /// The admin key.
    AdminKey,
    /// Invalid credentials for the administration API.
    AdminKeyRejected,
}

type RouteAndMethod = (Arc<str>, &'static str);
type SeriesByRoute = RwLock<HashMap<RouteAndMethod, Arc<Series>>>;

/// All counters of one Hub.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: Arc<SeriesByRoute>,
    auth_outcomes: [Counter; 5],
    pub rate_limited: Counter,
    pub foreign_hosts: Counter,
    /// Connections that are currently open.
    pub connections: Gauge,
    /// Connections closed without being served, because their address had too many.
    pub connections_refused: Counter,
    pub failed_handshakes: Counter,
    /// Commits, LFS objects and Xet's packs being received.
    pub uploads: Gauge,
    /// Tokens of Xet that read.
    pub xet_read_tokens: Counter,
    /// Tokens of Xet that write.
    pub xet_write_tokens: Counter,
}

/// The requests with one route and method. The histogram is not `prometheus_client`'s, which takes a
/// mutex and adds up durations in floating point.
#[derive(Debug, Default)]
struct Series {
    statuses: [AtomicU64; STATUSES.len() + 1],
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
}

/// Values that are not counted but read when the metrics are requested.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScrapedValues {
    pub users: u64,
    pub organizations: u64,
    pub tokens: u64,
    pub service_accounts: u64,
    pub repositories: u64,
    pub disk_free: Option<u64>,
    pub started: i64,
    pub lost_log_lines: u64,
    pub stopping: bool,
}

/// A gauge that is incremented while this guard lives.
pub(crate) struct InFlightGuard<'a>(&'a Gauge);

impl<'a> InFlightGuard<'a> {
    pub(crate) fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn count_response(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let method = method_name(method);
        let series = self.series(route, method);
        let index = STATUSES
            .binary_search(&status.as_u16())
            .unwrap_or(STATUSES.len());
        series.statuses[index].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < microseconds);
        series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        series
            .microseconds
            .fetch_add(microseconds, Ordering::Relaxed);
    }

    fn series(&self, route: &str, method: &'static str) -> Arc<Series> {
        let known = read_ignoring_poison(&self.series);
        if let Some(series) = known.get(&(route, method) as &dyn SeriesKey) {
            return Arc::clone(series);
        }
        let full = known.len() >= MAX_SERIES;
        drop(known);
        if full && route != UNKNOWN {
            return self.series(UNKNOWN, method);
        }
        let mut all = write_ignoring_poison(&self.series);
        Arc::clone(all.entry((Arc::from(route), method)).or_default())
    }

    pub(crate) fn count_refused_connection(&self) {
        self.connections_refused.inc();
    }

    pub(crate) fn count_failed_handshake(&self) {
        self.failed_handshakes.inc();
    }

    pub(crate) fn count_auth(&self, what: AuthOutcome) {
        self.auth_outcomes[what as usize].inc();
    }
}

/// The route label of requests that match no route.
pub(crate) const UNKNOWN: &str = "(none)";

/// Maps the method to a fixed label, so that clients cannot create metric series.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Allows lookups by a borrowed route, so that counting allocates nothing.
trait SeriesKey {
    fn parts(&self) -> (&str, &'static str);
}

impl SeriesKey for RouteAndMethod {
    fn parts(&self) -> (&str, &'static str) {
        (&self.0, self.1)
    }
}

impl SeriesKey for (&str, &'static str) {
    fn parts(&self) -> (&str, &'static str) {
        (self.0, self.1)
    }
}

impl std::hash::Hash for dyn SeriesKey + '_ {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn SeriesKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn SeriesKey + '_ {}

impl<'a> std::borrow::Borrow<dyn SeriesKey + 'a> for RouteAndMethod {
    fn borrow(&self) -> &(dyn SeriesKey + 'a) {
        self
    }
}

#[cfg(test)]
mod tests;
