//! Tests of what is logged, and where.

use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use time::macros::datetime;

use super::*;

struct Target(Sender<Vec<u8>>);

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.to_vec())
            .map_err(|_| io::Error::other("no reader"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(format: LogFormat, level: LogLevel) -> (Log, Receiver<Vec<u8>>) {
    let (sender, receiver) = channel();
    let clock = Clock::new(|| datetime!(2026-01-02 03:04:05.006 UTC));
    let log = Log::new(format, level, clock, Target(sender)).unwrap();
    (log, receiver)
}

fn written(log: Log, receiver: &Receiver<Vec<u8>>) -> String {
    drop(log);
    String::from_utf8(receiver.try_iter().flatten().collect()).unwrap()
}

#[test]
fn lines_for_people() {
    let (log, receiver) = log(LogFormat::Text, LogLevel::Info);
    log.record(|| {
        tracing::info!(
            status = 200,
            user = "alice",
            token = None::<&str>,
            cause = "two\nlines a=\"b\"",
            "request"
        );
    });
    assert_eq!(
        written(log, &receiver),
        "2026-01-02T03:04:05.006Z info request status=200 user=alice cause=\"two\\nlines a=\\\"b\\\"\"\n"
    );
}

#[test]
fn lines_for_programs() {
    let (log, receiver) = log(LogFormat::Json, LogLevel::Error);
    log.record(|| tracing::warn!("not wanted"));
    log.record(|| tracing::error!(cause = "a\nb", "failed"));
    let text = written(log, &receiver);
    assert_eq!(text.lines().count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "time": "2026-01-02T03:04:05.006Z", "level": "error", "message": "failed", "cause": "a\nb" })
    );
}

#[test]
fn every_kind_of_value_is_json() {
    let (log, receiver) = log(LogFormat::Json, LogLevel::Info);
    let message = "a \"message\"";
    log.record(|| {
        tracing::info!(
            natural = 7_u16,
            negative = -7,
            fraction = 2.0,
            yes = true,
            shown = %"\u{1}\n",
            debugged = ?Some("x"),
            "{message}"
        );
    });
    assert_eq!(
        written(log, &receiver),
        concat!(
            r#"{"time":"2026-01-02T03:04:05.006Z","level":"info","message":"a \"message\"","#,
            r#""natural":7,"negative":-7,"fraction":2.0,"yes":true,"shown":"\u0001\n","#,
            r#""debugged":"Some(\"x\")"}"#,
            "\n"
        )
    );
}

#[test]
fn each_hub_has_its_own_log() {
    let (loud, loud_lines) = log(LogFormat::Text, LogLevel::Info);
    let (quiet, quiet_lines) = log(LogFormat::Text, LogLevel::Error);
    let off = Log::disabled();
    let event = |number: u32| tracing::info!(number, "an event");
    tracing::error!("an event outside of any log");
    for _ in 0..2 {
        loud.record(|| event(1));
        quiet.record(|| event(2));
        off.record(|| event(3));
    }
    quiet.record(|| tracing::error!("a failure"));
    assert_eq!(
        written(loud, &loud_lines),
        "2026-01-02T03:04:05.006Z info an event number=1\n".repeat(2)
    );
    assert_eq!(
        written(quiet, &quiet_lines),
        "2026-01-02T03:04:05.006Z error a failure\n"
    );
}

#[test]
fn events_of_other_crates_are_not_logged() {
    let (log, receiver) = log(LogFormat::Text, LogLevel::Info);
    log.record(|| {
        tracing::error!(target: "tower::query", statement = "SELECT 1", "slow statement");
        tracing::error!(target: "hyper::proto", "a connection failed");
        tracing::debug!("beyond the most verbose level");
    });
    assert_eq!(written(log, &receiver), "");
}

#[test]
fn a_reader_that_has_gone_away_costs_lines_and_nothing_else() {
    let (log, receiver) = log(LogFormat::Text, LogLevel::Info);
    drop(receiver);
    for _ in 0..3 {
        log.record(|| tracing::info!("x"));
    }
    let buffer = log.writer.as_ref().unwrap().buffer();
    drop(log);
    assert_eq!(buffer.lost(), 3);
}
