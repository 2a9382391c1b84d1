//! Formats an event as a line.

use std::fmt::{self, Debug};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use crate::clock::{Clock, iso};

/// The field that `tracing`'s macros give the message.
const MESSAGE: &str = "message";

/// Writes an event's time, level, message and fields. A field without a value is left out.
pub(super) struct LineFormat {
    format: LogFormat,
    clock: Clock,
}

impl LineFormat {
    pub(super) fn new(format: LogFormat, clock: Clock) -> Self {
        Self { format, clock }
    }
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let time = iso(self.clock.now());
        let level = level_name(*event.metadata().level());
        match self.format {
            LogFormat::Text => write!(writer, "{time} {level}")?,
            LogFormat::Json => write!(writer, "{{\"time\":\"{time}\",\"level\":\"{level}\"")?,
        }
        let mut fields = FieldWriter {
            format: self.format,
            writer: writer.by_ref(),
            result: Ok(()),
        };
        event.record(&mut fields);
        fields.result?;
        writer.write_str(match self.format {
            LogFormat::Text => "\n",
            LogFormat::Json => "}\n",
        })
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Writes one field after the other. The message comes first, as the macros put it.
struct FieldWriter<'a> {
    format: LogFormat,
    writer: Writer<'a>,
    result: fmt::Result,
}

impl FieldWriter<'_> {
    /// Writes a field whose value is the same in JSON and as text.
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.result = self.result.and_then(|()| match self.format {
            LogFormat::Text if field.name() == MESSAGE => write!(self.writer, " {value}"),
            LogFormat::Text => write!(self.writer, " {field}={value}"),
            LogFormat::Json => write!(self.writer, ",\"{field}\":{value}"),
        });
    }

    fn write_text(&mut self, field: &Field, text: &str) {
        let is_bare = self.format == LogFormat::Text && (field.name() == MESSAGE || is_plain(text));
        if is_bare {
            self.write(field, format_args!("{text}"));
        } else {
            self.write(field, format_args!("{}", Value::from(text)));
        }
    }
}

impl Visit for FieldWriter<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, format_args!("{}", Value::from(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write_text(field, &format!("{value:?}"));
    }
}

/// Whether a value can be written without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'=')
}
