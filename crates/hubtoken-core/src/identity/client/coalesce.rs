//! Coalesces concurrent requests, and ensures that each one completes.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Client;
use crate::http::{RouteId, no_answer_within};
use crate::identity::failure::Failure;
use crate::interrupt::Interrupt;
use crate::single_flight::{InFlight, Joined, SingleFlight, WaitError};

/// Selects the in-flight requests of one kind. Each result carries its leader's route to the Hub.
type InFlightTable<K, A> = fn(&Client) -> &SingleFlight<K, (RouteId, Result<A, Failure>)>;

impl Client {
    /// Joins the request in flight for a key, or starts one.
    ///
    /// A follower whose leader uses another route to the Hub accepts its answer, but not a failure
    /// of that route.
    #[expect(clippy::too_many_arguments, reason = "shared by all kinds of requests")]
    pub(super) fn coalesced<K, A, R>(
        self: &Arc<Self>,
        (table, route): (InFlightTable<K, A>, RouteId),
        key: &K,
        limit: Option<Instant>,
        timeout: Duration,
        interrupt: &dyn Interrupt,
        cached: impl Fn(&Self) -> Option<Result<A, Failure>>,
        request: impl FnOnce(Instant) -> R,
    ) -> Result<A, Failure>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        A: Clone + Send + Sync + 'static,
        R: Future<Output = Result<A, Failure>> + Send + 'static,
    {
        // The request has its own time-out. One more second lets that one report the failure.
        let longest = timeout + Duration::from_secs(1);
        let known = || Some((route, cached(self)?));
        let in_flight = loop {
            match table(self).join(key, self.clock.now(), limit, known) {
                Joined::Cached((_, answer)) => return answer,
                Joined::Follower(in_flight) => match wait_for(&in_flight, longest, interrupt)? {
                    (leader_route, Err(failure))
                        if leader_route != route && failure.depends_on_route() => {}
                    (_, outcome) => return outcome,
                },
                Joined::Superseded(in_flight) => {
                    let _ = wait_for(&in_flight, timeout, interrupt)?;
                }
                Joined::Leader(in_flight) => {
                    let guard = CompletionGuard {
                        client: self.clone(),
                        table,
                        route,
                        key: key.clone(),
                        in_flight: in_flight.clone(),
                        outcome: Some(Err(Failure::Unreachable(
                            "the request was dropped".to_owned(),
                        ))),
                    };
                    let runtime = self.runtime.handle().map_err(Failure::Configuration)?;
                    let answer = request(self.clock.now());
                    runtime.spawn(async move { guard.complete(answer.await) });
                    break in_flight;
                }
            }
        };
        wait_for(&in_flight, longest, interrupt)?.1
    }
}

fn wait_for<T: Clone>(
    in_flight: &InFlight<T>,
    timeout: Duration,
    interrupt: &dyn Interrupt,
) -> Result<T, Failure> {
    in_flight
        .wait(timeout, interrupt)
        .map_err(|error| match error {
            WaitError::Interrupted => Failure::Interrupted,
            WaitError::TimedOut => Failure::Unreachable(no_answer_within(timeout)),
        })
}

/// Completes the request whatever happens to it, so that no caller waits for one that crashed.
struct CompletionGuard<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    client: Arc<Client>,
    table: InFlightTable<K, A>,
    route: RouteId,
    key: K,
    in_flight: Arc<InFlight<(RouteId, Result<A, Failure>)>>,
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
            (self.table)(&self.client).complete(&self.key, &self.in_flight, (self.route, outcome));
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
        let client = Arc::new(Client::default());
        let now = client.clock.now();
        let Joined::Leader(in_flight) = client.whoami_requests.join(&key, now, None, || None)
        else {
            panic!("the first caller leads");
        };
        let answer = thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let answer = identity.clone();
                client.coalesced(
                    (
                        |client| &client.whoami_requests,
                        route("http://b.example:1"),
                    ),
                    &key,
                    None,
                    Duration::from_mins(1),
                    &NeverInterrupted,
                    |_| None,
                    move |asked| async move { Ok((asked, answer)) },
                )
            });
            let failed = Err(Failure::Unreachable("the proxy a is down".to_owned()));
            let outcome = (route("http://a.example:1"), failed);
            client.whoami_requests.complete(&key, &in_flight, outcome);
            follower.join().unwrap()
        });
        assert_eq!(answer.unwrap().1.user, "alice");
    }
}
