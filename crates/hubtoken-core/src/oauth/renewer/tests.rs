#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::clock::Timestamp;
use crate::env::StaticEnvironment;
use crate::expiry::Expiry;
use crate::interrupt::NeverInterrupted;
use crate::oauth::fake_hub::{FakeHub, FakeRequest};
use crate::source::Source;
use crate::store::IssuedFields;
use crate::store::TokenMetadata;
use crate::store::token_store::TokenStore;
use crate::token::{RefreshToken, Token};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
/// When the first token was issued.
const START: i64 = 1_800_000_000;

fn access(number: usize) -> String {
    format!("hf_oauth_FakeFakeFakeFakeFakeFake{number:04}")
}

fn refresh(number: usize) -> String {
    format!("hf_oauth__refresh_FakeFakeFakeFake{number:04}")
}

/// A Hub that rotates refresh tokens, a home with a login of it, and a clock.
struct World {
    home: TempDir,
    hub: FakeHub,
    time: Arc<AtomicI64>,
    lifetime: Arc<AtomicI64>,
    /// What the Hub answers instead of tokens.
    fault: Arc<Mutex<Option<(u16, String)>>>,
    /// The number of the refresh token that is valid.
    valid: Arc<AtomicUsize>,
    /// Whether the Hub issues the same access token for longer.
    keeps_value: Arc<AtomicBool>,
}

impl World {
    /// A login whose token lives for some seconds.
    fn with_lifetime(lifetime: i64) -> Self {
        let lifetime = Arc::new(AtomicI64::new(lifetime));
        let fault = Arc::new(Mutex::new(None));
        let valid = Arc::new(AtomicUsize::new(0));
        let keeps_value = Arc::new(AtomicBool::new(false));
        let hub = {
            let (lifetime, fault, valid) = (lifetime.clone(), fault.clone(), valid.clone());
            let keeps_value = keeps_value.clone();
            FakeHub::start(move |request| {
                let (status, body) = answer(request, &lifetime, &fault, &valid)?;
                let is_kept = keeps_value.load(Ordering::SeqCst);
                let renewed = access(valid.load(Ordering::SeqCst));
                Some((
                    status,
                    if is_kept {
                        body.replace(&renewed, &access(0))
                    } else {
                        body
                    },
                ))
            })
        };
        let world = Self {
            home: tempfile::tempdir().unwrap(),
            hub,
            time: Arc::new(AtomicI64::new(START)),
            lifetime,
            fault,
            valid,
            keeps_value,
        };
        world.log_in(0);
        world
    }

    /// Stores a login, as a browser login would.
    fn log_in(&self, number: usize) {
        let issued = IssuedFields {
            refresh_token: RefreshToken::parse(&refresh(number)),
            issued_at: Some(self.now()),
            expires_at: Some(self.now() + self.lifetime.load(Ordering::SeqCst)),
        };
        let record = TokenMetadata::unverified(self.hub.endpoint.clone());
        let token = Token::parse(&access(number)).unwrap().unwrap();
        self.store()
            .save_issued("oauth-alice", &token, Some(&issued), &record, true)
            .unwrap();
    }

    fn environment(&self) -> StaticEnvironment {
        let home = self.home.path().to_str().unwrap();
        StaticEnvironment::from([("HOME", "/nowhere"), ("HF_HOME", home)])
    }

    fn settings(&self) -> RenewalSettings {
        RenewalSettings::read(&self.environment())
    }

