//! Coalesces concurrent requests, and ensures that each one completes.
//!
//! Every caller waits until its own [`Deadline`], whoever leads. A request ends at its leader's. If
//! that was the only reason why it failed, a follower with time left joins or leads the next one.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::http::RouteId;
use crate::identity::deadline::Deadline;
use crate::identity::failure::Failure;
use crate::interrupt::Interrupt;
use crate::runtime::Runtime;
use crate::single_flight::{InFlight, Joined, SingleFlight, WaitError};

/// A request ends itself at its leader's deadline and says what it was waiting for. The leader
/// gives it this much longer to do so.
const GRACE: Duration = Duration::from_millis(100);

/// The requests of one kind: at most one in flight for each key.
pub(super) struct Coalesced<K, A> {
    requests: Arc<SingleFlight<K, Outcome<A>>>,
    runtime: Arc<Runtime>,
    clock: Clock,
}

/// An answer or a failure, with its leader's route to the Hub.
type Outcome<A> = (RouteId, Result<A, Failure>);

/// What one caller brings to a request, whether it leads or follows.
pub(super) struct Caller<'a> {
    /// Its route to the Hub.
    pub(super) route: RouteId,
    /// The earliest time at which an acceptable answer was requested; `None` accepts any.
    pub(super) not_before: Option<Instant>,
    /// When it stops waiting.
    pub(super) deadline: &'a Deadline,
    /// Ends the caller's wait, but not the request.
    pub(super) interrupt: &'a dyn Interrupt,
}

impl<K, A> Coalesced<K, A>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
{
    pub(super) fn new(runtime: &Arc<Runtime>, clock: &Clock) -> Self {
        Self {
            requests: Arc::default(),
            runtime: runtime.clone(),
            clock: clock.clone(),
        }
    }

    /// Whether a request for a key is in flight that started at or after `not_before`.
    pub(super) fn is_running(&self, key: &K, not_before: Option<Instant>) -> bool {
        self.requests.is_running(key, not_before)
    }

    /// Joins the request in flight for a key, or starts one with `fetch`.
    ///
    /// A follower whose leader uses another route to the Hub accepts its answer, but not a failure
    /// of that route. A follower that has more time than its leader had does not accept that the
    /// leader's was over.
    pub(super) fn get<R>(
        &self,
        key: &K,
        caller: &Caller<'_>,
        cached: impl Fn() -> Option<Result<A, Failure>>,
        fetch: impl FnOnce(Instant) -> R,
    ) -> Result<A, Failure>
    where
        R: Future<Output = Result<A, Failure>> + Send + 'static,
    {
        let known = || Some((caller.route, cached()?));
        let join = || {
            let now = self.clock.now();
            self.requests.join(key, now, caller.not_before, known)
        };
        while !caller.deadline.has_passed() {
            match join() {
                Joined::Cached((_, answer)) => return answer,
                Joined::Follower(in_flight) => {
                    let outcome = caller.wait_for(&in_flight, Duration::ZERO)?;
                    if let Some(answer) = caller.share(outcome) {
                        return answer;
                    }
                }
                Joined::Superseded(in_flight) => {
                    let _ = caller.wait_for(&in_flight, Duration::ZERO)?;
                }
                Joined::Leader(in_flight) => {
                    let guard = CompletionGuard {
                        requests: self.requests.clone(),
                        route: caller.route,
                        key: key.clone(),
                        in_flight: in_flight.clone(),
                        outcome: Some(Err(Failure::Unreachable("the request was dropped".into()))),
                    };
                    let runtime = self.runtime.handle().map_err(Failure::Configuration)?;
                    let answer = fetch(self.clock.now());
                    let deadline = caller.deadline.clone();
                    runtime.spawn(async move { guard.complete(deadline.bound(answer).await) });
                    return caller.wait_for(&in_flight, GRACE)?.1;
                }
            }
        }
        cached().unwrap_or_else(|| Err(caller.deadline.failure()))
    }
}

impl Caller<'_> {
    /// Waits until this caller's deadline, and `longer`.
    fn wait_for<T: Clone>(&self, in_flight: &InFlight<T>, longer: Duration) -> Result<T, Failure> {
        let left = || self.deadline.left_with(longer);
        in_flight
            .wait_while(left, self.deadline.interval(), self.interrupt)
            .map_err(|error| match error {
                WaitError::Interrupted => Failure::Interrupted,
                WaitError::TimedOut => self.deadline.failure(),
            })
    }

    /// What a leader's outcome means to this follower; `None` if it needs a request of its own.
    fn share<A>(&self, (route, answer): Outcome<A>) -> Option<Result<A, Failure>> {
        match answer {
            Err(Failure::TimedOut { .. }) if self.deadline.allows_another_request() => None,
            Err(Failure::TimedOut { after, .. })
                if after != self.deadline.timeout() || route != self.route =>
            {
                Some(Err(self.deadline.failure()))
            }
            Err(failure) if route != self.route && failure.depends_on_route() => None,
            answer => Some(answer),
        }
    }
}

/// Completes the request whatever happens to it, so that no caller waits for one that crashed.
struct CompletionGuard<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    requests: Arc<SingleFlight<K, Outcome<A>>>,
    route: RouteId,
    key: K,
    in_flight: Arc<InFlight<Outcome<A>>>,
    outcome: Option<Result<A, Failure>>,
}

impl<K, A> CompletionGuard<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn complete(mut self, outcome: Result<A, Failure>) {
        self.outcome = Some(outcome);
    }
}

impl<K, A> Drop for CompletionGuard<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            let outcome = (self.route, outcome);
            self.requests.complete(&self.key, &self.in_flight, outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]
    use std::thread;

    use super::*;
    use crate::endpoint::Endpoint;
    use crate::env::StaticEnvironment;
    use crate::http::Settings;
    use crate::identity::Options;
    use crate::identity::cache::key::Key;
    use crate::identity::model::Identity;
    use crate::interrupt::NeverInterrupted;
    use crate::token::Digest;

    #[test]
    fn a_follower_takes_no_failure_of_its_leaders_route() {
        let endpoint = Endpoint::default_hub();
        let route = |proxy| {
            Settings::read(&StaticEnvironment::from([("ALL_PROXY", proxy)])).route_id(&endpoint)
        };
        let key = Key {
            digest: Digest::of("a"),
            endpoint: endpoint.clone(),
        };
        let identity = Arc::new(Identity::parse(br#"{"name":"alice"}"#, &endpoint).unwrap());
        let clock = Clock::system();
        let coalesced = Coalesced::new(&Arc::default(), &clock);
        let Joined::Leader(in_flight) = coalesced.requests.join(&key, clock.now(), None, || None)
        else {
            panic!("the first caller leads");
        };
        let answer = thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let answer = identity.clone();
                let caller = Caller {
                    route: route("http://b.example:1"),
                    not_before: None,
                    deadline: &Deadline::of(&clock, &Options::default()),
                    interrupt: &NeverInterrupted,
                };
                coalesced.get(
                    &key,
                    &caller,
                    || None,
                    move |asked| async move { Ok((asked, answer)) },
                )
            });
            let failed = Err(Failure::Unreachable("the proxy a is down".into()));
            let outcome = (route("http://a.example:1"), failed);
            coalesced.requests.complete(&key, &in_flight, outcome);
            follower.join().unwrap()
        });
        assert_eq!(answer.unwrap().1.user, "alice");
    }
}
