//! Tests that a process killed at any time during a write leaves complete files and loses nothing.
//!
//! A child runs one operation after another, as determined by a seed, and reports before and after
//! each. It is killed at a random time. Completed operations must be in effect, and the interrupted
//! one must leave each file either old or new, and complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::env::{self, ProcessEnvironment};
use crate::file_lock::OperatingSystem;
use crate::folder::HomeUser;
use crate::store::lock::Lock;
use crate::store::metadata_file::{self, MetadataFile};

/// The number of kills, and the variable that overrides it.
const KILLS: u64 = 1_000;
const KILLS_VARIABLE: &str = "HUBTOKEN_TEST_KILLS";
/// The maximum number of passes until kills have occurred at every stage.
const PASSES: u32 = 10;
/// The number of homes in which children are killed concurrently.
const HOMES: u64 = 4;
/// A kill comes at most this many operations after the first operation began.
const LATEST: u32 = 4;
/// Once in this many kills, the file starts out broken.
const BROKEN_EVERY: u64 = 7;
/// Once in this many kills, the test checks for leftovers.
const LOOK_EVERY: u64 = 10;

const HOME: &str = "HUBTOKEN_TEST_KILLED";
const SEED: &str = "HUBTOKEN_TEST_SEED";
const NAMES: [&str; 4] = ["a", "b [c]", "d", "DEFAULT~89dbf710"];
const KILLED: i32 = 9;

/// One operation.
#[derive(Debug)]
enum Operation {
    Save(&'static str, String, &'static str),
    Switch(&'static str),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    RemoveActive,
    RemoveAll,
}

/// `SplitMix64`: a deterministic sequence for a seed.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn pick<T: Copy>(from: &[T], state: &mut u64) -> T {
    let length = u64::try_from(from.len()).unwrap();
    from[usize::try_from(random(state) % length).unwrap()]
}

/// The `number`th operation of a seed. The first is a login, which succeeds even if the file cannot
/// be parsed.
fn operation(seed: u64, number: u64) -> Operation {
    let mut state = seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let kind = if number == 0 {
        0
    } else {
        random(&mut state) % 12
    };
    let name = pick(&NAMES, &mut state);
    match kind {
        0..=4 => {
            let word = format!("{seed:x}n{number}");
            Operation::Save(name, word, pick(&[HUB, HUB, TEAM], &mut state))
        }
        5 | 6 => Operation::Switch(name),
        7 | 8 => Operation::Rename(name, pick(&NAMES, &mut state)),
        9 => Operation::Remove(name),
        10 => Operation::RemoveActive,
        _ => Operation::RemoveAll,
    }
}

impl Operation {
    fn run(&self, token_store: &TokenStore<'_>) {
        let done = match self {
            Self::Save(name, word, endpoint) => token_store
                .save(name, &token(word), &record(endpoint, "alice"), true)
                .map(drop),
            Self::Switch(name) => token_store.switch(name).map(drop),
            Self::Rename(old, new) => token_store.rename(old, new).map(drop),
            Self::Remove(name) => token_store.remove(name).map(drop),
            Self::RemoveActive => token_store.remove_active().map(drop),
            Self::RemoveAll => token_store.remove_all().map(drop),
        };
        match done {
            Ok(())
            | Err(
                Error::TokenNotFound { .. } | Error::NameTaken(_) | Error::UntrustedEndpoint(_),
            ) => {}
            Err(error) => unreachable!("{self:?}: {error}"),
        }
    }
}

/// The expected or actual contents: values and endpoints by name, and the value of the token file.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    stored: BTreeMap<String, (String, String)>,
    active: Option<String>,
}

