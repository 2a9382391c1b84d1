#![allow(clippy::unwrap_used)]
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::env::StaticEnvironment;
use crate::interrupt::NeverInterrupted;
use crate::oauth::{IdTokenSource, TokenResponse};

const MINUTE: u64 = 60;

/// Two clocks that stand still until a test moves them.
#[derive(Clone, Default)]
struct Hands {
    /// What has passed, in seconds.
    passed: Arc<AtomicU64>,
    /// By how much the wall clock was set, in seconds.
    set: Arc<AtomicI64>,
}

impl Hands {
    fn clock(&self) -> Clock {
        let (hands, start) = (self.clone(), Timestamp::now());
        Clock::new(move || {
            let passed = Duration::from_secs(hands.passed.load(Ordering::SeqCst));
            let set = hands.set.load(Ordering::SeqCst);
            let wall = (start.wall + passed).as_secs();
            Timestamp {
                instant: start.instant + passed,
                wall: Duration::from_secs(wall.saturating_add_signed(set)),
            }
        })
    }

    fn pass(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::SeqCst);
    }

    fn set(&self, seconds: i64) {
        self.set.store(seconds, Ordering::SeqCst);
    }
}

/// Issues a token of its own for each exchange.
#[derive(Default)]
struct Counter {
    made: AtomicUsize,
    fails: AtomicBool,
    life: Option<u64>,
}

impl Exchanger for Counter {
    fn exchange(&self, exchange: &Exchange) -> Result<TokenResponse, Error> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::Login {
                message: format!("{} was refused", exchange.describe()),
                code: Some("invalid_grant".to_owned()),
                response: ResponseDetails::default(),
            });
        }
        let life = self
            .life
            .map_or_else(String::new, |life| format!(r#", "expires_in": {life}"#));
        let body =
            format!(r#"{{"access_token": "hf_jwt_eyFakeFakeFake.ey{number:04}.Fake"{life}}}"#);
        Ok(TokenResponse::parse(body.as_bytes()).unwrap())
    }
}

fn github() -> IdTokenSource {
    IdTokenSource::read(&StaticEnvironment::from([
        ("GITHUB_ACTIONS", "true"),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "https://github.example/?a=1",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
    ]))
    .unwrap()
}

fn given(id_token: &str) -> IdTokenSource {
    IdTokenSource::read(&StaticEnvironment::from([("HF_OIDC_ID_TOKEN", id_token)])).unwrap()
}

fn exchange(resource: &str, id_tokens: IdTokenSource) -> Exchange {
    Exchange {
        resource: Resource::parse(resource).unwrap(),
        id_tokens,
        endpoint: Endpoint::default_hub(),
    }
}

struct World {
    hands: Hands,
    exchanges: Arc<Exchanges>,
    counter: Arc<Counter>,
}

impl World {
    fn new(life: Option<u64>) -> Self {
        let hands = Hands::default();
        Self {
            exchanges: Arc::new(Exchanges::with_clock(hands.clock())),
            hands,
            counter: Arc::new(Counter {
                life,
                ..Counter::default()
            }),
        }
    }

    fn get(&self, exchange: &Exchange) -> Result<Exchanged, Error> {
        let exchanger: Arc<dyn Exchanger> = self.counter.clone();
        self.exchanges
            .get(exchange, None, &exchanger, &NeverInterrupted)
    }

    /// Which exchange the token is from.
    fn number(&self, exchange: &Exchange) -> usize {
        number(&self.get(exchange).unwrap())
    }
}

fn number(exchanged: &Exchanged) -> usize {
    let value = exchanged.credential.token.expose();
    value.split('.').nth(1).unwrap()[2..].parse().unwrap()
}

#[test]
fn a_token_is_kept_until_five_minutes_before_its_end() {
    for life in [Some(3600), None] {
        let world = World::new(life);
        let model = exchange("acme/model", github());
        assert!(world.exchanges.cached(&model).is_none());
        assert_eq!(world.number(&model), 0);
        world.hands.pass(55 * MINUTE - 1);
        assert_eq!(world.number(&model), 0);
        world.hands.pass(1);
        assert!(world.exchanges.cached(&model).is_none());
        assert_eq!(world.number(&model), 1);
        // And so on, in a long job.
        world.hands.pass(55 * MINUTE);
        assert_eq!((world.number(&model), world.number(&model)), (2, 2));
    }
}

#[test]
fn a_short_token_is_kept_for_most_of_its_life() {
    let world = World::new(Some(60));
    let model = exchange("acme/model", github());
    assert_eq!(world.number(&model), 0);
    world.hands.pass(44);
    assert_eq!(world.number(&model), 0);
    world.hands.pass(1);
    assert_eq!(world.number(&model), 1);
    let world = World::new(Some(0));
    assert_eq!((world.number(&model), world.number(&model)), (0, 1));
    let world = World::new(Some(u64::MAX));
    assert_eq!((world.number(&model), world.number(&model)), (0, 0));
}

#[test]
fn the_token_of_a_given_id_token_is_kept_to_its_end() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", given("eyFake.eyFake.FakeA"));
    assert_eq!(world.number(&model), 0);
    world.hands.pass(60 * MINUTE - 1);
    // Setting the clock ends nothing: there is no other id token.
    world.hands.set(100_000);
    assert_eq!(world.number(&model), 0);
    world.hands.set(0);
    world.hands.pass(1);
    world.counter.fails.store(true, Ordering::SeqCst);
    assert!(matches!(world.get(&model), Err(Error::Login { .. })));
    world.counter.fails.store(false, Ordering::SeqCst);
    // Another id token is another exchange.
    let other = exchange("acme/model", given("eyFake.eyFake.FakeB"));
    assert_eq!(world.number(&other), 2);
}

