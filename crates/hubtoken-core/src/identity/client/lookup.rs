//! Looks up names: the repositories of a namespace, and whether a namespace exists.
//!
//! Lookups serve an error message or a warning, so they decide nothing and may fail. Their requests
//! are sent in parallel, take at most two seconds in total, and are not sent during a rate limit.
//!
//! Lookups wait for both kinds of rate limit. A limit on lookups themselves stops nothing else,
//! because lookups are only advice.
//!
//! The result of a lookup belongs to the token that made it: it lists what that token may see.
//! Concurrent calls about the same name share one lookup. A failed lookup is repeated only for an
//! error message, not for a warning, and of all calls that could warn about a name, only one does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::coalesce::{Caller, Coalesced};
use super::{Client, HubConnection, not_before};
use crate::clock::Clock;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::ResponseDetails;
use crate::http::response_details::message;
use crate::http::{self, HubClient, Response};
use crate::identity::Options;
use crate::identity::cache::bounded::BoundedCache;
use crate::identity::cache::key::Key;
use crate::identity::cache::shared::{LimitScope, MAXIMUM_LIMIT};
use crate::identity::deadline::Deadline;
use crate::identity::failure::Failure;
use crate::interrupt::Interrupt;
use crate::repository::SimilarRepository;
use crate::runtime::Runtime;
use crate::similar_repositories::Missing;
use crate::sync::lock_ignoring_poison;
use crate::target::is_name;

/// The time limit for all requests of one lookup together.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many names a process looks up at most.
const NAMES: usize = 1_024;
/// How long a namespace is cached as missing: it may be created in the meantime.
const ABSENCE_LIFETIME: Duration = Duration::from_secs(2);
/// How long an existing namespace is cached.
const NAMESPACE_LIFETIME: Duration = Duration::from_mins(1);

/// What a namespace refers to on a Hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// Neither, or invisible to the token.
    Absent,
}

/// A name as seen by one token.
type Name = (Key, String);
/// What was found, or why the lookup failed.
type LookupResult<T> = Result<T, Failure>;
type Repositories = Arc<[SimilarRepository]>;

/// Cached lookups.
pub(super) struct Lookups {
    /// Similar repositories by name, once the Hub has answered.
    repositories: Mutex<HashMap<Name, Repositories>>,
    repository_requests: Coalesced<Name, Repositories>,
    /// Names whose lookup the Hub did not answer. Only an error about such a repository repeats the
    /// lookup.
    unanswered: Mutex<HashSet<Name>>,
    /// Until when the Hub rate-limits lookups. Lookups are only advice, so this limit stops nothing
    /// else.
    limits: BoundedCache<Key, Instant>,
    /// The repositories whose similar names were already returned for a warning.
    reported: Mutex<HashSet<(Endpoint, String)>>,
    /// Lookups by namespace.
    namespaces: BoundedCache<Name, Namespace>,
    namespace_requests: Coalesced<Name, Option<Namespace>>,
}

impl Lookups {
    pub(super) fn new(runtime: &Arc<Runtime>, clock: &Clock) -> Self {
        Self {
            repositories: Mutex::default(),
            repository_requests: Coalesced::new(runtime, clock),
            unanswered: Mutex::default(),
            limits: BoundedCache::new(NAMES),
            reported: Mutex::default(),
            namespaces: BoundedCache::new(NAMES),
            namespace_requests: Coalesced::new(runtime, clock),
        }
    }

    /// Drops the lookups of the matching tokens.
    pub(super) fn invalidate(&self, fits: impl Fn(&Key) -> bool) {
        self.limits.remove_all(&fits);
        self.remove_names(fits);
    }

    /// Removes everything except rate limits.
    pub(super) fn clear(&self) {
        self.remove_names(|_| true);
    }

    fn remove_names(&self, fits: impl Fn(&Key) -> bool) {
        lock_ignoring_poison(&self.repositories).retain(|(key, _), _| !fits(key));
        lock_ignoring_poison(&self.unanswered).retain(|(key, _)| !fits(key));
        self.namespaces.remove_all(|(key, _)| fits(key));
    }

    /// Whether this call is the one that warns about a name.
    fn reports(&self, endpoint: &Endpoint, id: &str) -> bool {
        let mut reported = lock_ignoring_poison(&self.reported);
        reported.len() < NAMES && reported.insert((endpoint.clone(), id.to_owned()))
    }
}

/// Repositories with a name similar to a missing one's.
pub struct Similar {
    /// The repositories, the closest first.
    pub repositories: Repositories,
    /// Whether an earlier call already received them for its warning.
    pub is_reported: bool,
}

