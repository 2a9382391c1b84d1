//! What the Hub counts about itself, written as Prometheus reads it.
//!
//! A label is a route's template, a method, a status or a word of ours, never a name, a path or anything else that a
//! client chooses: so there are as many series as there are routes, however long the Hub runs and whoever asks. A
//! request takes a shared lock and adds to a few atomic numbers.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};

/// The upper ends of the histogram's buckets, in microseconds: from a look-up in memory to an upload.
const BUCKETS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];
/// The statuses that are counted by themselves; any other one counts as `other`.
const STATUSES: [u16; 30] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 400, 401, 403, 404, 405, 409, 412, 413, 415,
    416, 421, 422, 429, 431, 500, 501, 502, 503, 504, 507,
];
/// Every route is known at compile time; this bounds what a mistake there could cost.
const MOST_SERIES: usize = 1_000;

/// How a request said who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing was shown.
    Nothing,
    /// A token that is valid.
    Token,
    /// A token that is unknown, deleted or expired, or no token at all.
    Refused,
    /// The admin key.
    AdminKey,
    /// Something else, to the administration API.
    AdminRefused,
}

type RouteAndMethod = (Arc<str>, &'static str);

/// All counters of one Hub.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: RwLock<HashMap<RouteAndMethod, Arc<Series>>>,
    shown: [AtomicU64; 5],
    pub rate_limited: AtomicU64,
    pub foreign_hosts: AtomicU64,
    /// Connections that are open now.
    pub connections: AtomicI64,
    /// Connections that were closed unheard, since their address had too many.
    pub connections_refused: AtomicU64,
    pub failed_handshakes: AtomicU64,
    /// Commits that are being received.
    pub uploads: AtomicI64,
}

#[derive(Debug, Default)]
struct Series {
    statuses: [AtomicU64; STATUSES.len() + 1],
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
}

/// What is not counted but looked up when it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    pub users: u64,
    pub organizations: u64,
    pub tokens: u64,
    pub repositories: u64,
    pub disk_free: Option<u64>,
    pub started: i64,
    pub lost_log_lines: u64,
    pub stopping: bool,
}

/// Adds one while it lives.
pub(crate) struct Under<'a>(&'a AtomicI64);