impl State {
    /// The effect of an operation, implemented independently of the store.
    fn after(&self, operation: &Operation) -> Self {
        let mut state = self.clone();
        match operation {
            Operation::Save(name, word, endpoint) => {
                let value = token(word).expose().to_owned();
                let entry = (value.clone(), (*endpoint).to_owned());
                state.stored.insert((*name).to_owned(), entry);
                if *endpoint == HUB {
                    state.active = Some(value);
                }
            }
            Operation::Switch(name) => {
                if let Some((value, endpoint)) = state.stored.get(*name)
                    && endpoint == HUB
                {
                    state.active = Some(value.clone());
                }
            }
            Operation::Rename(old, new) => {
                if !state.stored.contains_key(*new)
                    && let Some(entry) = state.stored.remove(*old)
                {
                    state.stored.insert((*new).to_owned(), entry);
                }
            }
            Operation::Remove(name) => {
                if let Some((value, _)) = state.stored.remove(*name) {
                    state.active = state.active.filter(|active| *active != value);
                }
            }
            Operation::RemoveActive => {
                let active = state.active.take();
                state
                    .stored
                    .retain(|_, (value, _)| Some(&*value) != active.as_ref());
            }
            Operation::RemoveAll => state = Self::default(),
        }
        state
    }

    /// Reads the state from disk; an error if `stored_tokens` cannot be parsed.
    fn read(token_store: &TokenStore<'_>) -> Result<Self, Error> {
        let entry = |entry: Result<crate::store::Entry, Error>| {
            let entry = entry?;
            let value = entry.token.unwrap().expose().to_owned();
            Ok((entry.name, (value, entry.endpoint.to_string())))
        };
        Ok(Self {
            stored: token_store
                .list()?
                .map(entry)
                .collect::<Result<_, Error>>()?,
            active: fs::read_to_string(token_store.token_path().unwrap()).ok(),
        })
    }
}

/// Runs the operations of its seed until it is killed. Does nothing when run as a test.
#[test]
fn a_process_that_is_killed() {
    let variable = |name| env::text(&ProcessEnvironment, name);
    let (Some(home), Some(seed)) = (variable(HOME), variable(SEED)) else {
        return;
    };
    let token_store = token_store(Path::new(&home));
    let seed = seed.parse().unwrap();
    // Not captured by the test harness, unlike `println!`.
    let mut parent = std::io::stdout();
    for number in 0.. {
        let operation = operation(seed, number);
        parent.write_all(b"@begin\n").unwrap();
        operation.run(&token_store);
        parent.write_all(b"@end\n").unwrap();
    }
}

/// Kills a child after a delay. Returns how many operations it began and how many it completed.
fn kill_one(home: &Path, seed: u64, after: Duration) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::kills::a_process_that_is_killed"])
        .env(HOME, home)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = lines.find(|line| line.as_ref().unwrap() == "@begin");
    assert!(begun.is_some(), "seed {seed}: the child did not begin");
    thread::sleep(after);
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    let (mut begins, mut ends) = (1, 0);
    for line in lines.map_while(Result::ok) {
        match line.as_str() {
            "@begin" => begins += 1,
            "@end" => ends += 1,
            other => unreachable!("seed {seed}: {other}"),
        }
    }
    assert_eq!(ended.signal(), Some(KILLED), "seed {seed}: it failed");
    (begins, ends)
}

/// How long a login takes on this machine: the slowest of several.
fn login_time(token_store: &TokenStore<'_>) -> Duration {
    let logins = (0..20).map(|number| {
        let start = Instant::now();
        Operation::Save("a", format!("pace{number}"), HUB).run(token_store);
        start.elapsed()
    });
    logins.max().unwrap()
}

/// How the kills in one home turned out.
#[derive(Default)]
struct Tally {
    in_between: u64,
    old: u64,
    new: u64,
}

