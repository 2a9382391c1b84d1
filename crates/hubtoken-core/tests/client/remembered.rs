//! Cached answers give way to later ones: a grant ends with a newer denial, or when an end of its
//! token becomes known. A rate limit stops requests, and a name lookup stops nothing.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use hubtoken_core::error::{Denial, DenialKind, Error, UnknownKind};
use hubtoken_core::identity::cache::disk::DiskCache;
use hubtoken_core::identity::cache::shared::LeaseTiming;
use hubtoken_core::identity::client::Client;
use hubtoken_core::identity::{Options, Settings};
use hubtoken_core::interrupt::NeverInterrupted;
use hubtoken_core::repository::RepositoryType;
use hubtoken_core::require::{Assurance, Requirement};
use hubtoken_core::role::{Required, Role};

use crate::client::{ALICE, credential};
use crate::support::fake_hub::{FakeHub, answer};
use crate::support::time::{HANG_LIMIT, HandClock};

const WHOAMI: &str = "/api/whoami-v2";
const CHECK: &str = "/api/models/bob/y/auth-check";
const READER: &str =
    r#"{"name":"alice","auth":{"type":"access_token","accessToken":{"role":"read"}}}"#;
const ENDED: &str = r#"{"name":"alice","auth":{"type":"access_token","expiresAt":"2001-01-01T00:00:00Z","accessToken":{"role":"write"}}}"#;
const OAUTH: &str = r#"{"name":"alice","auth":{"type":"oauth"}}"#;
const FINE_GRAINED: &str = r#"{"name":"alice","auth":{"type":"access_token","accessToken":{"role":"fineGrained","fineGrained":{"canReadGatedRepos":false,"global":[],"scoped":[]}}}}"#;
const GATE_OF_TOKEN: &str = "Please enable access to public gated repositories in your \
                             fine-grained token settings to view this repository.";
const SECOND: Duration = Duration::from_secs(1);

/// A Hub, and a process that uses it.
struct World {
    server: FakeHub,
    time: HandClock,
    client: Arc<Client>,
    folder: tempfile::TempDir,
}

fn client(time: &HandClock) -> Arc<Client> {
    Arc::new(Client::with_clock(LeaseTiming::default(), time.clock()))
}

fn usual() -> Options {
    Options {
        timeout: HANG_LIMIT,
        ..Options::default()
    }
}

fn anew() -> Options {
    Options {
        max_age: Some(Duration::ZERO),
        ..usual()
    }
}

fn write(repository: Option<&str>) -> Requirement {
    Requirement {
        required: Required::Role(Role::Write),
        repository: repository.map(|name| (name.to_owned(), RepositoryType::Model)),
        namespace: None,
        must_exist: false,
        needed_until: None,
    }
}

fn must_exist(repository: &str) -> Requirement {
    Requirement {
        must_exist: true,
        needed_until: None,
        ..write(Some(repository))
    }
}

/// Checks a requirement as the crate's callers do.
fn ask(
    client: &Arc<Client>,
    folder: &Path,
    server: &FakeHub,
    requirement: &Requirement,
    options: &Options,
) -> Result<Assurance, Error> {
    let credential = credential(server.endpoint());
    if requirement
        .granted_until(client, &credential, options.max_age)
        .is_some()
    {
        return Ok(Assurance::default());
    }
    let connection = client
        .connect(&credential.endpoint, &Settings::default())
        .with_shared_cache(Arc::new(DiskCache::new(folder.join("cache"))));
    requirement.check(client, &credential, &connection, options, &NeverInterrupted)
}