impl<'a> Under<'a> {
    pub(crate) fn way(gauge: &'a AtomicI64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn answered(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let method = method_name(method);
        let series = self.series(route, method);
        let place = STATUSES
            .binary_search(&status.as_u16())
            .unwrap_or(STATUSES.len());
        series.statuses[place].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < microseconds);
        series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        series
            .microseconds
            .fetch_add(microseconds, Ordering::Relaxed);
    }

    fn series(&self, route: &str, method: &'static str) -> Arc<Series> {
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&(route, method) as &dyn Key) {
            return Arc::clone(series);
        }
        let full = known.len() >= MOST_SERIES;
        drop(known);
        if full && route != UNKNOWN {
            return self.series(UNKNOWN, method);
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((Arc::from(route), method)).or_default())
    }

    pub(crate) fn refused_connection(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed_handshake(&self) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn shown(&self, what: Shown) {
        self.shown[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, in Prometheus' text format.
    pub(crate) fn page(&self, gauges: &Gauges) -> String {
        let mut page = String::with_capacity(16 << 10);
        // Writing to a string does not fail.
        let _ = self.write(&mut page, gauges);
        page
    }

    fn write(&self, page: &mut String, gauges: &Gauges) -> fmt::Result {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let mut series: Vec<_> = all.iter().collect();
        series.sort_by(|left, right| left.0.cmp(right.0));
        head(page, "requests_total", "counter", "Requests answered.")?;
        for ((route, method), series) in &series {
            for (place, count) in series.statuses.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = STATUSES
                        .get(place)
                        .map_or_else(|| "other".to_owned(), ToString::to_string);
                    writeln!(
                        page,
                        "hubtoken_requests_total{{route=\"{}\",method=\"{method}\",status=\"{status}\"}} {count}",
                        Escaped(route)
                    )?;
                }
            }
        }
        head(
            page,
            "request_duration_seconds",
            "histogram",
            "Time from a request's head to its answer's.",
        )?;
        for ((route, method), series) in &series {
            let labels = format!("route=\"{}\",method=\"{method}\"", Escaped(route));
            let mut sum = 0;
            for (place, count) in series.buckets.iter().enumerate() {
                sum += count.load(Ordering::Relaxed);
                let end = BUCKETS
                    .get(place)
                    .map_or_else(|| "+Inf".to_owned(), |end| seconds(*end));
                writeln!(
                    page,
                    "hubtoken_request_duration_seconds_bucket{{{labels},le=\"{end}\"}} {sum}"
                )?;
            }
            let total = seconds(series.microseconds.load(Ordering::Relaxed));
            writeln!(
                page,
                "hubtoken_request_duration_seconds_sum{{{labels}}} {total}"
            )?;
            writeln!(
                page,
                "hubtoken_request_duration_seconds_count{{{labels}}} {sum}"
            )?;
        }
        head(
            page,
            "authentications_total",
            "counter",
            "What requests showed, and what came of it.",
        )?;
        for (count, result) in self.shown.iter().zip([
            "anonymous",
            "token",
            "token_refused",
            "admin_key",
            "admin_key_refused",
        ]) {
            let count = count.load(Ordering::Relaxed);
            writeln!(
                page,
                "hubtoken_authentications_total{{result=\"{result}\"}} {count}"
            )?;
        }
        self.write_single(page, gauges)
    }

    fn write_single(&self, page: &mut String, gauges: &Gauges) -> fmt::Result {
        let counters = [
            (
                "rate_limited_total",
                "Requests beyond a rate limit.",
                &self.rate_limited,
            ),
            (
                "foreign_hosts_total",
                "Requests for a host that is not this Hub's.",
                &self.foreign_hosts,
            ),
            (
                "connections_refused_total",
                "Connections closed because their address had too many.",
                &self.connections_refused,
            ),
            (
                "failed_handshakes_total",
                "Connections that did not get through the TLS handshake.",
                &self.failed_handshakes,
            ),
        ];
        for (name, help, value) in counters {
            head(page, name, "counter", help)?;
            writeln!(page, "hubtoken_{name} {}", value.load(Ordering::Relaxed))?;
        }
        head(
            page,
            "log_lines_lost_total",
            "counter",
            "Lines that the log could not take.",
        )?;
        writeln!(
            page,
            "hubtoken_log_lines_lost_total {}",
            gauges.lost_log_lines
        )?;
        let now = |gauge: &AtomicI64| gauge.load(Ordering::Relaxed);
        let values = [
            (
                "connections",
                "Open connections.",
                now(&self.connections).to_string(),
            ),
            (
                "uploads",
                "Commits being received.",
                now(&self.uploads).to_string(),
            ),
            ("users", "Users.", gauges.users.to_string()),
            (
                "organizations",
                "Organizations.",
                gauges.organizations.to_string(),
            ),
            (
                "tokens",
                "Access tokens, expired ones included.",
                gauges.tokens.to_string(),
            ),
            (
                "repositories",
                "Repositories.",
                gauges.repositories.to_string(),
            ),
            (
                "start_time_seconds",
                "When the Hub started, in Unix time.",
                gauges.started.to_string(),
            ),
            (
                "stopping",
                "Whether the Hub is about to end.",
                u8::from(gauges.stopping).to_string(),
            ),
        ];
        for (name, help, value) in values {
            head(page, name, "gauge", help)?;
            writeln!(page, "hubtoken_{name} {value}")?;
        }
        if let Some(free) = gauges.disk_free {
            head(
                page,
                "disk_free_bytes",
                "gauge",
                "Room on the data folder's disk.",
            )?;
            writeln!(page, "hubtoken_disk_free_bytes {free}")?;
        }
        head(page, "build_info", "gauge", "The version, as a label.")?;
        writeln!(
            page,
            "hubtoken_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// The route of a request that no route takes.
pub(crate) const UNKNOWN: &str = "(none)";

/// The method as a word of ours: a client may send any.
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

fn head(page: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(page, "# HELP hubtoken_{name} {help}")?;
    writeln!(page, "# TYPE hubtoken_{name} {kind}")
}

fn seconds(microseconds: u64) -> String {
    let text = format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label's value.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|each| match each {
            '\\' => formatter.write_str("\\\\"),
            '"' => formatter.write_str("\\\""),
            '\n' => formatter.write_str("\\n"),
            each => formatter.write_char(each),
        })
    }
}

