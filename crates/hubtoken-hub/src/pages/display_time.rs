//! Times on a page: readable, in UTC, with the exact ISO form alongside for programs.

use time::format_description::FormatItem;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Time};

use crate::clock::iso;

const DAY: &[FormatItem<'_>] = format_description!("[day padding:none] [month repr:short] [year]");
const MINUTE: &[FormatItem<'_>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
const SECOND: &[FormatItem<'_>] = format_description!(
    "[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC"
);
const INPUT: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A time on a page.
#[derive(Debug)]
pub(super) struct DisplayTime {
    pub iso: String,
    pub text: String,
}

pub(super) fn day(at: OffsetDateTime) -> DisplayTime {
    DisplayTime {
        iso: iso(at),
        text: at.format(DAY).unwrap_or_default(),
    }
}

pub(super) fn minute(at: OffsetDateTime) -> DisplayTime {
    DisplayTime {
        iso: iso(at),
        text: at.format(MINUTE).unwrap_or_default(),
    }
}

pub(super) fn second(at: OffsetDateTime) -> DisplayTime {
    DisplayTime {
        iso: iso(at),
        text: at.format(SECOND).unwrap_or_default(),
    }
}

/// How long ago something was, in the largest whole unit.
pub(super) fn ago(elapsed: Duration) -> String {
    if elapsed < Duration::MINUTE {
        return "less than a minute ago".to_owned();
    }
    format!("{} ago", span(elapsed))
}

/// A length of time in the largest whole unit.
pub(super) fn span(length: Duration) -> String {
    let (count, unit) = match length {
        _ if length >= Duration::DAY => (length.whole_days(), "day"),
        _ if length >= Duration::HOUR => (length.whole_hours(), "hour"),
        _ if length >= Duration::MINUTE => (length.whole_minutes(), "minute"),
        _ => (length.whole_seconds(), "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A day in the format of a date field.
pub(super) fn input_value(day: Date) -> String {
    day.format(INPUT).unwrap_or_default()
}

/// The start of the day in a date field.
pub(super) fn start_of(field: &str) -> Option<OffsetDateTime> {
    let day = Date::parse(field, INPUT).ok()?;
    Some(day.with_time(Time::MIDNIGHT).assume_utc())
}

/// The end of the day in a date field.
pub(super) fn end_of(field: &str) -> Option<OffsetDateTime> {
    let day = Date::parse(field, INPUT).ok()?;
    Some(day.next_day()?.with_time(Time::MIDNIGHT).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_for_people_and_exact() {
        let at = datetime!(2026-01-02 03:04:05 UTC);
        assert_eq!(day(at).text, "2 Jan 2026");
        assert_eq!(minute(at).text, "2 Jan 2026, 03:04 UTC");
        assert_eq!(second(at).text, "2 Jan 2026, 03:04:05 UTC");
        assert_eq!(minute(at).iso, "2026-01-02T03:04:05.000Z");
        assert_eq!(input_value(at.date()), "2026-01-02");
    }

    #[test]
    fn lengths_are_rounded_down() {
        for (seconds, expected) in [
            (-5, "less than a minute ago"),
            (59, "less than a minute ago"),
            (60, "1 minute ago"),
            (899, "14 minutes ago"),
            (7199, "1 hour ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(Duration::seconds(seconds)), expected);
        }
        assert_eq!(span(Duration::seconds(1)), "1 second");
        assert_eq!(span(Duration::days(90)), "90 days");
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight() {
        assert_eq!(start_of("2026-12-31"), Some(datetime!(2026-12-31 0:00 UTC)));
        assert_eq!(start_of("31.12.2026"), None);
        assert_eq!(end_of("2026-12-31"), Some(datetime!(2027-01-01 0:00 UTC)));
        for wrong in [
            "",
            "2026-02-30",
            "31.12.2026",
            "2026-12-31T00:00",
            "9999-12-31",
            "<script>",
        ] {
            assert_eq!(end_of(wrong), None, "{wrong}");
        }
    }
}
