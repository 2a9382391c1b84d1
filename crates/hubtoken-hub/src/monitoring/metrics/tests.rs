//! Tests of what is counted and of how it is written.

use super::*;

fn encode(metrics: &Metrics) -> String {
    metrics.encode(&ScrapedValues::default())
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let metrics = Metrics::default();
    for (status, microseconds) in [(200, 100), (200, 700), (404, 40_000_000), (299, 1)] {
        metrics.count_response(
            "/api/{kind}",
            &Method::GET,
            StatusCode::from_u16(status).unwrap(),
            Duration::from_micros(microseconds),
        );
    }
    let page = encode(&metrics);
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
fn names_and_types_are_what_dashboards_know() {
    let values = ScrapedValues {
        disk_free: Some(7),
        ..ScrapedValues::default()
    };
    let page = Metrics::default().encode(&values);
    let types: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE hubtoken_"))
        .collect();
    assert_eq!(
        types,
        [
            "requests_total counter",
            "request_duration_seconds histogram",
            "authentications_total counter",
            "rate_limited_total counter",
            "foreign_hosts_total counter",
            "connections_refused_total counter",
            "failed_handshakes_total counter",
            "xet_read_tokens_total counter",
            "xet_write_tokens_total counter",
            "log_lines_lost_total counter",
            "connections gauge",
            "uploads gauge",
            "users gauge",
            "organizations gauge",
            "tokens gauge",
            "service_accounts gauge",
            "repositories gauge",
            "start_time_seconds gauge",
            "stopping gauge",
            "disk_free_bytes gauge",
            "build_info gauge",
        ]
    );
    assert!(page.contains("# HELP hubtoken_requests_total Requests answered.\n"));
    assert!(page.contains("hubtoken_authentications_total{result=\"anonymous\"} 0\n"));
    assert!(!page.contains("# EOF"));
}

#[test]
fn series_are_sorted() {
    let metrics = Metrics::default();
    for (route, status) in [("/b", 404), ("/b", 200), ("/a", 200)] {
        let status = StatusCode::from_u16(status).unwrap();
        metrics.count_response(route, &Method::GET, status, Duration::ZERO);
    }
    let page = encode(&metrics);
    let counts: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("hubtoken_requests_total"))
        .collect();
    assert_eq!(
        counts,
        [
            "{route=\"/a\",method=\"GET\",status=\"200\"} 1",
            "{route=\"/b\",method=\"GET\",status=\"200\"} 1",
            "{route=\"/b\",method=\"GET\",status=\"404\"} 1",
        ]
    );
}

#[test]
fn what_clients_choose_makes_no_series() {
    let metrics = Metrics::default();
    for number in 0..MAX_SERIES + 50 {
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        metrics.count_response(UNKNOWN, &method, StatusCode::OK, Duration::ZERO);
        metrics.count_response(
            &number.to_string(),
            &Method::GET,
            StatusCode::OK,
            Duration::ZERO,
        );
    }
    assert!(metrics.series.read().unwrap().len() <= MAX_SERIES + 1);
    assert!(encode(&metrics).contains("method=\"other\",status=\"200\"} 1050"));
}

#[test]
fn every_line_is_a_comment_or_a_value() {
    let metrics = Metrics::default();
    metrics.count_auth(AuthOutcome::AdminKeyRejected);
    metrics.count_response("a\"\\", &Method::GET, StatusCode::OK, Duration::ZERO);
    let upload = InFlightGuard::new(&metrics.uploads);
    let text = encode(&metrics);
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
    assert!(encode(&metrics).contains("hubtoken_uploads 0\n"));
}