#[test]
fn another_resource_or_hub_is_another_exchange() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    let data = exchange("datasets/acme/model", github());
    let elsewhere = Exchange {
        endpoint: Endpoint::parse("http://127.0.0.1:1").unwrap(),
        ..model.clone()
    };
    let all = [&model, &data, &elsewhere];
    assert_eq!(all.map(|one| world.number(one)), [0, 1, 2]);
    assert_eq!(all.map(|one| world.number(one)), [0, 1, 2]);
    let token = world.get(&elsewhere).unwrap().credential;
    assert_eq!(token.endpoint, elsewhere.endpoint);
    assert_eq!(
        world.get(&data).unwrap().credential.source.resource(),
        Some("datasets/acme/model")
    );
}

#[test]
fn a_clock_that_is_set_prolongs_no_token() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    assert_eq!(world.number(&model), 0);
    // Back by a day: the end is measured, not read.
    world.hands.set(-24 * 3600);
    world.hands.pass(54 * MINUTE);
    assert_eq!(world.number(&model), 0);
    world.hands.pass(MINUTE);
    assert_eq!(world.number(&model), 1);
    // Forth by a day, or a suspended machine: one more exchange, whose end is right again.
    world.hands.set(24 * 3600);
    assert_eq!((world.number(&model), world.number(&model)), (2, 2));
    let end = world.get(&model).unwrap().credential.expires_at;
    assert!(!end.has_passed());
}

#[test]
fn a_failure_keeps_the_previous_token_to_its_end_and_is_tried_again() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    world.counter.fails.store(true, Ordering::SeqCst);
    // A first one is an error, and is not kept.
    assert!(world.get(&model).is_err() && world.get(&model).is_err());
    world.counter.fails.store(false, Ordering::SeqCst);
    assert_eq!(world.number(&model), 2);
    world.hands.pass(56 * MINUTE);
    world.counter.fails.store(true, Ordering::SeqCst);
    let kept = world.get(&model).unwrap();
    assert_eq!(number(&kept), 2);
    let warning = kept.warning.unwrap();
    assert!(warning.contains("was refused. The previous token is used to its end"));
    // Not at every call.
    assert_eq!(
        (
            world.number(&model),
            world.counter.made.load(Ordering::SeqCst)
        ),
        (2, 4)
    );
    world.hands.pass(30);
    assert_eq!(
        (
            world.number(&model),
            world.counter.made.load(Ordering::SeqCst)
        ),
        (2, 5)
    );
    world.hands.pass(4 * MINUTE);
    assert!(matches!(world.get(&model), Err(Error::Login { .. })));
    world.counter.fails.store(false, Ordering::SeqCst);
    let healed = world.get(&model).unwrap();
    assert_eq!((number(&healed), healed.warning), (6, None));
}

