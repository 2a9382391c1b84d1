//! Finds existing repositories that the name of a missing one may have meant.
//!
//! A training job names a repository that it will create, so a missing one is not an error, but a
//! mistyped name looks just the same. So for a missing repository, the Hub is asked what else its
//! namespace contains: of the same type, names at most two edits away; of the other types, exactly
//! the same name. This module is the pure half: it builds the requests and interprets the
//! responses. `identity::client::lookup` sends them.

use std::sync::Arc;

use serde_json::Value;

use crate::edit_distance;
use crate::endpoint::Endpoint;
use crate::http::Response;
use crate::repository::{RepositoryType, SimilarRepository};
use crate::target::Target;

/// How many similar names are reported.
const REPORTED: usize = 3;
/// How many repositories of the namespace are compared: as many as the Hub lists per page.
const COMPARED: usize = 1000;

/// A repository that does not exist and may be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRepository {
    /// The Hub.
    pub endpoint: Endpoint,
    /// The repository's type.
    pub kind: RepositoryType,
    /// `namespace/name`.
    pub id: String,
    /// Repositories that may have been meant, the closest first.
    pub similar: Arc<[SimilarRepository]>,
    /// Whether the similar names were already reported for this name.
    pub is_reported: bool,
    /// Whether the required action would create it.
    pub would_be_created: bool,
    /// Whether the caller wrote its type before its name, where it counts more than an argument.
    pub has_type_prefix: bool,
}

impl MissingRepository {
    /// A sentence that says that it does not exist.
    #[must_use]
    pub fn sentence(&self) -> String {
        let rest = if self.would_be_created {
            "yet, and would be created"
        } else {
            "as far as the token can tell"
        };
        format!(
            "the {} {} does not exist on {} {rest}",
            self.kind.as_str(),
            self.id,
            self.endpoint
        )
    }

    /// Names the repositories that may have been meant; `None` if there are none. `argument` is how
    /// the caller selects another type: `repo_type="dataset"` in Python, `--repo-type dataset` in a
    /// shell. Where the type is a part of the name, that part is what to change.
    #[must_use]
    pub fn suggestion(&self, argument: fn(&SimilarRepository) -> String) -> Option<String> {
        let argument = if self.has_type_prefix {
            typed_name
        } else {
            argument
        };
        let suggestion = suggestion(self.kind, &self.similar, argument)?;
        Some(format!("{}; {suggestion}", self.sentence()))
    }
}

/// The name with its type, in the form that both Python and the command line accept, whatever else
/// says the type: `models/alice/tiny`.
#[must_use]
pub fn typed_name(similar: &SimilarRepository) -> String {
    format!("{}/{}", similar.kind.plural(), similar.id)
}

