//! What each source answered.
//!
//! The trace is the answer to "which of my five tokens is in use, and why". It is kept for a
//! success as well as for a failure and holds masks, never values.

use std::fmt::{self, Write as _};

/// What a source answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has the token that is used.
    Found,
    /// It has a token, but an earlier source won.
    Shadowed,
    /// It has none.
    Absent,
    /// It was not asked, by the caller's or the user's wish.
    Skipped,
    /// It may have one, but this process is not to have it.
    Refused,
    /// It is broken and was passed over.
    Broken,
    /// Nobody reads it, though it looks as if somebody did.
    Ignored,
}

impl Answer {
    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Found,
            Self::Shadowed,
            Self::Absent,
            Self::Skipped,
            Self::Refused,
            Self::Broken,
            Self::Ignored,
        ]
        .into_iter()
        .find(|answer| answer.name() == word)
    }

    /// The word.
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

/// One source's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The source's label.
    pub source: String,
    /// What it answered.
    pub answer: Answer,
    /// The mask of its token, if it has one.
    pub mask: Option<String>,
    /// One sentence, without a full stop.
    pub detail: String,
}

/// All the answers, in the order of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The steps.
    pub steps: Vec<Step>,
    /// The Hub that the found token belongs to.
    pub endpoint: Option<String>,
}

impl Trace {
    /// Notes an answer without a token.
    pub fn note(&mut self, source: impl Into<String>, answer: Answer, detail: impl Into<String>) {
        self.steps.push(Step {
            source: source.into(),
            answer,
            mask: None,
            detail: detail.into(),
        });
    }

    /// The step that has the token.
    #[must_use]
    pub fn found(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.answer == Answer::Found)
    }

    /// The steps that hold a token that is not used.
    pub fn shadowed(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| step.answer == Answer::Shadowed)
    }

    /// The answers as lines "source: answer", for a message.
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
                step.answer.name(),
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
                step.mask.as_deref().unwrap_or_default(),
                step.source
            )?,
            _ => formatter.write_str("no token")?,
        }
        formatter.write_str(&self.lines())
    }
}
