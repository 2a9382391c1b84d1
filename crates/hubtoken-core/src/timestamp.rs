//! Reads and writes times as ISO 8601 text, in the form of Python's `datetime.isoformat()`.
//!
//! The usual form of RFC 3339, with a `Z` and as many decimals as needed, cannot be read by
//! `datetime.fromisoformat` of Python 3.10.
//!
//! For serde, as `#[serde(with = "timestamp")]` and `#[serde(with = "timestamp::optional")]`.

use serde::{Deserialize, Deserializer, Serializer, de, ser};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// No fraction.
const SECONDS: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
);
/// The precision of Python.
const MICROSECONDS: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6][offset_hour sign:mandatory]:[offset_minute]"
);
/// Finer than Python's, so that nothing is lost.
const NANOSECONDS: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9][offset_hour sign:mandatory]:[offset_minute]"
);

/// Writes a time.
///
/// ```
/// use time::macros::datetime;
///
/// let moment = datetime!(2027-01-02 03:04:05.250 UTC);
/// assert_eq!(hubtoken_core::timestamp::format(moment)?, "2027-01-02T03:04:05.250000+00:00");
/// # Ok::<(), time::error::Format>(())
/// ```
///
/// # Errors
///
/// The time has no such form.
pub fn format(moment: OffsetDateTime) -> Result<String, time::error::Format> {
    let form = match moment.nanosecond() {
        0 => SECONDS,
        fraction if fraction.is_multiple_of(1000) => MICROSECONDS,
        _ => NANOSECONDS,
    };
    moment.format(form)
}

/// Serializes a time.
///
/// # Errors
///
/// As for [`format`].
pub fn serialize<S: Serializer>(moment: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*moment).map_err(ser::Error::custom)?)
}

/// Deserializes a time.
///
/// # Errors
///
/// The text is not a time with an offset.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)
}

/// The same for a time that may be unknown.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    /// Serializes a time, if there is one.
    ///
    /// # Errors
    ///
    /// As for [`format`](super::format).
    pub fn serialize<S: Serializer>(
        moment: &Option<OffsetDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => {
                serializer.serialize_some(&super::format(*moment).map_err(ser::Error::custom)?)
            }
            None => serializer.serialize_none(),
        }
    }

    /// Deserializes a time, if there is one.
    ///
    /// # Errors
    ///
    /// The text is not a time with an offset.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use time::macros::datetime;

    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Times {
        #[serde(with = "super")]
        always: OffsetDateTime,
        #[serde(default, with = "super::optional")]
        maybe: Option<OffsetDateTime>,
    }

    #[test]
    fn times_keep_every_digit_and_their_offset() {
        for (moment, text) in [
            (
                datetime!(2027-01-02 03:04:05 UTC),
                "2027-01-02T03:04:05+00:00",
            ),
            (
                datetime!(2027-01-02 03:04:05.000_001 -03:30),
                "2027-01-02T03:04:05.000001-03:30",
            ),
            (
                datetime!(2027-01-02 03:04:05.000_000_001 +14),
                "2027-01-02T03:04:05.000000001+14:00",
            ),
        ] {
            let times = Times {
                always: moment,
                maybe: Some(moment),
            };
            let json = serde_json::to_string(&times).unwrap();
            assert_eq!(json, format!(r#"{{"always":"{text}","maybe":"{text}"}}"#));
            assert_eq!(serde_json::from_str::<Times>(&json).unwrap(), times);
        }
    }

    #[test]
    fn an_unknown_time_is_null_or_missing() {
        let times: Times = serde_json::from_str(r#"{"always":"2027-01-02T03:04:05Z"}"#).unwrap();
        assert_eq!(times.maybe, None);
        assert!(
            serde_json::to_string(&times)
                .unwrap()
                .ends_with(r#""maybe":null}"#)
        );
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        for text in [r#""yesterday""#, "1", "null", r#""2027-01-02T03:04:05""#] {
            let json = format!(r#"{{"always":{text}}}"#);
            assert!(serde_json::from_str::<Times>(&json).is_err(), "{text}");
        }
    }
}