    fn store(&self) -> TokenStore<'static> {
        TokenStore::new(
            &Paths::new(&self.environment()),
            self.hub.endpoint.clone(),
            &NeverInterrupted,
        )
    }

    fn now(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A process, which has renewed nothing yet.
    fn process(&self) -> Renewer {
        let (start, time) = (Instant::now(), self.time.clone());
        let now = move || {
            let seconds = u64::try_from(time.load(Ordering::SeqCst)).unwrap();
            let past = seconds.saturating_sub(u64::try_from(START).unwrap());
            Timestamp {
                instant: start + Duration::from_secs(past),
                wall: Duration::from_secs(seconds),
            }
        };
        Renewer::new(Arc::default(), Arc::default(), Clock::new(now))
    }

    /// The stored token as a process that starts now resolves it.
    fn resolved(&self) -> Arc<Credential> {
        let entry = self.store().list().unwrap().next().unwrap().unwrap();
        let token = entry.token.unwrap();
        let end = entry.expires_at.unwrap();
        let issued = entry.created_at;
        let life = issued.map(|issued| end - issued);
        let renewal = Renewal::new(entry.name.clone(), end, life).issued(issued, None);
        Arc::new(Credential {
            token,
            source: Source::Store(entry.name),
            endpoint: entry.endpoint,
            expires_at: Expiry::at_unix_seconds(end),
            renewal: Some(Box::new(renewal)),
        })
    }

    fn current(&self, process: &Renewer, credential: &Arc<Credential>) -> Current {
        process
            .current(credential, || self.settings(), &NeverInterrupted)
            .unwrap()
    }

    fn value(&self, process: &Renewer, credential: &Arc<Credential>) -> String {
        let current = self.current(process, credential);
        current.credential.token.expose().to_owned()
    }

    fn fail(&self, status: u16, body: &str) {
        *self.fault.lock().unwrap() = Some((status, body.to_owned()));
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

fn answer(
    request: &FakeRequest,
    lifetime: &AtomicI64,
    fault: &Mutex<Option<(u16, String)>>,
    valid: &AtomicUsize,
) -> Option<(u16, String)> {
    if let Some((status, body)) = fault.lock().unwrap().clone() {
        return (status > 0).then_some((status, body));
    }
    let number = valid.load(Ordering::SeqCst);
    if request.field("refresh_token") != Some(refresh(number))
        || request.field("grant_type").as_deref() != Some("refresh_token")
        || request.field("client_id").is_none()
    {
        return Some((400, r#"{"error": "invalid_grant"}"#.to_owned()));
    }
    let next = number + 1;
    valid.store(next, Ordering::SeqCst);
    let body = serde_json::json!({
        "access_token": access(next),
        "token_type": "bearer",
        "expires_in": lifetime.load(Ordering::SeqCst),
        "refresh_token": refresh(next),
    });
    Some((200, body.to_string()))
}

#[test]
fn a_token_is_renewed_when_it_is_due_and_not_before() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.pass(6 * HOUR - 1);
    assert!(!process.is_due(&token));
    assert_eq!(world.value(&process, &token), access(0));
    assert!(world.hub.requests().is_empty());
    world.pass(1);
    assert!(process.is_due(&token));
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(1));
    assert_eq!(current.replaced, [token.token.digest()]);
    assert!(current.warnings.is_empty(), "{:?}", current.warnings);
    // The tokens are on the disk, and the next look is six hours later.
    let end = world.now() + 8 * HOUR;
    assert_eq!(
        world.file("stored_tokens"),
        format!(
            "[oauth-alice]\nhf_token = {}\nrefresh_token = {}\nexpires_at = {end}\n\n",
            access(1),
            refresh(1)
        )
    );
    assert_eq!(world.file("token"), access(1));
    assert!(!process.is_due(&token));
    assert_eq!(world.value(&process, &token), access(1));
    assert_eq!(world.value(&world.process(), &world.resolved()), access(1));
    assert_eq!(world.hub.requests().len(), 1);
    world.pass(6 * HOUR);
    assert_eq!(world.value(&process, &token), access(2));
}

#[test]
fn a_token_that_lives_for_a_month_is_renewed_in_its_last_day() {
    let world = World::with_lifetime(30 * DAY);
    let process = world.process();
    let token = world.resolved();
    world.pass(29 * DAY - 1);
    assert_eq!(world.value(&process, &token), access(0));
    world.pass(1);
    assert_eq!(world.value(&process, &token), access(1));
}

#[test]
fn a_token_that_lives_for_no_time_is_not_renewed_at_every_use() {
    let world = World::with_lifetime(0);
    let process = world.process();
    let token = world.resolved();
    for _ in 0..3 {
        assert_eq!(world.value(&process, &token), access(1));
    }
    world.pass(300);
    assert_eq!(world.value(&process, &token), access(2));
    assert_eq!(world.hub.requests().len(), 2);
}

#[test]
fn many_threads_send_one_request() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    world.pass(7 * HOUR);
    let token = world.resolved();
    // The same value may be held by several objects.
    let others: Vec<_> = (0..16).map(|_| world.resolved()).collect();
    thread::scope(|scope| {
        for number in 0..64 {
            let (world, process) = (&world, &process);
            let token = others.get(number).unwrap_or(&token);
            scope.spawn(move || assert_eq!(world.value(process, token), access(1)));
        }
    });
    assert_eq!(world.hub.requests().len(), 1);
}

#[test]
fn many_processes_send_one_request() {
    let world = World::with_lifetime(8 * HOUR);
    world.pass(7 * HOUR);
    thread::scope(|scope| {
        for _ in 0..16 {
            let world = &world;
            let token = world.resolved();
            scope.spawn(move || assert_eq!(world.value(&world.process(), &token), access(1)));
        }
    });
    assert_eq!(world.hub.requests().len(), 1);
}

#[test]
fn a_value_that_stays_the_same_is_renewed_once_as_well() {
    let world = World::with_lifetime(8 * HOUR);
    world.keeps_value.store(true, Ordering::SeqCst);
    world.pass(7 * HOUR);
    let tokens: Vec<_> = (0..4).map(|_| world.resolved()).collect();
    for token in &tokens {
        let process = world.process();
        assert_eq!(world.value(&process, token), access(0));
        assert!(!process.is_due(token));
    }
    assert_eq!(world.hub.requests().len(), 1);
    // Due again, it is renewed again.
    world.pass(7 * HOUR);
    assert_eq!(world.value(&world.process(), &world.resolved()), access(0));
    assert_eq!(world.hub.requests().len(), 2);
}

#[test]
fn a_value_that_looked_replaced_and_is_not_is_kept() {
    let world = World::with_lifetime(8 * HOUR);
    let seen = Arc::new(Credential {
        renewal: Some(Box::new(Renewal::replaced("oauth-alice".to_owned()))),
        ..Arc::into_inner(world.resolved()).unwrap()
    });
    assert_eq!(world.value(&world.process(), &seen), access(0));
    assert!(world.hub.requests().is_empty());
}

#[test]
fn a_login_that_has_ended_is_asked_for_once_and_its_token_used_to_the_end() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.fail(
        400,
        r#"{"error": "invalid_grant", "error_description": "Ended."}"#,
    );
    world.pass(7 * HOUR);
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(0));
    assert_eq!(
        current.warnings,
        [
            "the renewal of hf_oauth_…0000 from the stored token `oauth-alice` was refused: \
          `invalid_grant`, Ended. The token is used until it expires: log in again with \
          `hubtoken login`"
        ]
    );
    world.pass(HOUR - 1);
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(0));
    assert!(current.warnings.is_empty());
    world.pass(1);
    let ended = process.current(&token, || world.settings(), &NeverInterrupted);
    let error = ended.unwrap_err();
    assert!(matches!(error, Error::InvalidToken { .. }), "{error:?}");
    assert!(error.to_string().contains("hubtoken login"), "{error}");
    assert_eq!(world.hub.requests().len(), 1);
    // Another login is found without asking the Hub.
    world.pass(HOUR);
    world.log_in(7);
    assert_eq!(world.value(&process, &token), access(7));
    assert_eq!(world.hub.requests().len(), 1);
}

