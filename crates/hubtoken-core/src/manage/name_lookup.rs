//! Finds the one thing of its kind that has a name, so that a change never hits another one.

use crate::error::Error;
use crate::sanitize::redacted;

/// How many names an error lists.
const SHOWN: usize = 10;

/// The ID of the only one with a name.
pub(super) fn only<'a>(
    what: &str,
    wanted: &str,
    known: impl Iterator<Item = (&'a String, &'a String)> + Clone,
) -> Result<String, Error> {
    let mut found = known.clone().filter(|(name, _)| *name == wanted);
    let refused = |message: String| Err(Error::hub(redacted(&message)));
    match (found.next(), found.next()) {
        (Some((_, id)), None) => Ok(id.clone()),
        (Some((_, first)), Some((_, second))) => {
            let mut ids = vec![first.as_str(), second.as_str()];
            ids.extend(found.map(|(_, id)| id.as_str()));
            refused(format!(
                "there is more than one {what} named `{wanted}`. Use an ID: {}",
                ids.join(", ")
            ))
        }
        (None, _) => {
            let names: Vec<String> = known
                .clone()
                .take(SHOWN)
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let more = known.count().saturating_sub(names.len());
            let there = match (names.is_empty(), more) {
                (true, _) => "there is none at all".to_owned(),
                (false, 0) => format!("there is {}", names.join(", ")),
                (false, more) => format!("there is {}, and {more} more", names.join(", ")),
            };
            let wanted: String = wanted
                .chars()
                .filter(|each| !each.is_control())
                .take(60)
                .collect();
            refused(format!("there is no {what} named `{wanted}`; {there}"))
        }
    }
}
