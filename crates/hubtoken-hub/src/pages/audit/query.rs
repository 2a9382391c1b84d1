//! The filter of the audit log page, as its query string has it.

use std::sync::LazyLock;

use super::row::action_label;
use crate::pages::display_time::{end_of, start_of};
use crate::pages::view::FormErrors;
use crate::registry::{AuditAction, AuditFilter};

/// Actions on one kind of object, for the select box.
#[derive(Debug)]
pub(super) struct Group {
    /// The common prefix of their names, which selects all of them.
    pub value: &'static str,
    pub name: &'static str,
    /// Name and label of each action.
    pub actions: Vec<(&'static str, &'static str)>,
}

pub(super) static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for act in AuditAction::ALL {
        let word = act.as_str();
        let value = word.split('.').next().unwrap_or(word);
        let entry = (word, action_label(act));
        match groups.last_mut() {
            Some(group) if group.value == value => group.actions.push(entry),
            _ => groups.push(Group {
                value,
                name: group_label(value),
                actions: vec![entry],
            }),
        }
    }
    groups
});

fn group_label(value: &str) -> &'static str {
    match value {
        "token" => "Tokens",
        "service-account" => "Service accounts",
        "oauth" => "Logins of programs",
        "publisher" => "Trusted publishers",
        "signing-key" => "Signing keys",
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
pub(super) struct AuditQuery {
    pub who: String,
    pub what: String,
    pub from: String,
    pub to: String,
    /// The last entry of the previous page.
    pub before: Option<i64>,
}

impl AuditQuery {
    pub(super) fn from_query(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            match name.as_ref() {
                "who" => value.clone_into(&mut parsed.who),
                "what" => value.clone_into(&mut parsed.what),
                "from" => value.clone_into(&mut parsed.from),
                "to" => value.clone_into(&mut parsed.to),
                "before" => parsed.before = value.parse().ok(),
                _ => (),
            }
        }
        parsed
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
        errors: &mut FormErrors,
    ) -> Option<AuditFilter> {
        let given = |field: &String| (!field.is_empty()).then(|| field.clone());
        filter.actor = given(&self.who);
        filter.before = self.before;
        filter.act = given(&self.what);
        let is_known = |what: &String| {
            GROUPS.iter().any(|group| {
                group.value == *what || group.actions.iter().any(|(act, _)| act == what)
            })
        };
        if filter.act.as_ref().is_some_and(|what| !is_known(what)) {
            errors.add("what", "Choose an action from the list.");
        }
        if !self.from.is_empty() {
            filter.since = start_of(&self.from);
            if filter.since.is_none() {
                errors.add("from", "Write the first day as year-month-day.");
            }
        }
        if !self.to.is_empty() {
            filter.until = end_of(&self.to);
            if filter.until.is_none() {
                errors.add("to", "Write the last day as year-month-day.");
            }
        }
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            errors.add("to", "The last day is before the first one.");
        }
        errors.0.is_empty().then_some(filter)
    }

    /// The URL of a page of the log with this filter.
    pub(super) fn url(&self, path: &str, before: Option<i64>) -> String {
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
        let mut errors = FormErrors::default();
        AuditQuery::from_query(query)
            .narrow(AuditFilter::default(), &mut errors)
            .ok_or_else(|| errors.0.into_iter().map(|each| each.field).collect())
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
        let parsed = AuditQuery::from_query("who=a%26b&what=token&from=2026-01-02");
        assert_eq!(
            parsed.url("/settings/audit-log", Some(3)),
            "/settings/audit-log?who=a%26b&what=token&from=2026-01-02&before=3"
        );
        assert_eq!(AuditQuery::default().url("/x", None), "/x");
    }

    #[test]
    fn every_act_is_a_choice_and_every_group_has_a_name() {
        let count: usize = GROUPS.iter().map(|group| group.actions.len()).sum();
        assert_eq!(count, AuditAction::ALL.len());
        assert!(GROUPS.iter().all(|group| group.name != "Other"));
        let mut values: Vec<&str> = GROUPS.iter().map(|group| group.value).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), GROUPS.len());
    }
}
