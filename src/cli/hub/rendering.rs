//! Renders the Hub's responses as the command line's JSON and tables.
//!
//! The Hub writes `createdAt`, as huggingface.co does; the command line's JSON uses one spelling
//! for all verbs, that of the Python attributes.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::cli::error::Failure;
use crate::cli::identity::date;
use crate::cli::output::Output;
use crate::error::Error;
use crate::token::ELLIPSIS;

/// The output of a verb.
pub enum Reply {
    /// The result of an action: an object with one field, or a sentence.
    Done {
        /// The field of the JSON object.
        field: &'static str,
        /// Its value.
        value: Value,
        /// The same as text.
        sentence: String,
    },
    /// A list: an object with one field, or a table of some of the items' fields.
    List {
        /// The field of the JSON object.
        field: &'static str,
        /// The objects of the Hub's response.
        items: Value,
        /// The fields that are shown as columns of the table.
        columns: &'static [&'static str],
    },
    /// A token's new value, written alone to standard output.
    TokenValue {
        /// The Hub's response: `token` and `info`.
        answer: Value,
        /// Which token it is.
        subject: String,
    },
}

impl Reply {
    /// Writes the reply.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] if the Hub's response has no value.
    pub fn show(self, output: &Output<'_, '_>) -> Result<(), Failure> {
        match self {
            Self::Done {
                field,
                value,
                sentence,
            } => done(output, field, value, &sentence),
            Self::List {
                field,
                items,
                columns,
            } => listed(output, field, items, columns),
            Self::TokenValue { answer, subject } => return show_value(answer, &subject, output),
        }
        Ok(())
    }
}

/// A response with the command line's field names.
pub fn renamed(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(renamed).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let value = match value {
                        Value::String(word) if name == "role" && word == "fineGrained" => {
                            "fine-grained".into()
                        }
                        value => renamed(value),
                    };
                    (field_name(&name), value)
                })
                .collect(),
        ),
        value => value,
    }
}

fn field_name(name: &str) -> String {
    match name {
        "fullname" => "full_name".to_owned(),
        "_id" => "id".to_owned(),
        _ => name
            .chars()
            .flat_map(|character| {
                character
                    .is_ascii_uppercase()
                    .then_some('_')
                    .into_iter()
                    .chain([character.to_ascii_lowercase()])
            })
            .collect(),
    }
}

/// Shows the result of an action: an object with one field, or a sentence.
pub fn done(output: &Output<'_, '_>, field: &str, value: Value, sentence: &str) {
    if output.is_json() {
        let mut object = Map::new();
        object.insert(field.to_owned(), value);
        object.insert("error".to_owned(), Value::Null);
        output.object(&Value::Object(object));
    } else {
        let mut page = output.page();
        page.paragraph(sentence);
        output.show(&page);
    }
}

fn listed(output: &Output<'_, '_>, field: &str, items: Value, columns: &[&str]) {
    let items = renamed(items);
    if output.is_json() {
        done(output, field, items, "");
        return;
    }
    let rows: Vec<Vec<String>> = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| columns.iter().map(|name| cell(name, item)).collect())
        .collect();
    let mut page = output.page();
    page.table(
        &columns.iter().map(|name| title(name)).collect::<Vec<_>>(),
        &rows,
    );
    output.show(&page);
}

/// Writes a new value. No other code writes one.
fn show_value(mut answer: Value, subject: &str, output: &Output<'_, '_>) -> Result<(), Failure> {
    let value = match answer.get_mut("token").map(Value::take) {
        Some(Value::String(value)) => Zeroizing::new(value),
        _ => return Err(Error::hub("the Hub's response has no token".to_owned()).into()),
    };
    let info = renamed(answer.get_mut("info").map(Value::take).unwrap_or_default());
    if output.is_json() {
        let info = Zeroizing::new(info.to_string());
        // Quoted by hand, so that no other copy of the value is left in memory. A token needs no
        // escaping, but the Hub's response is not trusted to contain one.
        let quoted = Zeroizing::new(Value::from(value.as_str()).to_string());
        output.raw(&Zeroizing::new(format!(
            "{{\"token\":{},\"info\":{},\"error\":null}}\n",
            quoted.as_str(),
            info.as_str()
        )));
    } else {
        output.note(&format!("{subject}, shown this once:"));
        output.raw(&Zeroizing::new(format!("{}\n", value.as_str())));
    }
    Ok(())
}

fn title(field: &str) -> String {
    match field {
        "last4" => "token".to_owned(),
        field => field.trim_end_matches("_at").replace('_', " "),
    }
}

fn cell(field: &str, item: &Value) -> String {
    let value = item.get(field).unwrap_or(&Value::Null);
    match (field, value) {
        ("last4", Value::String(last)) => format!("hf_{ELLIPSIS}{last}"),
        ("private", Value::Bool(private)) => if *private { "private" } else { "public" }.to_owned(),
        (_, Value::String(text)) if field.ends_with("_at") => {
            OffsetDateTime::parse(text, &Rfc3339).map_or_else(|_| text.clone(), date)
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Null | Value::Bool(false)) => "-".to_owned(),
        (_, value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_have_one_spelling() {
        let answer = json!([{ "createdAt": 1, "role": "fineGrained", "fullname": "A", "last4": "b",
            "fineGrained": { "canReadGatedRepos": true, "scoped": [{ "entity": { "_id": "1" } }] } }]);
        assert_eq!(
            renamed(answer),
            json!([{ "created_at": 1, "role": "fine-grained", "full_name": "A", "last4": "b",
                "fine_grained": { "can_read_gated_repos": true, "scoped": [{ "entity": { "id": "1" } }] } }])
        );
    }
}