impl World {
    fn new(whoami: &str, check: String) -> Self {
        let server = FakeHub::start(answer(500, "", ""));
        server.set_route(WHOAMI, answer(200, "", whoami));
        server.set_route(CHECK, check);
        let time = HandClock::default();
        Self {
            server,
            client: client(&time),
            time,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn allowing() -> Self {
        Self::new(ALICE, answer(200, "", "OK"))
    }

    fn require(&self, requirement: &Requirement, options: &Options) -> Result<Assurance, Error> {
        ask(
            &self.client,
            self.folder.path(),
            &self.server,
            requirement,
            options,
        )
    }

    /// Checks a requirement as a new process does.
    fn require_anew(&self, requirement: &Requirement) -> Result<Assurance, Error> {
        let client = client(&self.time);
        let folder = self.folder.path();
        ask(&client, folder, &self.server, requirement, &usual())
    }

    /// `whoami(max_age=0)`, a little later.
    fn whoami_anew(&self) -> bool {
        self.time.pass(Duration::from_millis(1));
        let credential = credential(self.server.endpoint());
        let connection = self
            .client
            .connect(&credential.endpoint, &Settings::default());
        self.client
            .identify(&credential, &connection, &anew(), &NeverInterrupted)
            .is_ok_and(|known| known.stale.is_none())
    }

    fn asked(&self) -> (usize, usize) {
        let count = |path| self.server.requests_for(path);
        (count(WHOAMI), count(CHECK))
    }
}

fn denial(outcome: Result<Assurance, Error>) -> (DenialKind, Denial) {
    match outcome {
        Err(Error::AccessDenied { kind, denial, .. }) => (kind, *denial),
        other => panic!("{other:?}"),
    }
}

fn is_limited(outcome: &Result<Assurance, Error>) -> bool {
    matches!(
        outcome,
        Err(Error::Unknown {
            kind: UnknownKind::RateLimited { .. },
            ..
        })
    )
}

#[test]
fn a_yes_ends_with_an_end_that_is_learned_after_it() {
    let world = World::allowing();
    let questions = [write(None), write(Some("bob/y"))];
    for _ in 0..2 {
        for question in &questions {
            assert!(world.require(question, &usual()).is_ok());
        }
        assert_eq!(world.asked(), (1, 1));
    }
    world.server.set_route(WHOAMI, answer(200, "", ENDED));
    assert!(world.whoami_anew());
    // Only the Hub itself can grant it now.
    for (question, asked) in questions.iter().zip([(3, 1), (4, 2)]) {
        assert!(world.require(question, &usual()).is_ok());
        assert_eq!(world.asked(), asked);
    }
}

#[test]
fn a_yes_ends_with_a_newer_identity_that_says_no() {
    for asks_whoami in [true, false] {
        let world = World::allowing();
        assert!(world.require(&write(None), &usual()).is_ok());
        assert!(world.require(&write(Some("bob/y")), &usual()).is_ok());
        world.server.set_route(WHOAMI, answer(200, "", READER));
        if asks_whoami {
            assert!(world.whoami_anew());
        } else {
            world.time.pass(Duration::from_millis(1));
            assert!(world.require(&write(None), &anew()).is_err());
        }
        for repository in [None, Some("bob/y")] {
            let outcome = world.require(&write(repository), &usual());
            assert_eq!(denial(outcome).0, DenialKind::InsufficientRole);
        }
    }
}

#[test]
fn a_newer_identity_that_says_the_same_leaves_a_yes_alone() {
    let world = World::allowing();
    let question = write(Some("bob/y"));
    assert!(world.require(&question, &usual()).is_ok());
    assert!(world.whoami_anew());
    assert!(world.require(&question, &usual()).is_ok());
    assert_eq!(world.asked(), (2, 1));
}

#[test]
fn a_yes_ends_with_a_newer_no_of_the_auth_check() {
    for (refusal, kind) in [
        (
            answer(403, "X-Error-Code: GatedRepo\r\n", ""),
            DenialKind::Gated,
        ),
        (
            answer(
                403,
                "X-Error-Message: Access to this resource is disabled.\r\n",
                "",
            ),
            DenialKind::Disabled,
        ),
        (answer(403, "", "No."), DenialKind::Other),
    ] {
        let world = World::allowing();
        let question = write(Some("bob/y"));
        assert!(world.require(&question, &usual()).is_ok());
        world.server.set_route(CHECK, refusal);
        world.time.pass(Duration::from_millis(1));
        // To the caller, both are the same request.
        for options in [anew(), usual(), usual()] {
            let outcome = world.require(&question, &options);
            let told = denial(outcome).0;
            assert!(told == kind || kind == DenialKind::Other, "{told:?}");
        }
    }
}

#[test]
fn a_rate_limit_of_the_auth_check_is_obeyed_by_all_processes_until_it_ends() {
    let limit = answer(429, "Retry-After: 30\r\n", "");
    let world = World::new(ALICE, limit);
    let question = write(Some("bob/y"));
    for _ in 0..3 {
        assert!(is_limited(&world.require(&question, &usual())));
        assert!(is_limited(&world.require(&question, &anew())));
        assert!(is_limited(&world.require_anew(&question)));
    }
    assert_eq!(world.asked().1, 1);
    // What whoami decides is cached, and its answer does not lift the limit.
    assert!(world.require(&write(None), &usual()).is_ok());
    world.server.set_route(CHECK, answer(200, "", "OK"));
    assert!(is_limited(&world.require(&question, &usual())));
    world.time.pass(31 * SECOND);
    assert!(world.require(&question, &usual()).is_ok());
    assert_eq!(world.asked().1, 2);
}

#[test]
fn a_rate_limit_of_whoami_leaves_the_auth_check_to_who_knows_the_identity() {
    let world = World::allowing();
    assert!(world.require(&write(None), &usual()).is_ok());
    let limit = answer(429, "Retry-After: 30\r\n", "");
    world.server.set_route(WHOAMI, limit);
    assert!(!world.whoami_anew());
    assert!(world.require(&write(Some("bob/y")), &usual()).is_ok());
    assert_eq!(world.asked(), (2, 1));
}

#[test]
fn what_only_the_auth_check_decides_is_asked_also_by_an_old_identity() {
    let world = World::new(OAUTH, answer(200, "", "OK"));
    let question = write(Some("bob/y"));
    assert!(world.require(&question, &usual()).is_ok());
    world.time.pass(600 * SECOND);
    world.server.set_route(WHOAMI, answer(503, "", ""));
    let assurance = world.require(&question, &usual()).expect("the Hub's yes");
    assert!(assurance.stale.is_some());
    assert_eq!(world.asked(), (2, 2));
    // An undecided request does not quote a denial.
    let Err(Error::Unknown { message, .. }) = world.require(&write(None), &usual()) else {
        panic!("unknown expected");
    };
    assert!(!message.contains("ago was"), "{message}");
}

#[test]
fn a_gate_for_the_token_is_opened_in_its_settings_and_one_for_the_user_on_the_page() {
    let words = format!("X-Error-Message: {GATE_OF_TOKEN}\r\n");
    let coded = format!("X-Error-Code: GatedRepo\r\n{words}");
    let bare = "X-Error-Code: GatedRepo\r\n";
    for (whoami, headers, page) in [
        (ALICE, words.as_str(), "/settings/tokens"),
        (ALICE, coded.as_str(), "/settings/tokens"),
        (ALICE, bare, "/bob/y"),
        (OAUTH, bare, "/bob/y"),
        (FINE_GRAINED, bare, "/settings/tokens"),
    ] {
        let world = World::new(whoami, answer(403, headers, ""));
        let mut question = write(Some("bob/y"));
        question.required = Required::Role(Role::Read);
        let (kind, denial) = denial(world.require(&question, &usual()));
        assert_eq!(kind, DenialKind::Gated);
        let expected = format!("{}{page}", world.server.endpoint());
        assert_eq!(denial.remedy_url, Some(expected), "{headers}");
    }
}

fn missing() -> World {
    let world = World::new(ALICE, answer(200, "", "OK"));
    let code = "X-Error-Code: RepoNotFound\r\n";
    for kind in ["models", "datasets", "spaces"] {
        world.server.set_route(
            &format!("/api/{kind}/alice/trainedd/auth-check"),
            answer(404, code, ""),
        );
        world
            .server
            .set_route(&format!("/api/{kind}?"), answer(200, "", "[]"));
    }
    let listing = r#"[{"id":"alice/trained"}]"#;
    world
        .server
        .set_route("/api/models?", answer(200, "", listing));
    world
}

fn at_once<T: Send>(number: usize, call: impl Fn() -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(number);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..number)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    call()
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("an outcome"))
            .collect()
    })
}