#[test]
fn the_token_of_another_process_is_used_to_its_end_too() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    world.counter.fails.store(true, Ordering::SeqCst);
    let end = world.exchanges.clock.timestamp().milliseconds() + 60_000;
    let inherited = Arc::new(Credential {
        token: crate::token::Token::parse("hf_jwt_eyFake.ey9999.Fake")
            .unwrap()
            .unwrap(),
        source: Source::Oidc("acme/model".to_owned()),
        endpoint: Endpoint::default_hub(),
        expires_at: Expiry::at_unix_milliseconds(end),
        renewal: None,
    });
    assert!(!world.exchanges.is_fresh(&inherited));
    let exchanger: Arc<dyn Exchanger> = world.counter.clone();
    let get = || {
        let cache = &world.exchanges;
        cache.get(&model, Some(&inherited), &exchanger, &NeverInterrupted)
    };
    assert_eq!(number(&get().unwrap()), 9999);
    assert!(world.exchanges.is_fresh(&inherited));
    // Not at every call.
    assert_eq!(number(&get().unwrap()), 9999);
    assert_eq!(world.counter.made.load(Ordering::SeqCst), 1);
    world.hands.pass(60);
    assert!(!world.exchanges.is_fresh(&inherited));
    assert!(matches!(get(), Err(Error::Login { .. })));
    world.counter.fails.store(false, Ordering::SeqCst);
    let renewed = get().unwrap();
    assert_eq!(number(&renewed), 2);
    assert!(world.exchanges.is_fresh(&renewed.credential));
}

#[test]
fn concurrent_callers_share_one_exchange() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    let together = Barrier::new(32);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                together.wait();
                assert_eq!(world.number(&model), 0);
            });
        }
    });
    assert_eq!(world.counter.made.load(Ordering::SeqCst), 1);
}

/// Begins when it is told to.
struct Gate {
    begun: Sender<()>,
    open: Mutex<Receiver<()>>,
    counter: Counter,
}

impl Exchanger for Gate {
    fn exchange(&self, exchange: &Exchange) -> Result<TokenResponse, Error> {
        self.begun.send(()).unwrap();
        lock_ignoring_poison(&self.open).recv().unwrap();
        self.counter.exchange(exchange)
    }
}

struct Always;

impl Interrupt for Always {
    fn is_set(&self) -> bool {
        true
    }
}

#[test]
fn an_interrupted_caller_leaves_the_exchange_to_the_others() {
    let cache = Arc::new(Exchanges::default());
    let model = exchange("acme/model", github());
    let ((begun, started), (open, gate)) = (channel(), channel());
    let exchanger: Arc<dyn Exchanger> = Arc::new(Gate {
        begun,
        open: Mutex::new(gate),
        counter: Counter::default(),
    });
    let gone = cache.get(&model, None, &exchanger, &Always);
    assert!(matches!(gone, Err(Error::Interrupted)));
    started.recv().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| cache.get(&model, None, &exchanger, &NeverInterrupted));
        open.send(()).unwrap();
        assert_eq!(number(&waiting.join().unwrap().unwrap()), 0);
    });
}

#[test]
fn a_forked_child_has_its_parents_tokens() {
    let world = World::new(Some(3600));
    let model = exchange("acme/model", github());
    assert_eq!(world.number(&model), 0);
    let child = Arc::new(world.exchanges.after_fork());
    assert_eq!(number(&child.cached(&model).unwrap()), 0);
    // One whose other threads held the lock has none, and does not hang.
    let locked = lock_ignoring_poison(&world.exchanges.cached);
    assert!(world.exchanges.after_fork().cached(&model).is_none());
    drop(locked);
}

#[test]
fn clearing_forgets_what_can_be_had_again() {
    let world = World::new(Some(3600));
    let (minted, given) = (
        exchange("acme/model", github()),
        exchange("acme/model", given("eyFake.eyFake.Fake")),
    );
    assert_eq!((world.number(&minted), world.number(&given)), (0, 1));
    world.exchanges.clear();
    assert_eq!((world.number(&minted), world.number(&given)), (2, 1));
}

#[test]
fn a_token_that_was_handed_over_is_used_until_an_exchange_would_be_repeated() {
    let hands = Hands::default();
    let exchanges = Exchanges::with_clock(hands.clock());
    let now = exchanges.clock.timestamp().milliseconds();
    for (left, is_soon) in [
        (3_600_000, false),
        (300_001, false),
        (300_000, true),
        (0, true),
    ] {
        assert_eq!(
            exchanges.ends_soon(Expiry::at_unix_milliseconds(now + left)),
            is_soon
        );
    }
    assert!(exchanges.ends_soon(Expiry::UNKNOWN));
}
