//! The Hub's log: one line per event, as text for people or as JSON for programs.
//!
//! A line states what happened, when, on which route, for which user and with what result. It never
//! contains a header, query, body or path, because any of them may contain a token by mistake. The
//! caller is identified by user name and token id.
//!
//! The events are those of `tracing`. Each Hub has its own subscriber, which receives only what is
//! logged through its [`Log`]: a process may run several Hubs, and the global subscriber belongs to
//! the embedding program.

mod format;
mod writer;

use std::io::{self, Write};

use tracing::Level;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

use self::format::LineFormat;
use self::writer::LogWriter;
use crate::clock::Clock;

/// The events that belong in the log: this crate's.
const TARGET: &str = env!("CARGO_CRATE_NAME");

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-02T03:04:05.006Z info request method=GET …`.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// Failures of the Hub, with their cause.
    Error,
    /// Also what the owner should look into.
    Warn,
    /// Also every request.
    Info,
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
        }
    }
}

/// The log of a Hub. Checking whether a level is enabled is cheap.
pub(crate) struct Log {
    level: LevelFilter,
    dispatch: Dispatch,
    writer: Option<LogWriter>,
}

impl Log {
    /// A log that discards everything.
    pub(crate) fn disabled() -> Self {
        Self {
            level: LevelFilter::OFF,
            dispatch: Dispatch::none(),
            writer: None,
        }
    }

    /// A log that writes its lines to an output.
    pub(crate) fn new(
        format: LogFormat,
        level: LogLevel,
        clock: Clock,
        target: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        if level == LogLevel::Off {
            return Ok(Self::disabled());
        }
        let writer = LogWriter::start(target)?;
        let lines = fmt::layer()
            .event_format(LineFormat::new(format, clock))
            .with_writer(writer.buffer())
            .log_internal_errors(false);
        let level = level.filter();
        let own_events = Targets::new().with_target(TARGET, level);
        Ok(Self {
            level,
            dispatch: Dispatch::new(Registry::default().with(own_events).with(lines)),
            writer: Some(writer),
        })
    }

    /// Whether lines of this level are written.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        level <= self.level
    }

    /// The number of lines that could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.writer
            .as_ref()
            .map_or(0, |writer| writer.buffer().lost())
    }

    /// Runs what logs events: with `tracing`'s macros, whose events go to this log.
    pub(crate) fn record(&self, events: impl FnOnce()) {
        if self.level != LevelFilter::OFF {
            dispatcher::with_default(&self.dispatch, events);
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Log({})", self.level)
    }
}

#[cfg(test)]
mod tests;