impl Client {
    /// Suggests repositories that the name of a missing one may have meant. Each name is looked up
    /// until the Hub answers, and of all calls that would warn about it, only one is told to do so.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupted`], and nothing else.
    pub fn similar_repositories(
        self: &Arc<Self>,
        missing: Missing<'_>,
        reports: bool,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Similar, Failure> {
        let id = format!("{}{}", missing.kind().prefix(), missing.id()).to_lowercase();
        let name = (Key::of(credential), id);
        let cached = || {
            lock_ignoring_poison(&self.lookups.repositories)
                .get(&name)
                .cloned()
        };
        let repositories = if let Some(known) = cached() {
            known
        } else if !(reports && lock_ignoring_poison(&self.lookups.unanswered).contains(&name))
            && lock_ignoring_poison(&self.lookups.repositories).len() < NAMES
            && let Some(http) = self.http_client(credential, connection)
        {
            let (client, credential) = (self.clone(), credential.clone());
            let (target, entry) = (missing.target(), name.clone());
            let deadline = Deadline::of(&self.clock, options).within(TIMEOUT);
            let until = deadline.clone();
            let found = self.lookups.repository_requests.get(
                &name,
                &lookup_caller(connection, &deadline, interrupt),
                || cached().map(Ok),
                move |_| async move {
                    let Some(missing) = Missing::of(&target) else {
                        return Ok(Arc::default());
                    };
                    let paths = missing.paths();
                    let answers = client.get_all(&http, &credential, paths, &until).await;
                    let repositories: Repositories = missing.similar(&answers).into();
                    if answers
                        .iter()
                        .all(|answer| answer.as_ref().is_some_and(is_answer))
                    {
                        lock_ignoring_poison(&client.lookups.repositories)
                            .insert(entry, Arc::clone(&repositories));
                    } else {
                        let mut unanswered = lock_ignoring_poison(&client.lookups.unanswered);
                        if unanswered.len() < NAMES {
                            unanswered.insert(entry);
                        }
                    }
                    if repositories.is_empty() && until.has_passed() {
                        // Callers that have more time may look again.
                        return Err(until.failure());
                    }
                    Ok(repositories)
                },
            );
            unless_interrupted(found)?.unwrap_or_default()
        } else {
            Arc::default()
        };
        let is_first = reports
            && !repositories.is_empty()
            && self.lookups.reports(&credential.endpoint, &name.1);
        Ok(Similar {
            repositories,
            is_reported: !is_first,
        })
    }

    /// Returns whether a name is a user or an organization; `None` if the Hub does not say. A user
    /// and an organization never share a name.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupted`], and nothing else.
    pub fn namespace_named(
        self: &Arc<Self>,
        namespace: &str,
        credential: &Arc<Credential>,
        connection: &HubConnection,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<Namespace>, Failure> {
        if !is_name(namespace) {
            return Ok(None);
        }
        let name = (Key::of(credential), namespace.to_lowercase());
        let cached = || {
            let now = self.clock.now();
            let oldest = not_before(now, NAMESPACE_LIFETIME);
            let (asked, found) = self.lookups.namespaces.get(&name, oldest)?;
            let is_young = now.saturating_duration_since(asked) < ABSENCE_LIFETIME;
            (found != Namespace::Absent || is_young).then_some(found)
        };
        if let Some(found) = cached() {
            return Ok(Some(found));
        }
        let Some(http) = self.http_client(credential, connection) else {
            return Ok(None);
        };
        let paths = ["users", "organizations"]
            .map(|kind| format!("/api/{kind}/{namespace}/overview"))
            .to_vec();
        let (client, credential) = (self.clone(), credential.clone());
        let entry = name.clone();
        let deadline = Deadline::of(&self.clock, options).within(TIMEOUT);
        let until = deadline.clone();
        let outcome = self.lookups.namespace_requests.get(
            &name,
            &lookup_caller(connection, &deadline, interrupt),
            || cached().map(|found| Ok(Some(found))),
            move |asked| async move {
                let answers = client.get_all(&http, &credential, paths, &until).await;
                let found = namespace_kind(&answers);
                if let Some(found) = found {
                    client.lookups.namespaces.insert(entry, asked, found);
                } else if until.has_passed() {
                    // As above.
                    return Err(until.failure());
                }
                Ok(found)
            },
        );
        Ok(unless_interrupted(outcome)?.flatten())
    }

    /// The client for lookups, unless requests are disabled or rate-limited.
    fn http_client(
        &self,
        credential: &Credential,
        connection: &HubConnection,
    ) -> Option<HubClient> {
        let key = Key::of(credential);
        connection.check_open().ok()?;
        let limit = self.lookups.limits.get(&key, None);
        if limit.is_some_and(|(_, end)| end > self.clock.now()) {
            return None;
        }
        self.check_rate_limit(&key, LimitScope::Whoami, connection.shared(&key).as_ref())
            .ok()?;
        connection.http().ok()
    }

    /// Sends several requests in parallel; `None` for each that got no answer in time.
    async fn get_all(
        &self,
        http: &HubClient,
        credential: &Credential,
        paths: Vec<String>,
        deadline: &Deadline,
    ) -> Vec<Option<Response>> {
        let mut answers: Vec<Option<Response>> = paths.iter().map(|_| None).collect();
        let mut requests = JoinSet::new();
        for (index, path) in paths.into_iter().enumerate() {
            let Ok(bearer) = credential.bearer() else {
                return answers;
            };
            let (http, endpoint) = (http.clone(), credential.endpoint.clone());
            let limit = deadline.limit();
            requests.spawn(async move {
                let answer = http::get(&http, &endpoint, &path, Some(bearer), limit).await;
                (index, answer.ok())
            });
        }
        while let Some(answered) = requests.join_next().await {
            if let Ok((index, Some(answer))) = answered {
                if answer.status >= 400
                    && let Some(length) =
                        Failure::of(&answer, ResponseDetails::default()).rate_limit()
                {
                    let now = self.clock.now();
                    let end = now + length.min(MAXIMUM_LIMIT);
                    let limits = &self.lookups.limits;
                    limits.insert(Key::of(credential), now, end);
                }
                answers[index] = Some(answer);
            }
        }
        answers
    }
}

/// The caller of a lookup, which accepts an answer of any age.
fn lookup_caller<'a>(
    connection: &HubConnection,
    deadline: &'a Deadline,
    interrupt: &'a dyn Interrupt,
) -> Caller<'a> {
    Caller {
        route: connection.route_id(),
        not_before: None,
        deadline,
        interrupt,
    }
}

