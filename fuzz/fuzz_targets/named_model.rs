//! Fuzzes the model that a body names: the result is the same for chunks of any size, does not
//! change once it is known, and is the one that a parser finds, whether it uses the first or the
//! last of two fields, and whether it is case-sensitive.
#![no_main]

use std::fmt;

use hubtoken_hub::fuzzing::named_model;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The longest model that is accepted, even if each of its characters is escaped.
const SHORT: usize = 1024 / 12;

fuzz_target!(|body: &[u8]| {
    let found = named_model(&[body]);
    for size in [1, 5] {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        let again = named_model(&pieces);
        if let Ok((first, last)) = &again {
            assert_eq!(
                first, last,
                "the model changed after a request may be sent on"
            );
        }
        assert_eq!(again, found);
    }
    let Ok(Object(fields)) = serde_json::from_slice(body) else {
        return;
    };
    let models: Vec<&Value> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("model"))
        .map(|(_, value)| value)
        .collect();
    match found {
        Ok((_, None)) => assert!(models.is_empty()),
        Ok((_, Some(model))) => assert_eq!(models, [&Value::String(model)]),
        Err(message) => {
            let is_short = |value: &Value| value.as_str().is_some_and(|text| text.len() <= SHORT);
            let one = models.len() == 1 && is_short(models[0]);
            assert!(!models.is_empty() && !one, "{message}");
        }
    }
});

/// The fields of an object in order, including duplicates.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Object(fields))
    }
}
