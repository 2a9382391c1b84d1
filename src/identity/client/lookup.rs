//! Questions about names: what a namespace has, and whether there is such a namespace.
//!
//! They serve an error message or a warning, so they decide nothing and may fail: they are sent
//! side by side, take two seconds together at most, and are not sent while the Hub limits the rate.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Client, Line};
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::http::{self, Answer, HubClient};
use crate::identity::cache::Cache;
use crate::identity::failure::{Failure, message};
use crate::identity::key::Key;
use crate::identity::{Interrupt, Options};
use crate::role::is_name;
use crate::similar_repositories::{Missing, SimilarRepository};
use crate::sync::lock;

/// How long all questions of one lookup may take together.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often a waiting caller looks whether it was interrupted.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How many names are looked up in a process.
const NAMES: usize = 1_024;
/// How long the Hub's word that a namespace does not exist is trusted: it may be made meanwhile.
const ABSENCE_LIFETIME: Duration = Duration::from_secs(2);
/// How long the Hub's word that it does is trusted.
const NAMESPACE_LIFETIME: Duration = Duration::from_mins(1);

/// What a name stands for on a Hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// Neither, as far as the token can see.
    Absent,
}

/// A name on one Hub.
type Name = (Endpoint, String);

/// What has been looked up.
pub(super) struct Lookups {
    /// By repository; empty while the Hub is asked, and where it did not answer.
    repositories: Mutex<HashMap<Name, Arc<[SimilarRepository]>>>,
    /// By namespace.
    namespaces: Cache<Name, Namespace>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            repositories: Mutex::default(),
            namespaces: Cache::new(NAMES),
        }
    }
}

impl Lookups {
    /// Drops what is known of the namespaces of one Hub.
    pub(super) fn forget_namespaces(&self, endpoint: &Endpoint) {
        self.namespaces.remove_all(|(known, _)| known == endpoint);
    }
}

/// What is like a missing repository.
pub struct Similar {
    /// The repositories, the nearest first.
    pub repositories: Arc<[SimilarRepository]>,
    /// Whether an earlier call has looked them up.
    pub is_known: bool,
}

impl Client {
    /// What may have been meant by the name of a repository that is missing. The Hub is asked once
    /// a name.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupted`], and nothing else.
    pub fn similar_repositories(
        self: &Arc<Self>,
        missing: Missing<'_>,
        credential: &Credential,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Similar, Failure> {
        let none = Similar {
            repositories: Arc::new([]),
            is_known: false,
        };
        let id = format!("{}{}", missing.kind().prefix(), missing.id()).to_lowercase();
        let name = (credential.endpoint.clone(), id);
        if let Some(known) = lock(&self.lookups.repositories).get(&name) {
            return Ok(Similar {
                repositories: Arc::clone(known),
                is_known: true,
            });
        }
        let Some(http) = self.ready(credential, line) else {
            return Ok(none);
        };
        {
            let mut names = lock(&self.lookups.repositories);
            if names.len() >= NAMES {
                return Ok(none);
            }
            names.insert(name.clone(), Arc::clone(&none.repositories));
        }
        let answers = self.ask_all(&http, credential, missing.paths(), options, interrupt)?;
        let repositories: Arc<[SimilarRepository]> = missing.similar(&answers).into();
        lock(&self.lookups.repositories).insert(name, Arc::clone(&repositories));
        Ok(Similar {
            repositories,
            is_known: false,
        })
    }

    /// Whether the Hub knows a user or an organization of that name; `None` when it does not say.
    /// A user's and an organization's name are never the same.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupted`], and nothing else.
    pub fn namespace_named(
        self: &Arc<Self>,
        namespace: &str,
        credential: &Credential,
        line: &Line,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<Namespace>, Failure> {
        if !is_name(namespace) {
            return Ok(None);
        }
        let name = (credential.endpoint.clone(), namespace.to_lowercase());
        let oldest = Instant::now().checked_sub(NAMESPACE_LIFETIME);
        let known = self.lookups.namespaces.get(&name, oldest);
        if let Some((asked, namespace)) = known
            && (namespace != Namespace::Absent || asked.elapsed() < ABSENCE_LIFETIME)
        {
            return Ok(Some(namespace));
        }
        let Some(http) = self.ready(credential, line) else {
            return Ok(None);
        };
        let paths = ["users", "organizations"]
            .map(|kind| format!("/api/{kind}/{namespace}/overview"))
            .to_vec();
        let asked = Instant::now();
        let answers = self.ask_all(&http, credential, paths, options, interrupt)?;
        let found = found(&answers);
        if let Some(found) = found {
            self.lookups.namespaces.insert(name, asked, found);
        }
        Ok(found)
    }

    /// What requests are made with, unless they are forbidden or not welcome.
    fn ready(&self, credential: &Credential, line: &Line) -> Option<HubClient> {
        let key = Key::of(credential);
        let http = line.http().ok()?;
        self.limited(&key, line.shared(&key).as_ref()).ok()?;
        Some(http)
    }

    /// Asks several questions side by side; `None` for each that was not answered in time.
    fn ask_all(
        &self,
        http: &HubClient,
        credential: &Credential,
        paths: Vec<String>,
        options: &Options,
        interrupt: &dyn Interrupt,
    ) -> Result<Vec<Option<Answer>>, Failure> {
        let timeout = options.timeout.min(TIMEOUT);
        let mut answers: Vec<Option<Answer>> = paths.iter().map(|_| None).collect();
        let Ok(runtime) = self.runtime.handle() else {
            return Ok(answers);
        };
        let started = Instant::now();
        let (sender, receiver) = channel();
        for (index, path) in paths.into_iter().enumerate() {
            let (http, sender) = (http.clone(), sender.clone());
            let Ok(bearer) = credential.bearer() else {
                return Ok(answers);
            };
            let endpoint = credential.endpoint.clone();
            runtime.spawn(async move {
                let answer = http::get(&http, &endpoint, &path, Some(bearer), timeout).await;
                // The caller may have stopped waiting.
                let _ = sender.send((index, answer.ok()));
            });
        }
        drop(sender);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            match receiver.recv_timeout(left.min(POLL_INTERVAL)) {
                Ok((index, answer)) => answers[index] = answer,
                Err(RecvTimeoutError::Disconnected) => return Ok(answers),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(answers),
                Err(RecvTimeoutError::Timeout) if interrupt.is_set() => {
                    return Err(Failure::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// What two overviews, a user's and an organization's, say of a namespace: it is what one of them
/// is there for, and does not exist if the Hub says so of both. A server that has no such pages
/// answers with 404 as well, in other words.
fn found(overviews: &[Option<Answer>]) -> Option<Namespace> {
    let is_missing = |answer: &Answer| {
        answer.status == 404
            && message(answer).is_some_and(|words| !words.to_lowercase().contains("the page"))
    };
    let is_there = |answer: &Option<Answer>| answer.as_ref().is_some_and(|it| it.status == 200);
    // Both at once is a server that answers everything with 200: no word on a user.
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

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
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
            assert_eq!(found(&[one, other]), expected);
        }
    }
}
