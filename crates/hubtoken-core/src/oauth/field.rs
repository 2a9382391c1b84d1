//! A field of an answer whose type nobody promises.
//!
//! A field that has an unexpected type counts as missing, since the rest of the answer may still be
//! what it should be. What is text may be secret.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A field of any type. Text may be secret, so it is read into a buffer that is wiped.
#[derive(Default)]
pub(super) enum Field {
    Text(Zeroizing<String>),
    Seconds(u64),
    #[default]
    Unusable,
}

impl Field {
    /// The text, if it is one.
    pub(super) fn text(self) -> Option<Zeroizing<String>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Seconds(_) | Self::Unusable => None,
        }
    }

    /// A whole number of seconds, which some servers send as text.
    pub(super) fn seconds(&self) -> Option<u64> {
        match self {
            Self::Text(text) => whole_seconds(text.trim().parse().ok()?),
            Self::Seconds(seconds) => Some(*seconds),
            Self::Unusable => None,
        }
    }
}

fn whole_seconds(seconds: f64) -> Option<u64> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Some(duration.as_secs())
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType)
    }
}

struct AnyType;

impl<'de> Visitor<'de> for AnyType {
    type Value = Field;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Field, E> {
        Ok(Field::Text(Zeroizing::new(text)))
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<Field, E> {
        Ok(Field::Seconds(seconds))
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<Field, E> {
        Ok(u64::try_from(seconds).map_or(Field::Unusable, Field::Seconds))
    }

    fn visit_f64<E>(self, seconds: f64) -> Result<Field, E> {
        Ok(whole_seconds(seconds).map_or(Field::Unusable, Field::Seconds))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Unusable)
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Unusable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Unusable)
    }
}
