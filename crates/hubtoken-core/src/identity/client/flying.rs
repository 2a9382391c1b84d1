//! Coalesces concurrent requests, and ensures that each one completes.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Client;
use crate::http::{Way, no_answer_within};
use crate::identity::failure::Failure;
use crate::interrupt::Interrupt;
use crate::single_flight::{Boarding, Flight, Flights, Gone};

/// Selects the in-flight requests of one kind. Each result carries its leader's route to the Hub.
type Hangar<K, A> = fn(&Client) -> &Flights<K, (Way, Result<A, Failure>)>;

impl Client {
    /// Joins the request in flight for a key, or starts one.
    ///
    /// A follower whose leader uses another route to the Hub accepts its answer, but not a failure
    /// of that route.
    #[expect(clippy::too_many_arguments, reason = "shared by all kinds of requests")]
    pub(super) fn fly<K, A, R>(
        self: &Arc<Self>,
        (flights, way): (Hangar<K, A>, Way),
        key: &K,
        limit: Option<Instant>,
        timeout: Duration,
        interrupt: &dyn Interrupt,
        recall: impl Fn(&Self) -> Option<Result<A, Failure>>,
        request: impl FnOnce(Instant) -> R,
    ) -> Result<A, Failure>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        A: Clone + Send + Sync + 'static,
        R: Future<Output = Result<A, Failure>> + Send + 'static,
    {
        // The request has its own time-out. One more second lets that one report the failure.
        let longest = timeout + Duration::from_secs(1);
        let known = || Some((way, recall(self)?));
        let flight = loop {
            match flights(self).board(key, self.clock.now(), limit, known) {
                Boarding::Answered((_, answer)) => return answer,
                Boarding::Follow(flight) => match wait(&flight, longest, interrupt)? {
                    (by, Err(failure)) if by != way && failure.is_of_the_way() => {}
                    (_, outcome) => return outcome,
                },
                Boarding::Wait(flight) => {
                    let _ = wait(&flight, timeout, interrupt)?;
                }
                Boarding::Lead(flight) => {
                    let landing = Landing {
                        client: self.clone(),
                        flights,
                        way,
                        key: key.clone(),
                        flight: flight.clone(),
                        outcome: Some(Err(Failure::Unreachable(
                            "the request was dropped".to_owned(),
                        ))),
                    };
                    let runtime = self.runtime.handle().map_err(Failure::Setup)?;
                    let answer = request(self.clock.now());
                    runtime.spawn(async move { landing.complete(answer.await) });
                    break flight;
                }
            }
        };
        wait(&flight, longest, interrupt)?.1
    }
}

fn wait<T: Clone>(
    flight: &Flight<T>,
    timeout: Duration,
    interrupt: &dyn Interrupt,
) -> Result<T, Failure> {
    flight.wait(timeout, interrupt).map_err(|gone| match gone {
        Gone::Interrupted => Failure::Interrupted,
        Gone::TimedOut => Failure::Unreachable(no_answer_within(timeout)),
    })
}

/// Completes the request whatever happens to it, so that no caller waits for one that crashed.
struct Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    client: Arc<Client>,
    flights: Hangar<K, A>,
    way: Way,
    key: K,
    flight: Arc<Flight<(Way, Result<A, Failure>)>>,
    outcome: Option<Result<A, Failure>>,
}

impl<K, A> Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn complete(mut self, outcome: Result<A, Failure>) {
        self.outcome = Some(outcome);
    }
}

impl<K, A> Drop for Landing<K, A>
where
    K: Clone + Eq + Hash,
    A: Clone,
{
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            (self.flights)(&self.client).land(&self.key, &self.flight, (self.way, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]
    use std::thread;

    use super::*;
    use crate::endpoint::Endpoint;
    use crate::env::Fixed;
    use crate::http::Settings;
    use crate::identity::key::Key;
    use crate::identity::model::Identity;
    use crate::interrupt::Never;
    use crate::token::Digest;

    #[test]
    fn who_follows_a_leader_of_another_way_takes_no_failure_of_it() {
        let endpoint = Endpoint::default_hub();
        let way = |proxy| Settings::read(&Fixed::from([("ALL_PROXY", proxy)])).way(&endpoint);
        let key = Key {
            digest: Digest::of("a"),
            endpoint: endpoint.clone(),
        };
        let identity = Arc::new(Identity::parse(br#"{"name":"alice"}"#, &endpoint).unwrap());
        let client = Arc::new(Client::default());
        let now = client.clock.now();
        let Boarding::Lead(flight) = client.identity_flights.board(&key, now, None, || None) else {
            panic!("the first caller leads");
        };
        let answer = thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let answer = identity.clone();
                client.fly(
                    (|client| &client.identity_flights, way("http://b.example:1")),
                    &key,
                    None,
                    Duration::from_mins(1),
                    &Never,
                    |_| None,
                    move |asked| async move { Ok((asked, answer)) },
                )
            });
            let failed = Err(Failure::Unreachable("the proxy a is down".to_owned()));
            let outcome = (way("http://a.example:1"), failed);
            client.identity_flights.land(&key, &flight, outcome);
            follower.join().unwrap()
        });
        assert_eq!(answer.unwrap().1.user, "alice");
    }
}