/// Maps every failure except an interruption to `None`.
fn unless_interrupted<T>(found: LookupResult<T>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
        Err(_) => Ok(None),
    }
}

/// Whether repeating the request would give the same answer.
fn is_answer(answer: &Response) -> bool {
    answer.status < 500 && !matches!(answer.status, 408 | 429)
}

/// Interprets the overview pages of a namespace, as a user and as an organization. The namespace is
/// whichever page exists, and is missing if the Hub says so for both. A server without such pages
/// also answers with 404, but with another message.
fn namespace_kind(overviews: &[Option<Response>]) -> Option<Namespace> {
    let is_missing = |answer: &Response| {
        answer.status == 404
            && message(answer).is_some_and(|words| !words.to_lowercase().contains("the page"))
    };
    let is_there = |answer: &Option<Response>| answer.as_ref().is_some_and(|it| it.status == 200);
    // If both exist, the server answers everything with 200, which does not prove that a user
    // exists.
    let mut there = [Namespace::Organization, Namespace::User]
        .into_iter()
        .zip(overviews.iter().rev());
    if let Some((kind, _)) = there.find(|(_, overview)| is_there(overview)) {
        return Some(kind);
    }
    let all_missing = overviews
        .iter()
        .all(|answer| answer.as_ref().is_some_and(is_missing));
    all_missing.then_some(Namespace::Absent)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_namespace_is_missing_where_the_hub_says_so_twice() {
        let missing = || Some(answer(404, r#"{"error":"User not found"}"#));
        let no_page = || {
            let words = r#"{"error":"Sorry, we can't find the page you are looking for."}"#;
            Some(answer(404, words))
        };
        let there = || Some(answer(200, "{}"));
        let bare = || Some(answer(404, "not found"));
        for (one, other, expected) in [
            (missing(), missing(), Some(Namespace::Absent)),
            (there(), missing(), Some(Namespace::User)),
            (missing(), there(), Some(Namespace::Organization)),
            (there(), None, Some(Namespace::User)),
            (there(), there(), Some(Namespace::Organization)),
            (missing(), None, None),
            (None, None, None),
            (missing(), Some(answer(429, r#"{"error":"slow"}"#)), None),
            (missing(), Some(answer(500, "")), None),
            // Other servers, without such pages.
            (bare(), bare(), None),
            (no_page(), no_page(), None),
        ] {
            assert_eq!(namespace_kind(&[one, other]), expected);
        }
    }
}