/// "there is a dataset of that name: …; did you mean …?", for the given repositories.
#[must_use]
pub fn suggestion(
    kind: RepositoryType,
    similar: &[SimilarRepository],
    argument: fn(&SimilarRepository) -> String,
) -> Option<String> {
    let (same_type, others): (Vec<_>, Vec<_>) = similar.iter().partition(|each| each.kind == kind);
    let mut clauses: Vec<String> = others
        .iter()
        .map(|other| {
            let kind = other.kind.as_str();
            format!("there is a {kind} of that name: {}", argument(other))
        })
        .collect();
    if !same_type.is_empty() {
        let ids: Vec<&str> = same_type.iter().map(|each| each.id.as_str()).collect();
        clauses.push(format!("did you mean {}?", ids.join(" or ")));
    }
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

/// A missing repository.
#[derive(Clone, Copy)]
pub struct Missing<'a> {
    kind: RepositoryType,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Missing<'a> {
    /// The repository that a target names; `None` for another kind of target.
    #[must_use]
    pub fn of(target: &'a Target) -> Option<Self> {
        match target {
            Target::Repository {
                kind,
                namespace,
                name,
            } => Some(Self {
                kind: *kind,
                namespace,
                name,
            }),
            Target::Anything | Target::Namespace(_) => None,
        }
    }

    /// The target that names it.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::Repository {
            kind: self.kind,
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
        }
    }

    /// The repository's type.
    #[must_use]
    pub fn kind(&self) -> RepositoryType {
        self.kind
    }

    /// `namespace/name`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The paths of the listings to request, with the repository's own type first.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        // Names consist of letters, digits, `-`, `_` and `.`, so they need no escaping. `expand`
        // keeps the listing short.
        self.kinds()
            .map(|kind| {
                let listing = format!("/api/{}?author={}", kind.plural(), self.namespace);
                if kind == self.kind {
                    // The Hub's search finds whole words, and the typo may be anywhere.
                    format!("{listing}&limit={COMPARED}&expand=private")
                } else {
                    format!(
                        "{listing}&search={}&limit={COMPARED}&expand=private",
                        self.name
                    )
                }
            })
            .collect()
    }

    /// The repositories found in the responses, which are in the order of [`paths`](Self::paths).
    /// Failures are skipped.
    #[must_use]
    pub fn similar(&self, answers: &[Option<Response>]) -> Vec<SimilarRepository> {
        let mut found = Vec::new();
        for (kind, answer) in self.kinds().zip(answers) {
            let mut near: Vec<(usize, SimilarRepository)> = self
                .listed(answer.as_ref())
                .into_iter()
                .filter_map(|id| {
                    let (_, name) = id.split_once('/')?;
                    let edits = edit_distance::between(self.name, name)?;
                    // The Hub has just said that the same name does not exist in the same type.
                    let is_similar = if kind == self.kind {
                        !name.eq_ignore_ascii_case(self.name)
                    } else {
                        name.eq_ignore_ascii_case(self.name)
                    };
                    is_similar.then_some((edits, SimilarRepository { kind, id }))
                })
                .collect();
            near.sort_by(|one, other| (one.0, &one.1.id).cmp(&(other.0, &other.1.id)));
            near.truncate(REPORTED);
            found.extend(near.into_iter().map(|(_, similar)| similar));
        }
        found
    }

    /// The repository's own type, then the others.
    fn kinds(&self) -> impl Iterator<Item = RepositoryType> + use<> {
        let own = self.kind;
        let others = RepositoryType::ALL
            .into_iter()
            .filter(move |kind| *kind != own);
        std::iter::once(own).chain(others)
    }

    /// The valid ids in a listing. Others are dropped, since messages show them.
    fn listed(&self, answer: Option<&Response>) -> Vec<String> {
        let body = answer
            .filter(|answer| answer.status == 200)
            .and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
        let Some(Value::Array(entries)) = body else {
            return Vec::new();
        };
        entries
            .iter()
            .filter_map(|entry| entry.get("id")?.as_str())
            .filter_map(|id| {
                // An id without a namespace does not belong to this one.
                match Target::repository(id, self.kind, "").ok()? {
                    Target::Repository {
                        namespace, name, ..
                    } if namespace.eq_ignore_ascii_case(self.namespace) => {
                        Some(format!("{namespace}/{name}"))
                    }
                    _ => None,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use reqwest::header::HeaderMap;

    use super::*;

    fn listing(ids: &[&str]) -> Response {
        let entries: Vec<Value> = ids
            .iter()
            .map(|id| serde_json::json!({ "id": id, "private": true }))
            .collect();
        answer(200, &Value::from(entries).to_string())
    }

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn target(kind: RepositoryType) -> Target {
        Target::repository("alice/trainedd", kind, "alice").unwrap()
    }

    fn python(similar: &SimilarRepository) -> String {
        format!("repo_type=\"{}\"", similar.kind.as_str())
    }

    fn ids(similar: &[SimilarRepository]) -> Vec<(&'static str, &str)> {
        similar
            .iter()
            .map(|each| (each.kind.as_str(), each.id.as_str()))
            .collect()
    }

    #[test]
    fn a_slip_is_found_in_the_same_type_and_the_very_name_in_the_others() {
        let target = target(RepositoryType::Model);
        let missing = Missing::of(&target).unwrap();
        let similar = missing.similar(
            &[
                listing(&[
                    "Alice/tainedd",
                    "alice/trained",
                    "alice/other",
                    "alice/trainedd",
                ]),
                listing(&["alice/trainedd", "alice/trained"]),
                listing(&["alice/TrainedD-2", "alice/TRAINEDD"]),
            ]
            .map(Some),
        );
        assert_eq!(
            ids(&similar),
            [
                ("model", "Alice/tainedd"),
                ("model", "alice/trained"),
                ("dataset", "alice/trainedd"),
                ("space", "alice/TRAINEDD"),
            ]
        );
    }

    #[test]
    fn what_is_not_a_listing_of_the_namespace_shows_nothing() {
        let target = target(RepositoryType::Model);
        let missing = Missing::of(&target).unwrap();
        for bad in [
            answer(200, "<html>"),
            answer(200, "{\"id\":\"alice/trained\"}"),
            answer(200, "[1, null, {\"id\": 7}, {\"name\": \"alice/trained\"}]"),
            answer(429, "[{\"id\":\"alice/trained\"}]"),
            listing(&["bob/trained", "trained"]),
            listing(&["alice/trained\u{1b}[31m", "alice/../trained"]),
        ] {
            assert_eq!(missing.similar(&[Some(bad), None, None]), []);
        }
        assert_eq!(missing.similar(&[None, None, None]), []);
        assert_eq!(missing.similar(&[]), []);
    }

    #[test]
    fn three_listings_are_asked_for_at_most() {
        for kind in RepositoryType::ALL {
            let target = target(kind);
            let paths = Missing::of(&target).unwrap().paths();
            assert_eq!(paths.len(), 3);
            assert!(paths[0].starts_with(&format!("/api/{}?author=alice&", kind.plural())));
            assert!(
                paths[1..]
                    .iter()
                    .all(|path| path.contains("&search=trainedd&"))
            );
        }
        assert!(Missing::of(&Target::Anything).is_none());
    }

    #[test]
    fn the_sentences_name_what_may_have_been_meant() {
        let missing = MissingRepository {
            endpoint: Endpoint::default_hub(),
            kind: RepositoryType::Model,
            id: "alice/trainedd".to_owned(),
            similar: Arc::new([
                SimilarRepository {
                    kind: RepositoryType::Model,
                    id: "alice/trained".to_owned(),
                },
                SimilarRepository {
                    kind: RepositoryType::Dataset,
                    id: "alice/trainedd".to_owned(),
                },
            ]),
            is_reported: false,
            would_be_created: true,
            has_type_prefix: false,
        };
        assert_eq!(
            missing.suggestion(python).unwrap(),
            "the model alice/trainedd does not exist on https://huggingface.co yet, and would be \
             created; there is a dataset of that name: repo_type=\"dataset\"; did you mean \
             alice/trained?"
        );
        let elsewhere = MissingRepository {
            would_be_created: false,
            ..missing.clone()
        };
        assert_eq!(
            elsewhere.sentence(),
            "the model alice/trainedd does not exist on https://huggingface.co as far as the token \
             can tell"
        );
        let alone = MissingRepository {
            similar: Arc::new([]),
            ..missing
        };
        assert_eq!(alone.suggestion(python), None);
    }
}
