//! The filter of the audit log page, as its query string has it.

use std::sync::LazyLock;

use super::row::act_words;
use crate::pages::moment::{end_of, start_of};
use crate::pages::view::Mistakes;
use crate::registry::{Act, AuditFilter};

/// Actions on one kind of object, for the select box.
#[derive(Debug)]
pub(super) struct Group {
    /// The common prefix of their names, which selects all of them.
    pub value: &'static str,
    pub name: &'static str,
    /// Name and label of each action.
    pub acts: Vec<(&'static str, &'static str)>,
}

pub(super) static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for act in Act::ALL {
        let word = act.as_str();
        let value = word.split('.').next().unwrap_or(word);
        let entry = (word, act_words(act));
        match groups.last_mut() {
            Some(group) if group.value == value => group.acts.push(entry),
            _ => groups.push(Group {
                value,
                name: group_words(value),
                acts: vec![entry],
            }),
        }
    }
    groups
});

fn group_words(value: &str) -> &'static str {
    match value {
        "token" => "Tokens",
        "login" => "Signing in",
        "logout" => "Signing out",
        "user" => "Users",
        "organization" => "Organizations",
        "member" => "Members",
        "policy" => "Token policy",
        "approval" => "Approvals",
        "repository" => "Repositories",
        "access" => "Gated access",
        _ => "Other",
    }
}

/// The fields of the form, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub who: String,
    pub what: String,
    pub from: String,
    pub to: String,
    /// The last entry of the previous page.
    pub before: Option<i64>,
}

impl Wish {
    pub(super) fn from_query(query: &str) -> Self {
        let mut wish = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            match name.as_ref() {
                "who" => value.clone_into(&mut wish.who),
                "what" => value.clone_into(&mut wish.what),
                "from" => value.clone_into(&mut wish.from),
                "to" => value.clone_into(&mut wish.to),
                "before" => wish.before = value.parse().ok(),
                _ => (),
            }
        }
        wish
    }

    pub(super) fn is_empty(&self) -> bool {
        [&self.who, &self.what, &self.from, &self.to]
            .iter()
            .all(|field| field.is_empty())
    }

    /// Narrows the filter to the fields, or reports which fields are not valid.
    pub(super) fn narrow(
        &self,
        mut filter: AuditFilter,
        mistakes: &mut Mistakes,
    ) -> Option<AuditFilter> {
        let given = |field: &String| (!field.is_empty()).then(|| field.clone());
        filter.actor = given(&self.who);
        filter.before = self.before;
        filter.act = given(&self.what);
        let is_known = |what: &String| {
            GROUPS
                .iter()
                .any(|group| group.value == *what || group.acts.iter().any(|(act, _)| act == what))
        };
        if filter.act.as_ref().is_some_and(|what| !is_known(what)) {
            mistakes.add("what", "Choose an action from the list.");
        }
        if !self.from.is_empty() {
            filter.since = start_of(&self.from);
            if filter.since.is_none() {
                mistakes.add("from", "Write the first day as year-month-day.");
            }
        }
        if !self.to.is_empty() {
            filter.until = end_of(&self.to);
            if filter.until.is_none() {
                mistakes.add("to", "Write the last day as year-month-day.");
            }
        }
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            mistakes.add("to", "The last day is before the first one.");
        }
        mistakes.0.is_empty().then_some(filter)
    }

    /// The URL of a page of the log with this filter.
    pub(super) fn address(&self, path: &str, before: Option<i64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("who", &self.who),
            ("what", &self.what),
            ("from", &self.from),
            ("to", &self.to),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn narrowed(query: &str) -> Result<AuditFilter, Vec<String>> {
        let mut mistakes = Mistakes::default();
        Wish::from_query(query)
            .narrow(AuditFilter::default(), &mut mistakes)
            .ok_or_else(|| mistakes.0.into_iter().map(|each| each.field).collect())
    }

    #[test]
    fn a_filter_is_what_the_address_says() {
        let found = narrowed("who=+alice&what=token&from=2026-01-02&to=2026-01-02&before=7");
        let expected = AuditFilter {
            actor: Some("alice".to_owned()),
            act: Some("token".to_owned()),
            since: Some(datetime!(2026-01-02 0:00 UTC)),
            until: Some(datetime!(2026-01-03 0:00 UTC)),
            before: Some(7),
            ..AuditFilter::default()
        };
        assert_eq!(found, Ok(expected));
        assert_eq!(
            narrowed("who=&what=&from=&to=&before=x&more=1"),
            Ok(AuditFilter::default())
        );
        assert!(narrowed("what=token.refresh").is_ok() && narrowed("what=logout").is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_a_mistake() {
        for (query, field) in [
            ("what=everything", "what"),
            ("what=tok", "what"),
            ("from=yesterday", "from"),
            ("to=2026-02-30", "to"),
            ("from=2026-01-03&to=2026-01-02", "to"),
        ] {
            assert_eq!(narrowed(query), Err(vec![field.to_owned()]), "{query}");
        }
    }

    #[test]
    fn an_address_leads_back_to_its_wish() {
        let wish = Wish::from_query("who=a%26b&what=token&from=2026-01-02");
        assert_eq!(
            wish.address("/settings/audit-log", Some(3)),
            "/settings/audit-log?who=a%26b&what=token&from=2026-01-02&before=3"
        );
        assert_eq!(Wish::default().address("/x", None), "/x");
    }

    #[test]
    fn every_act_is_a_choice_and_every_group_has_a_name() {
        let count: usize = GROUPS.iter().map(|group| group.acts.len()).sum();
        assert_eq!(count, Act::ALL.len());
        assert!(GROUPS.iter().all(|group| group.name != "Other"));
        let mut values: Vec<&str> = GROUPS.iter().map(|group| group.value).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), GROUPS.len());
    }
}
