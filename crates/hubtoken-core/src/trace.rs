//! Records what each source contributed to a resolution.
//!
//! The trace answers "which of my five tokens is in use, and why". It is kept on success as well as
//! on failure, and it contains masks, never values.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// The result of checking one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceStatus {
    /// It has the token in use.
    Found,
    /// It has a token, but an earlier source took precedence.
    Shadowed,
    /// It has no token.
    Absent,
    /// The caller or the user excluded it.
    Skipped,
    /// It may have a token, but denied this process access to it.
    Refused,
    /// It is broken and was skipped.
    Broken,
    /// It looks like a source, but the Hub's libraries do not read it. Also the status of a later
    /// version.
    #[serde(other)]
    Ignored,
}

impl SourceStatus {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Shadowed => "shadowed",
            Self::Absent => "absent",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Ignored => "ignored",
        }
    }
}

/// The result for one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The label of the source.
    pub source: String,
    /// The result.
    #[serde(rename = "answer")]
    pub status: SourceStatus,
    /// The mask of its token, if it has one.
    pub mask: Option<String>,
    /// One sentence, without the final period.
    pub detail: String,
}

/// All results, in the order in which the sources were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trace {
    /// The steps.
    pub steps: Vec<Step>,
    /// The Hub that the token in use belongs to.
    pub endpoint: Option<String>,
    /// Warnings about the token in use.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Trace {
    /// Records a result without a token.
    pub fn note(
        &mut self,
        source: impl Into<String>,
        status: SourceStatus,
        detail: impl Into<String>,
    ) {
        self.steps.push(Step {
            source: source.into(),
            status,
            mask: None,
            detail: detail.into(),
        });
    }

    /// The step with the token in use.
    #[must_use]
    pub fn found(&self) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.status == SourceStatus::Found)
    }

    /// The steps with a token that is not in use.
    pub fn shadowed(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| step.status == SourceStatus::Shadowed)
    }

    /// The results as lines of the form "source  answer  detail", for messages.
    #[must_use]
    pub fn lines(&self) -> String {
        let width = self
            .steps
            .iter()
            .map(|step| step.source.chars().count())
            .max()
            .unwrap_or_default();
        let mut lines = String::new();
        for step in &self.steps {
            let mask = step.mask.as_deref().unwrap_or_default();
            let separator = if mask.is_empty() || step.detail.is_empty() {
                ""
            } else {
                ", "
            };
            // Writing to a `String` cannot fail.
            let _ = write!(
                lines,
                "\n  {:width$}  {:8}  {mask}{separator}{}",
                step.source,
                step.status.name(),
                step.detail
            );
        }
        lines
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.found(), &self.endpoint) {
            (Some(step), Some(endpoint)) => write!(
                formatter,
                "{} from {}, for {endpoint}",
                step.mask.as_deref().unwrap_or("a token"),
                step.source
            )?,
            _ => formatter.write_str("no token")?,
        }
        formatter.write_str(&self.lines())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_status_is_serialized_as_its_name() {
        for status in [
            SourceStatus::Found,
            SourceStatus::Shadowed,
            SourceStatus::Absent,
            SourceStatus::Skipped,
            SourceStatus::Refused,
            SourceStatus::Broken,
            SourceStatus::Ignored,
        ] {
            let text = serde_json::to_string(&status).unwrap();
            assert_eq!(text, format!("\"{}\"", status.name()));
            assert_eq!(serde_json::from_str::<SourceStatus>(&text).unwrap(), status);
        }
        let later: SourceStatus = serde_json::from_str(r#""dreamed""#).unwrap();
        assert_eq!(later, SourceStatus::Ignored);
    }
}
