//! The metrics' names and descriptions, and how what is counted per route becomes series.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hubtoken_core::sync::read_ignoring_poison;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{BUCKETS, Metrics, RouteAndMethod, STATUSES, ScrapedValues, Series, SeriesByRoute};

/// The label of each [`super::AuthOutcome`].
const AUTH_OUTCOMES: [&str; 5] = [
    "anonymous",
    "token",
    "token_refused",
    "admin_key",
    "admin_key_refused",
];

impl Metrics {
    /// Writes all metrics in Prometheus' text format.
    pub(crate) fn encode(&self, values: &ScrapedValues) -> String {
        let mut output = String::with_capacity(16 << 10);
        // Writing to a string cannot fail.
        let _ = prometheus_text::encode(&mut output, &self.registry(values));
        output
    }

    /// All metrics. Each scrape has a registry of its own, since some values are read only for it.
    fn registry(&self, values: &ScrapedValues) -> Registry {
        let mut registry = Registry::with_prefix("hubtoken");
        registry.register(
            "requests",
            "Requests answered",
            Requests(Arc::clone(&self.series)),
        );
        registry.register(
            "request_duration_seconds",
            "Time from the head of a request to the head of its response",
            Durations(Arc::clone(&self.series)),
        );
        registry.register(
            "authentications",
            "Requests by the credentials they presented and the result",
            AuthOutcomes(self.auth_outcomes.clone()),
        );
        self.register_counters(&mut registry, values);
        self.register_gauges(&mut registry, values);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version, as a label", Info::new(version));
        registry
    }

    fn register_counters(&self, registry: &mut Registry, values: &ScrapedValues) {
        for (name, help, counter) in [
            (
                "rate_limited",
                "Requests beyond a rate limit",
                &self.rate_limited,
            ),
            (
                "foreign_hosts",
                "Requests for a host that is not this Hub's",
                &self.foreign_hosts,
            ),
            (
                "connections_refused",
                "Connections closed because their address had too many",
                &self.connections_refused,
            ),
            (
                "failed_handshakes",
                "Connections whose TLS handshake failed",
                &self.failed_handshakes,
            ),
            (
                "xet_read_tokens",
                "Tokens issued that download by Xet",
                &self.xet_read_tokens,
            ),
            (
                "xet_write_tokens",
                "Tokens issued that upload by Xet",
                &self.xet_write_tokens,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "log_lines_lost",
            "Log lines that could not be written",
            ConstCounter::new(values.lost_log_lines),
        );
    }

    fn register_gauges(&self, registry: &mut Registry, values: &ScrapedValues) {
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "uploads",
            "Commits and large files being received",
            self.uploads.clone(),
        );
        for (name, help, value) in [
            ("users", "Users", values.users),
            ("organizations", "Organizations", values.organizations),
            (
                "tokens",
                "Access tokens, expired ones and those of service accounts included",
                values.tokens,
            ),
            (
                "service_accounts",
                "Service accounts",
                values.service_accounts,
            ),
            ("repositories", "Repositories", values.repositories),
        ] {
            registry.register(name, help, ConstGauge::new(value));
        }
        registry.register(
            "start_time_seconds",
            "When the Hub started, in Unix time",
            ConstGauge::new(values.started),
        );
        registry.register(
            "stopping",
            "Whether the Hub is shutting down",
            ConstGauge::new(u64::from(values.stopping)),
        );
        if let Some(free) = values.disk_free {
            registry.register(
                "disk_free_bytes",
                "Free space on the data folder's disk",
                ConstGauge::new(free),
            );
        }
    }
}

/// The requests, by route, method and status.
#[derive(Debug)]
struct Requests(Arc<SeriesByRoute>);

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for ((route, method), series) in sorted(&self.0) {
            for (index, count) in series.statuses.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count == 0 {
                    continue;
                }
                let status = STATUSES
                    .get(index)
                    .map_or_else(|| "other".to_owned(), ToString::to_string);
                let labels = [("route", &*route), ("method", method), ("status", &status)];
                ConstCounter::new(count).encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// The time that requests took, by route and method.
#[derive(Debug)]
struct Durations(Arc<SeriesByRoute>);

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for ((route, method), series) in sorted(&self.0) {
            let ends = BUCKETS.map(seconds).into_iter().chain([f64::INFINITY]);
            let counts = series
                .buckets
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            let buckets: Vec<_> = ends.zip(counts).collect();
            let sum = seconds(series.microseconds.load(Ordering::Relaxed));
            let labels = [("route", &*route), ("method", method)];
            encoder
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// The results of authentication. All are written from the start, so that a first one is a change.
#[derive(Debug)]
struct AuthOutcomes([Counter; 5]);

impl EncodeMetric for AuthOutcomes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (result, count) in AUTH_OUTCOMES.into_iter().zip(&self.0) {
            count.encode(encoder.encode_family(&[("result", result)])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// The series in a stable order.
fn sorted(series: &SeriesByRoute) -> Vec<(RouteAndMethod, Arc<Series>)> {
    let known = read_ignoring_poison(series);
    let mut all: Vec<_> = known
        .iter()
        .map(|(key, series)| (key.clone(), Arc::clone(series)))
        .collect();
    drop(known);
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn seconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64()
}
