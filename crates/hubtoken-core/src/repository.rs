//! What a repository is: one of three types, and an id.

use std::fmt;

/// What sort of repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RepositoryType {
    /// A model.
    #[default]
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
}

impl RepositoryType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// `model`, `dataset` or `space`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// `models`, `datasets` or `spaces`: the word in the API's paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// What stands before the id in every other URL: nothing for a model.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    /// Reads `model`, `dataset` or `space`.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == kind)
    }

    /// Reads `models`, `datasets` or `spaces`.
    #[must_use]
    pub fn parse_plural(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.plural() == kind)
    }
}

impl fmt::Display for RepositoryType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A repository whose name is like that of a missing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimilarRepository {
    /// Its type.
    pub kind: RepositoryType,
    /// `namespace/name`, as the Hub spells it.
    pub id: String,
}
