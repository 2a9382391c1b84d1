//! The debug events of requests: what they say, and that they hold no secret.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use hubtoken_core::http::log::TARGET;
use hubtoken_core::identity::client::Client;
use hubtoken_core::identity::{Options, Settings};
use hubtoken_core::interrupt::NeverInterrupted;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::client::{ALICE, TOKEN, credential};
use crate::support::fake_hub::{FakeHub, answer};
use crate::support::time::HANG_LIMIT;

/// The events of all tests of this process; a test finds its own by the port of its server.
static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collector;

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        EVENTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fields.0);
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        assert!(value >= 0.0, "{field}: {value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("room");
    }
}

/// What was logged of requests to `server`, after whoami was asked for.
fn events(server: &FakeHub, endpoint: &str, timeout: Duration) -> Vec<String> {
    static COLLECTED: Once = Once::new();
    COLLECTED.call_once(|| {
        tracing::subscriber::set_global_default(Collector).expect("the only one");
    });
    let client = Arc::new(Client::default());
    let credential = credential(endpoint);
    let connection = client.connect(&credential.endpoint, &Settings::default());
    let options = Options {
        timeout,
        ..Options::default()
    };
    let _ = client.identify(&credential, &connection, &options, &NeverInterrupted);
    let host = server.endpoint().trim_start_matches("http://");
    let all = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!all.iter().any(|event| event.contains(TOKEN)));
    let own = all
        .iter()
        .filter(|event| event.contains(&format!("host=\"{host}\"")));
    own.cloned().collect()
}

#[test]
fn a_request_is_logged_with_its_status() {
    for status in [200, 401, 500] {
        let server = FakeHub::start(answer(status, "", ALICE));
        let host = server.endpoint().trim_start_matches("http://");
        assert_eq!(
            events(&server, server.endpoint(), HANG_LIMIT),
            [format!(
                "method=\"GET\" host=\"{host}\" path=\"/api/whoami-v2\" status={status} error=\"\" "
            )]
        );
    }
}

#[test]
fn a_redirect_is_a_request_of_its_own_and_no_query_is_shown() {
    let server = FakeHub::start(answer(200, "", ALICE));
    let moved = "Location: /moved?signature=secret\r\n";
    server.set_route("/api/whoami-v2", answer(307, moved, ""));
    let events = events(&server, server.endpoint(), HANG_LIMIT);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("path=\"/api/whoami-v2\" status=307"));
    assert!(events[1].contains("path=\"/moved\" status=200"));
    assert!(!events.concat().contains("signature"));
}

#[test]
fn a_request_without_a_response_is_logged_with_the_reason() {
    let server = FakeHub::start(String::new());
    let cut_off = events(&server, server.endpoint(), HANG_LIMIT).concat();
    assert!(!cut_off.contains("status="), "{cut_off}");
    assert!(!cut_off.contains("error=\"\""), "{cut_off}");
    let server = FakeHub::start(answer(200, "", ALICE));
    let gate = server.close_gate();
    let late = events(&server, server.endpoint(), Duration::from_millis(1)).concat();
    assert!(late.contains("error=\"no answer in time\""), "{late}");
    drop(gate);
}
