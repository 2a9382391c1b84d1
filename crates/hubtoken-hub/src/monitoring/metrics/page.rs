//! Writes the metrics in Prometheus' text format.

use std::fmt::{self, Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BUCKETS, Gauges, Metrics, RouteAndMethod, STATUSES, Series};
use hubtoken_core::sync::read_ignoring_poison;

impl Metrics {
    /// Writes all metrics.
    pub(crate) fn encode(&self, gauges: &Gauges) -> String {
        let mut output = String::with_capacity(16 << 10);
        // Writing to a string cannot fail.
        let _ = self.write(&mut output, gauges);
        output
    }

    fn write(&self, output: &mut String, gauges: &Gauges) -> fmt::Result {
        let all = read_ignoring_poison(&self.series);
        let mut series: Vec<_> = all.iter().map(|(key, series)| (key, &**series)).collect();
        series.sort_by_key(|(key, _)| *key);
        write_requests(output, &series)?;
        write_durations(output, &series)?;
        self.write_auth_outcomes(output)?;
        self.write_counters(output, gauges)?;
        self.write_gauges(output, gauges)
    }

    fn write_auth_outcomes(&self, output: &mut String) -> fmt::Result {
        head(
            output,
            "authentications_total",
            "counter",
            "Requests by the credentials they presented and the result.",
        )?;
        for (count, result) in self.auth_outcomes.iter().zip([
            "anonymous",
            "token",
            "token_refused",
            "admin_key",
            "admin_key_refused",
        ]) {
            let count = count.load(Ordering::Relaxed);
            writeln!(
                output,
                "hubtoken_authentications_total{{result=\"{result}\"}} {count}"
            )?;
        }
        Ok(())
    }

    fn write_counters(&self, output: &mut String, gauges: &Gauges) -> fmt::Result {
        let mut counter = |name, help, value| single(output, name, "counter", help, value);
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counter(
            "rate_limited_total",
            "Requests beyond a rate limit.",
            now(&self.rate_limited),
        )?;
        counter(
            "foreign_hosts_total",
            "Requests for a host that is not this Hub's.",
            now(&self.foreign_hosts),
        )?;
        counter(
            "connections_refused_total",
            "Connections closed because their address had too many.",
            now(&self.connections_refused),
        )?;
        counter(
            "failed_handshakes_total",
            "Connections whose TLS handshake failed.",
            now(&self.failed_handshakes),
        )?;
        counter(
            "log_lines_lost_total",
            "Log lines that could not be written.",
            gauges.lost_log_lines,
        )
    }

    fn write_gauges(&self, output: &mut String, gauges: &Gauges) -> fmt::Result {
        let mut gauge =
            |name, help, value: &dyn Display| single(output, name, "gauge", help, value);
        let connections = self.connections.load(Ordering::Relaxed);
        gauge("connections", "Open connections.", &connections)?;
        let uploads = self.uploads.load(Ordering::Relaxed);
        gauge("uploads", "Commits being received.", &uploads)?;
        gauge("users", "Users.", &gauges.users)?;
        gauge("organizations", "Organizations.", &gauges.organizations)?;
        gauge(
            "tokens",
            "Access tokens, expired ones included.",
            &gauges.tokens,
        )?;
        gauge("repositories", "Repositories.", &gauges.repositories)?;
        gauge(
            "start_time_seconds",
            "When the Hub started, in Unix time.",
            &gauges.started,
        )?;
        gauge(
            "stopping",
            "Whether the Hub is shutting down.",
            &u8::from(gauges.stopping),
        )?;
        if let Some(free) = gauges.disk_free {
            gauge(
                "disk_free_bytes",
                "Free space on the data folder's disk.",
                &free,
            )?;
        }
        head(output, "build_info", "gauge", "The version, as a label.")?;
        writeln!(
            output,
            "hubtoken_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        )
    }
}

fn write_requests(output: &mut String, series: &[(&RouteAndMethod, &Series)]) -> fmt::Result {
    head(output, "requests_total", "counter", "Requests answered.")?;
    for ((route, method), series) in series {
        for (index, count) in series.statuses.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let status = STATUSES
                    .get(index)
                    .map_or_else(|| "other".to_owned(), ToString::to_string);
                writeln!(
                    output,
                    "hubtoken_requests_total{{route=\"{}\",method=\"{method}\",status=\"{status}\"}} {count}",
                    Escaped(route)
                )?;
            }
        }
    }
    Ok(())
}

fn write_durations(output: &mut String, series: &[(&RouteAndMethod, &Series)]) -> fmt::Result {
    head(
        output,
        "request_duration_seconds",
        "histogram",
        "Time from the head of a request to the head of its response.",
    )?;
    for ((route, method), series) in series {
        let labels = format!("route=\"{}\",method=\"{method}\"", Escaped(route));
        let mut sum = 0;
        for (index, count) in series.buckets.iter().enumerate() {
            sum += count.load(Ordering::Relaxed);
            let end = BUCKETS
                .get(index)
                .map_or_else(|| "+Inf".to_owned(), |end| seconds(*end));
            writeln!(
                output,
                "hubtoken_request_duration_seconds_bucket{{{labels},le=\"{end}\"}} {sum}"
            )?;
        }
        let total = seconds(series.microseconds.load(Ordering::Relaxed));
        writeln!(
            output,
            "hubtoken_request_duration_seconds_sum{{{labels}}} {total}"
        )?;
        writeln!(
            output,
            "hubtoken_request_duration_seconds_count{{{labels}}} {sum}"
        )?;
    }
    Ok(())
}

/// Writes a metric that has only one value.
fn single(
    output: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    value: impl Display,
) -> fmt::Result {
    head(output, name, kind, help)?;
    writeln!(output, "hubtoken_{name} {value}")
}

fn head(output: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(output, "# HELP hubtoken_{name} {help}")?;
    writeln!(output, "# TYPE hubtoken_{name} {kind}")
}

fn seconds(microseconds: u64) -> String {
    let text = format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label value, escaped.
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
