//! The types and ids of repositories.

use std::fmt;

/// The type of a repository.
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
    /// All types.
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

    /// What precedes the id in every other URL: nothing for a model.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    /// Parses `model`, `dataset` or `space`.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == kind)
    }

    /// Parses `models`, `datasets` or `spaces`.
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

/// A repository with a name similar to that of a missing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimilarRepository {
    /// The repository's type.
    pub kind: RepositoryType,
    /// `namespace/name`, as the Hub spells it.
    pub id: String,
}