/// A look-up by a borrowed route, so that a request allocates nothing.
trait Key {
    fn parts(&self) -> (&str, &'static str);
}

impl Key for RouteAndMethod {
    fn parts(&self) -> (&str, &'static str) {
        (&self.0, self.1)
    }
}

impl Key for (&str, &'static str) {
    fn parts(&self) -> (&str, &'static str) {
        (self.0, self.1)
    }
}

impl std::hash::Hash for dyn Key + '_ {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Key + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Key + '_ {}

impl<'a> std::borrow::Borrow<dyn Key + 'a> for RouteAndMethod {
    fn borrow(&self) -> &(dyn Key + 'a) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics) -> String {
        metrics.page(&Gauges::default())
    }

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::default();
        for (status, microseconds) in [(200, 100), (200, 700), (404, 40_000_000), (299, 1)] {
            metrics.answered(
                "/api/{kind}",
                &Method::GET,
                StatusCode::from_u16(status).unwrap(),
                Duration::from_micros(microseconds),
            );
        }
        let page = page(&metrics);
        for line in [
            "hubtoken_requests_total{route=\"/api/{kind}\",method=\"GET\",status=\"200\"} 2",
            "hubtoken_requests_total{route=\"/api/{kind}\",method=\"GET\",status=\"404\"} 1",
            "hubtoken_requests_total{route=\"/api/{kind}\",method=\"GET\",status=\"other\"} 1",
            "hubtoken_request_duration_seconds_bucket{route=\"/api/{kind}\",method=\"GET\",le=\"0.00025\"} 2",
            "hubtoken_request_duration_seconds_bucket{route=\"/api/{kind}\",method=\"GET\",le=\"0.001\"} 3",
            "hubtoken_request_duration_seconds_bucket{route=\"/api/{kind}\",method=\"GET\",le=\"+Inf\"} 4",
            "hubtoken_request_duration_seconds_sum{route=\"/api/{kind}\",method=\"GET\"} 40.000801",
        ] {
            assert!(page.lines().any(|each| each == line), "{line}\n{page}");
        }
    }

    #[test]
    fn what_clients_choose_makes_no_series() {
        let metrics = Metrics::default();
        for number in 0..MOST_SERIES + 50 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            metrics.answered(UNKNOWN, &method, StatusCode::OK, Duration::ZERO);
            metrics.answered(
                &number.to_string(),
                &Method::GET,
                StatusCode::OK,
                Duration::ZERO,
            );
        }
        assert!(metrics.series.read().unwrap().len() <= MOST_SERIES + 1);
        assert!(page(&metrics).contains("method=\"other\",status=\"200\"} 1050"));
    }

    #[test]
    fn every_line_is_a_comment_or_a_value() {
        let metrics = Metrics::default();
        metrics.shown(Shown::AdminRefused);
        metrics.answered("a\"\\", &Method::GET, StatusCode::OK, Duration::ZERO);
        let upload = Under::way(&metrics.uploads);
        let text = page(&metrics);
        assert!(text.contains("route=\"a\\\"\\\\\""));
        assert!(text.contains("hubtoken_uploads 1\n"));
        assert!(text.contains("result=\"admin_key_refused\"} 1"));
        for line in text.lines() {
            let value = line.rsplit(' ').next().unwrap();
            assert!(
                line.starts_with("# ") || value.parse::<f64>().is_ok(),
                "{line}"
            );
        }
        drop(upload);
        assert!(page(&metrics).contains("hubtoken_uploads 0\n"));
    }
}