#[test]
fn any_other_failure_is_tried_again_after_five_minutes() {
    for (status, body) in [
        (500, ""),
        (429, r#"{"error": "slow down"}"#),
        (200, "<html>"),
        (200, r#"{"access_token": "***"}"#),
        (400, r#"{"error": "invalid_client"}"#),
        (0, ""),
    ] {
        let world = World::with_lifetime(8 * HOUR);
        let process = world.process();
        let token = world.resolved();
        world.fail(status, body);
        world.pass(7 * HOUR);
        let current = world.current(&process, &token);
        assert_eq!(current.credential.token.expose(), access(0));
        let [warning] = &current.warnings[..] else {
            unreachable!("{:?}", current.warnings);
        };
        assert!(warning.contains("was not renewed"), "{warning}");
        assert!(!warning.contains("FakeFake"), "{warning}");
        world.pass(299);
        assert!(!process.is_due(&token));
        assert!(world.current(&process, &token).warnings.is_empty());
        assert_eq!(world.hub.requests().len(), 1, "{body}");
        world.pass(1);
        assert!(world.current(&process, &token).warnings.is_empty());
        assert_eq!(world.hub.requests().len(), 2, "{body}");
        // After its end nothing is known against it either.
        world.pass(HOUR);
        let current = world.current(&process, &token);
        assert_eq!(current.credential.token.expose(), access(0));
        assert!(current.warnings[0].contains("nothing is known against"));
        *world.fault.lock().unwrap() = None;
        world.pass(300);
        assert_eq!(world.value(&process, &token), access(1));
    }
}

#[test]
fn offline_nothing_is_sent_and_nothing_said() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.pass(7 * HOUR);
    let mut offline = world.environment();
    offline.set("HF_HUB_OFFLINE", "1");
    let settings = || RenewalSettings::read(&offline);
    let current = process
        .current(&token, settings, &NeverInterrupted)
        .unwrap();
    assert_eq!(current.credential.token.expose(), access(0));
    assert!(current.warnings.is_empty() && world.hub.requests().is_empty());
}

#[test]
fn a_process_that_was_killed_before_the_token_file_is_completed() {
    let world = World::with_lifetime(8 * HOUR);
    world.pass(7 * HOUR);
    let token = world.resolved();
    assert_eq!(world.value(&world.process(), &token), access(1));
    // The last of the files was not written.
    fs::write(world.path("token"), access(0)).unwrap();
    let left = Arc::new(Credential {
        renewal: Some(Box::new(Renewal::replaced("oauth-alice".to_owned()))),
        ..Arc::into_inner(world.resolved()).unwrap()
    });
    let left = Arc::new(Credential {
        token: Token::parse(&access(0)).unwrap().unwrap(),
        ..Arc::into_inner(left).unwrap()
    });
    assert_eq!(world.value(&world.process(), &left), access(1));
    assert_eq!(world.file("token"), access(1));
    assert_eq!(world.hub.requests().len(), 1);
}

#[test]
fn a_clock_that_is_set_back_and_forth_costs_one_renewal_each() {
    let world = World::with_lifetime(8 * HOUR);
    let token = world.resolved();
    world.pass(365 * DAY);
    assert_eq!(world.value(&world.process(), &token), access(1));
    // Its end is a year away now, and in truth eight hours.
    world.pass(-365 * DAY);
    let token = world.resolved();
    assert_eq!(world.value(&world.process(), &token), access(2));
    let token = world.resolved();
    assert_eq!(world.value(&world.process(), &token), access(2));
    assert_eq!(world.hub.requests().len(), 2);
}

#[test]
fn a_token_that_is_not_stored_any_more_stays_as_it_is() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.store().remove("oauth-alice").unwrap();
    world.pass(7 * HOUR);
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(0));
    assert!(current.warnings.is_empty() && world.hub.requests().is_empty());
}

