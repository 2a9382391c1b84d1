//! What an id token states about a job.
//!
//! It is read for display alone: which claims a trusted publisher could match, and when the id token
//! ends. Nothing here verifies a signature, so nothing here decides anything. A claim is text that
//! the CI, and often the author of a commit, chose: it is made safe before it is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::sanitize::redacted;

/// How many claims are shown.
const MAXIMUM_CLAIMS: usize = 100;
/// How much of a claim's name or value is shown, in characters.
const MAXIMUM_TEXT: usize = 300;
/// The claims that come first, in this order: those of every id token, and those with which a
/// trusted publisher is usually told apart.
const FIRST: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "repository",
    "ref",
    "environment",
    "workflow",
    "workflow_ref",
    "job_workflow_ref",
    "event_name",
    "project_path",
    "ref_type",
    "ref_protected",
];
/// The claims that a repository's publisher would usually match, by the CI that has them: the first
/// of each list that is there.
const TELLING: [&[&str]; 3] = [
    &[
        "repository",
        "project_path",
        "repositoryUuid",
        "oidc.circleci.com/project-id",
        "sub",
    ],
    &["ref", "branchName", "oidc.circleci.com/vcs-ref"],
    &["environment", "deploymentEnvironmentUuid"],
];

/// The claims of an id token, safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    fields: Vec<(String, String)>,
    expires_at: Option<i64>,
    audiences: Vec<String>,
}

impl Claims {
    /// Parses the payload of a JWT, in base64url; `None` if it is not a JSON object.
    #[must_use]
    pub fn parse(payload: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
        Self::from_json(&Zeroizing::new(bytes.ok()?))
    }

    /// Parses claims that are not encoded; `None` if they are not a JSON object.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let claims: Map<String, Value> = serde_json::from_slice(json).ok()?;
        let expires_at = claims.get("exp").and_then(seconds);
        let audiences = match claims.get("aud") {
            Some(Value::Array(several)) => several.iter().filter_map(shown).collect(),
            Some(one) => shown(one).into_iter().collect(),
            None => Vec::new(),
        };
        let mut fields: Vec<(String, String)> = claims
            .iter()
            .filter_map(|(name, value)| Some((cut(name), shown(value)?)))
            .collect();
        let place = |name: &str| FIRST.iter().position(|first| *first == name);
        fields.sort_by_key(|(name, _)| (place(name).unwrap_or(FIRST.len()), name.clone()));
        fields.truncate(MAXIMUM_CLAIMS);
        Some(Self {
            fields,
            expires_at,
            audiences,
        })
    }

    /// The claims and their values as text, the usual ones first. Objects are left out: no publisher
    /// can match them.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// A claim as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// When the id token expires, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// Whether it was issued for a Hub. Only such an id token can be exchanged there.
    #[must_use]
    pub fn is_for(&self, hub: &str) -> bool {
        self.audiences
            .iter()
            .any(|audience| audience.trim_end_matches('/') == hub)
    }

    /// The claims that a trusted publisher for this job would match: enough to tell the repository,
    /// the branch, and the environment apart.
    #[must_use]
    pub fn telling(&self) -> Vec<(&str, &str)> {
        let first_of = |names: &&'static [&'static str]| {
            names
                .iter()
                .find_map(|name| Some((*name, self.get(name).filter(|text| !text.is_empty())?)))
        };
        TELLING.iter().filter_map(first_of).collect()
    }
}

/// A time in whole seconds; some issuers write a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "its size was checked")]
        Some(seconds as i64)
    })
}

/// A claim that can be matched, as text.
fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => cut(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .take(MAXIMUM_CLAIMS)
                .filter_map(shown)
                .collect();
            cut(&items.join(", "))
        }
        Value::Null | Value::Object(_) => return None,
    })
}

/// The beginning of a text that anybody may have written. Secrets are masked before it is cut, since
/// half of one is not recognized.
fn cut(text: &str) -> String {
    let text: String = text.chars().take(4 * MAXIMUM_TEXT).collect();
    let safe = redacted(&text);
    match safe.char_indices().nth(MAXIMUM_TEXT) {
        Some((end, _)) => format!("{}...", &safe[..end]),
        None => safe,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn claims(json: &str) -> Option<Claims> {
        Claims::parse(&URL_SAFE_NO_PAD.encode(json))
    }

    #[test]
    fn the_usual_claims_come_first_and_all_are_text() {
        let found = claims(
            r#"{"jti": "x", "repository_id": 7, "exp": 1798761600, "aud": "https://huggingface.co",
                "ref": "refs/heads/main", "repository": "acme/training", "nested": {"a": 1},
                "ref_protected": true, "groups": ["a", "b"], "none": null, "iss": "https://ci"}"#,
        )
        .unwrap();
        let shown: Vec<_> = found
            .fields()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "iss=https://ci",
                "aud=https://huggingface.co",
                "exp=1798761600",
                "repository=acme/training",
                "ref=refs/heads/main",
                "ref_protected=true",
                "groups=a, b",
                "jti=x",
                "repository_id=7",
            ]
        );
        assert_eq!(found.expires_at(), Some(1_798_761_600));
        assert_eq!(
            found.telling(),
            [("repository", "acme/training"), ("ref", "refs/heads/main")]
        );
    }

    #[test]
    fn an_audience_is_one_of_several() {
        let hub = "https://huggingface.co";
        for (json, expected) in [
            (r#"{"aud": "https://huggingface.co"}"#, true),
            (r#"{"aud": "https://huggingface.co/"}"#, true),
            (r#"{"aud": ["x", "https://huggingface.co"]}"#, true),
            (r#"{"aud": "https://huggingface.co.evil"}"#, false),
            (r#"{"aud": {"https://huggingface.co": 1}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(claims(json).unwrap().is_for(hub), expected, "{json}");
        }
    }

    #[test]
    fn a_claim_steers_no_terminal_and_shows_no_token() {
        let secret = format!("hf_{}", "Ab1".repeat(12));
        let found = claims(&format!(
            r#"{{"sub": "a\u001b[31m {secret}", "\u202ex": "{}", "exp": 1.5e9}}"#,
            "y".repeat(100_000)
        ))
        .unwrap();
        let text = format!("{found:?}");
        assert!(!text.contains("Ab1Ab1") && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert!(text.len() < 2_000, "{}", text.len());
        assert_eq!(found.expires_at(), Some(1_500_000_000));
    }

    #[test]
    fn what_is_not_an_object_has_no_claims() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for json in ["", "[]", "7", "{", "\"x\"", &format!("{{\"a\": {deep}}}")] {
            assert_eq!(claims(json), None);
        }
        assert_eq!(Claims::parse("!"), None);
        let many: Vec<_> = (0..5_000).map(|n| format!("\"c{n}\": {n}")).collect();
        let many = claims(&format!("{{{}}}", many.join(","))).unwrap();
        assert_eq!(many.fields().len(), MAXIMUM_CLAIMS);
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in "[A-Za-z0-9_=-]{0,200}", json in "\\{\"(aud|exp|sub)\": .{0,40}\\}") {
            let _ = Claims::parse(&payload);
            if let Some(found) = claims(&json) {
                let _ = (found.telling(), found.is_for("x"));
            }
        }
    }
}