#[test]
fn a_name_is_looked_up_once_and_reported_once_however_many_ask() {
    let world = missing();
    let reports = at_once(8, || {
        let outcome = world.require(&write(Some("alice/trainedd")), &usual());
        let assurance = outcome.expect("it would be created");
        let missing = assurance.missing().expect("it is missing");
        assert_eq!(missing.similar.len(), 1);
        !missing.is_reported
    });
    let number = reports.into_iter().filter(|is_first| *is_first).count();
    assert_eq!(number, 1);
    assert_eq!(world.server.requests_for("/api/models?"), 1);
}

#[test]
fn every_error_about_a_missing_repository_has_the_hint() {
    let world = missing();
    // A failure is not cached.
    let route = "/api/models?";
    world.server.set_route(route, answer(503, "", ""));
    let question = must_exist("alice/trainedd");
    let hints = |outcome: Result<Assurance, Error>| {
        let Err(Error::RepositoryNotFound { message, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        message.contains("did you mean alice/trained?")
    };
    assert!(!hints(world.require(&question, &usual())));
    let listing = r#"[{"id":"alice/trained"}]"#;
    world.server.set_route(route, answer(200, "", listing));
    let outcomes = at_once(8, || hints(world.require(&question, &usual())));
    assert_eq!(outcomes, [true; 8]);
    assert_eq!(world.server.requests_for(route), 2);
    // An error does not replace the warning, which is still due.
    let assurance = world.require(&write(Some("alice/trainedd")), &usual());
    let assurance = assurance.expect("it would be created");
    assert!(!assurance.missing().expect("it is missing").is_reported);
}

#[test]
fn a_rate_limit_of_a_listing_is_obeyed() {
    let world = missing();
    let limit = answer(429, "Retry-After: 30\r\n", "");
    world.server.set_route("/api/models?", limit);
    let question = write(Some("alice/trainedd"));
    assert!(world.require(&question, &usual()).is_ok());
    let code = "X-Error-Code: RepoNotFound\r\n";
    world.server.set_route(
        "/api/models/alice/another/auth-check",
        answer(404, code, ""),
    );
    // Lookups are only advice: the request itself succeeds.
    for name in ["alice/trainedd", "alice/another"] {
        let outcome = world.require(&write(Some(name)), &usual());
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(world.server.requests_for("/api/models?"), 1);
}