#[test]
fn a_token_goes_to_its_own_hub_alone() {
    let world = World::with_lifetime(8 * HOUR);
    let elsewhere = FakeHub::start(|_| None);
    let token = Arc::new(Credential {
        endpoint: elsewhere.endpoint.clone(),
        ..Arc::into_inner(world.resolved()).unwrap()
    });
    world.pass(7 * HOUR);
    assert_eq!(world.value(&world.process(), &token), access(0));
    assert!(elsewhere.requests().is_empty() && world.hub.requests().is_empty());
}

#[test]
fn nothing_is_sent_if_the_answer_could_not_be_stored() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    // A folder in the way.
    let way = world.path("stored_tokens.hubtoken-new");
    fs::create_dir_all(way.join("x")).unwrap();
    world.pass(7 * HOUR);
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(0));
    assert_eq!(current.warnings.len(), 1);
    assert!(world.hub.requests().is_empty());
    fs::remove_dir_all(way).unwrap();
    world.pass(300);
    assert_eq!(world.value(&process, &token), access(1));
}

#[test]
fn what_cannot_be_stored_after_all_is_used_and_stored_later() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.pass(7 * HOUR);
    let way = world.path("stored_tokens.hubtoken-new");
    // The disk is full by the time of the answer.
    let blocked = {
        let (way, valid) = (way.clone(), world.valid.clone());
        let lifetime = world.lifetime.clone();
        FakeHub::start(move |request| {
            fs::create_dir_all(way.join("x")).unwrap();
            answer(request, &lifetime, &Mutex::new(None), &valid)
        })
    };
    let record = format!("\"{}\"", world.hub.endpoint);
    let moved = world
        .file("hubtoken_endpoints.json")
        .replace(&record, &format!("\"{}\"", blocked.endpoint));
    fs::write(world.path("hubtoken_endpoints.json"), moved).unwrap();
    let token = Arc::new(Credential {
        endpoint: blocked.endpoint.clone(),
        ..Arc::into_inner(token).unwrap()
    });
    let current = world.current(&process, &token);
    assert_eq!(current.credential.token.expose(), access(1));
    let [warning] = &current.warnings[..] else {
        unreachable!("{:?}", current.warnings);
    };
    assert!(warning.contains("could not be stored"), "{warning}");
    assert!(!warning.contains("FakeFake"), "{warning}");
    assert!(world.file("stored_tokens").contains(&access(0)));
    world.pass(1);
    assert!(process.is_due(&token));
    assert_eq!(world.value(&process, &token), access(1));
    fs::remove_dir_all(way).unwrap();
    world.pass(1);
    assert_eq!(world.value(&process, &token), access(1));
    assert!(world.file("stored_tokens").contains(&refresh(1)));
    assert_eq!(world.file("token"), access(1));
    // It is renewed in turn.
    world.pass(7 * HOUR);
    assert_eq!(blocked.requests().len(), 1);
    let _ = world.current(&process, &token);
    assert_eq!(blocked.requests().len(), 2);
}

struct Always;

impl Interrupt for Always {
    fn is_set(&self) -> bool {
        true
    }
}

#[test]
fn an_interrupted_caller_leaves_a_renewal_that_gets_to_the_disk() {
    let world = World::with_lifetime(8 * HOUR);
    let process = world.process();
    let token = world.resolved();
    world.pass(7 * HOUR);
    let held = world.fault.lock().unwrap();
    let left = process.current(&token, || world.settings(), &Always);
    assert!(matches!(left, Err(Error::Interrupted)));
    drop(held);
    assert_eq!(world.value(&process, &token), access(1));
    assert_eq!(world.hub.requests().len(), 1);
}