fn kill_many(seed: u64, kills: u64) -> Tally {
    let folder = quick_folder();
    let home = folder.path();
    let token_store = token_store(home);
    let mut state = seed;
    let login_time = login_time(&token_store);
    let mut known = State::read(&token_store).unwrap();
    let mut tally = Tally::default();
    for round in 1..=kills {
        let seed = random(&mut state);
        let broken = round
            .is_multiple_of(BROKEN_EVERY)
            .then(|| break_file(token_store.path().unwrap(), round));
        if broken.is_some() {
            known.stored.clear();
        }
        let latest = u64::try_from((login_time * LATEST).as_nanos()).unwrap();
        let after = Duration::from_nanos(random(&mut state) % latest);
        let (begun, ended) = kill_one(home, seed, after);
        let old = (0..ended).fold(known, |state, number| state.after(&operation(seed, number)));
        let new = (ended..begun).fold(old.clone(), |state, number| {
            state.after(&operation(seed, number))
        });
        known = match (State::read(&token_store), &broken) {
            (Ok(found), _) => found,
            (Err(_), Some(broken)) if ended == 0 => {
                assert_eq!(
                    fs::read_to_string(token_store.path().unwrap()).unwrap(),
                    *broken
                );
                let active = fs::read_to_string(token_store.token_path().unwrap()).ok();
                let first = Operation::Save("a", format!("again{round}"), HUB);
                first.run(&token_store);
                assert_eq!(active, old.active, "seed {seed}");
                old.after(&first)
            }
            (Err(error), _) => unreachable!("seed {seed}: {error}"),
        };
        if let Some(broken) = broken {
            assert_set_aside(home, &broken);
        } else {
            assert!(
                [&old.stored, &new.stored].contains(&&known.stored),
                "seed {seed}, change {ended}: {old:?} -> {new:?}: {known:?}"
            );
            assert!(
                [&old.active, &new.active].contains(&&known.active),
                "seed {seed}, change {ended}: {old:?} -> {new:?}: {known:?}"
            );
        }
        assert!(
            Lock::take(
                token_store.path().unwrap(),
                None,
                Duration::ZERO,
                &HomeUser::default(),
                &NeverInterrupted,
                &OperatingSystem
            )
            .is_ok()
        );
        if old != new {
            tally.in_between += 1;
            tally.old += u64::from(known == old);
            tally.new += u64::from(known == new);
        }
        if round.is_multiple_of(LOOK_EVERY) {
            let operation = Operation::Save("a", format!("look{round}"), HUB);
            operation.run(&token_store);
            known = known.after(&operation);
            assert_tidy(home, &known);
        }
    }
    tally
}

/// Writes a file that cannot be parsed, dated an hour ago so that it does not look like a write in
/// progress.
fn break_file(path: &Path, round: u64) -> String {
    let text = format!("[a]\nhf_FakeBroken{round}\n");
    fs::write(path, &text).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(1))
        .unwrap();
    text
}

/// Asserts that the broken text is in exactly one file, next to the one in use.
fn assert_set_aside(home: &Path, broken: &str) {
    let files = fs::read_dir(home).unwrap().map(|file| file.unwrap().path());
    let holds = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap() == broken;
    let aside: Vec<_> = files.filter(holds).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(aside[0].ends_with("stored_tokens.broken-1"), "{aside:?}");
    fs::remove_file(&aside[0]).unwrap();
}

/// Asserts that there are no leftover files and no metadata of missing tokens.
fn assert_tidy(home: &Path, state: &State) {
    let mut files: Vec<String> = fs::read_dir(home)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = [
        "hubtoken_endpoints.json",
        "stored_tokens",
        "stored_tokens.lock",
        "token",
    ];
    assert_eq!(files, expected);
    let path = home.join("stored_tokens");
    let text = fs::read_to_string(metadata_file::path(&path)).unwrap();
    let known = MetadataFile::read(&path).unwrap();
    let stored = state.stored.values().map(|(value, _)| value);
    let mut values: Vec<_> = stored.chain(&state.active).collect();
    values.sort();
    values.dedup();
    assert_eq!(text.matches("\"endpoint\"").count(), values.len());
    for value in values {
        let digest = Token::parse(value).unwrap().unwrap().digest();
        assert!(known.get(digest).unwrap().is_some());
    }
}

#[test]
fn a_kill_at_any_moment_leaves_whole_files_and_loses_nothing() {
    let kills = env::text(&ProcessEnvironment, KILLS_VARIABLE)
        .map_or(KILLS, |number| number.parse().unwrap());
    let mut all = Tally::default();
    // Kills must occur during an operation, and both before and after its decisive step. If the
    // speed of the machine changes, they may all fall on one side. In that case another pass runs,
    // with the speed measured again.
    for _ in 0..PASSES {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        let seed = u64::from_le_bytes(seed);
        let homes: Vec<_> = (0..HOMES)
            .map(|home| thread::spawn(move || kill_many(seed ^ home, kills.div_ceil(HOMES))))
            .collect();
        for home in homes {
            let tally = home.join().unwrap();
            all.in_between += tally.in_between;
            all.old += tally.old;
            all.new += tally.new;
        }
        if all.in_between > kills / 4 && all.old > 0 && all.new > 0 {
            return;
        }
    }
    unreachable!("no kill came where it counts");
}
