//! Tests commands that answer in time and commands that do not.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use super::*;
use crate::env::Environment as _;
use crate::interrupt::NeverInterrupted;

const FAKE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
const MINUTE: Duration = Duration::from_mins(1);

/// The result of a shell script, which stands for any program.
fn output_of(script: &str, timeout: Duration) -> SourceAnswer {
    let argv = ["sh", "-c", script].map(str::to_owned);
    let mut variables = StaticEnvironment::default();
    let path = crate::env::ProcessEnvironment.get("PATH").unwrap();
    variables.set("PATH", path);
    variables.set("VALUE", FAKE);
    let folder = tempfile::tempdir().unwrap();
    run(&argv, folder.path(), &variables, timeout, &NeverInterrupted)
}

fn value(answer: SourceAnswer) -> (String, Option<SystemTime>) {
    match answer {
        SourceAnswer::Value { text, expires_at } => (text.to_string(), expires_at),
        SourceAnswer::Failed(problem) => unreachable!("{problem}"),
        _ => unreachable!("no value"),
    }
}

fn problem(answer: SourceAnswer) -> String {
    match answer {
        SourceAnswer::Failed(problem) => problem,
        _ => unreachable!("it did not fail"),
    }
}

#[test]
fn the_output_is_the_token() {
    assert_eq!(
        value(output_of("echo $VALUE", MINUTE)),
        (FAKE.to_owned(), None)
    );
    assert_eq!(
        value(output_of("printf ' %s\\r\\n\\n' $VALUE", MINUTE)).0,
        FAKE,
        "white space around it"
    );
}

#[test]
fn a_json_object_may_tell_the_end() {
    let at = UNIX_EPOCH + Duration::from_hours(499_656);
    for (end, expected) in [
        (", \"expires_at\": 1798761600", Some(at)),
        (", \"expires_at\": \"2027-01-01T00:00:00Z\"", Some(at)),
        (", \"expires_at\": \"2027-01-01T02:00:00+02:00\"", Some(at)),
        (", \"expires_at\": null, \"other\": [1]", None),
        ("", None),
    ] {
        let script = format!("echo '{{\"token\": \"'$VALUE'\"{end}}}'");
        assert_eq!(
            value(output_of(&script, MINUTE)),
            (FAKE.to_owned(), expected),
            "{end}"
        );
    }
}

#[test]
fn what_goes_wrong_is_told_without_a_word_of_the_output() {
    for (script, part) in [
        ("echo $VALUE; exit 3", "code 3"),
        ("echo $VALUE; kill -9 $$", "signal 9"),
        ("echo $VALUE; printf '\\377'", "not text"),
        ("echo '{'$VALUE", "JSON object"),
        ("echo '{\"token\": 3}'", "JSON object"),
        (
            "echo '{\"token\": \"'$VALUE'\", \"expires_at\": \"soon\"}'",
            "expires_at",
        ),
        ("yes $VALUE", "more than 65536 bytes"),
    ] {
        let problem = problem(output_of(script, MINUTE));
        assert!(problem.contains(part), "{script}: {problem}");
        assert!(!problem.contains("Fake"), "{problem}");
    }
    assert!(matches!(output_of("true", MINUTE), SourceAnswer::Absent));
    assert!(matches!(
        output_of("echo; echo", MINUTE),
        SourceAnswer::Absent
    ));
}

#[test]
fn a_program_that_does_not_end_is_stopped() {
    let short = Duration::from_millis(50);
    let started = Instant::now();
    // With its output still open, and with its output closed.
    for script in [
        "exec sleep 600",
        "exec sleep 600 >&-",
        "echo a; exec sleep 600 >&-",
    ] {
        let problem = problem(output_of(script, short));
        assert!(problem.contains("did not end within 0.05"), "{problem}");
    }
    assert!(started.elapsed() < MINUTE);
}

#[test]
fn a_program_that_cannot_be_started_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let run = |argv: &[&str]| {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        problem(super::run(
            &argv,
            folder.path(),
            &StaticEnvironment::default(),
            MINUTE,
            &NeverInterrupted,
        ))
    };
    assert!(run(&["/nowhere/program"]).contains("was not found"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let problem = run(&[file.to_str().unwrap()]);
    assert!(problem.contains("cannot be started"), "{problem}");
    assert!(run(&[]).contains("empty"));
}

#[test]
fn it_gets_the_variables_that_it_is_given_and_no_others() {
    let (text, _) = value(output_of("env | cut -d= -f1 | sort | tr '\\n' ,", MINUTE));
    // The shell adds its own variables to ours.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<&str> = text
        .split(',')
        .filter(|name| !name.is_empty() && !own.contains(name))
        .collect();
    assert_eq!(names, ["HUBTOKEN_IN_TOKEN_COMMAND", "PATH", "VALUE"]);
}

#[test]
fn it_runs_in_the_folder_of_the_configuration_and_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let mut variables = StaticEnvironment::default();
    variables.set("PATH", crate::env::ProcessEnvironment.get("PATH").unwrap());
    let argv = ["sh", "-c", "pwd; cat"].map(str::to_owned);
    let (text, _) = value(super::run(
        &argv,
        &folder,
        &variables,
        MINUTE,
        &NeverInterrupted,
    ));
    assert_eq!(text, folder.to_str().unwrap());
}

/// The process that a script has named in a file.
fn child(folder: &Path) -> rustix::process::Pid {
    let child = std::fs::read_to_string(folder.join("child")).unwrap();
    rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap()
}

#[test]
fn what_keeps_the_output_open_is_not_waited_for() {
    use rustix::process::{Signal, kill_process};
    let started = Instant::now();
    let mut variables = StaticEnvironment::default();
    variables.set("PATH", crate::env::ProcessEnvironment.get("PATH").unwrap());
    variables.set("VALUE", FAKE);
    for (script, code) in [
        ("sleep 600 & echo $! > child; echo $VALUE", 0),
        // Its parent has ended too.
        ("(sleep 600 & echo $! > child); echo $VALUE", 0),
        ("sleep 600 & echo $! > child; exit 3", 3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let argv = ["sh", "-c", script].map(str::to_owned);
        let answer = super::run(
            &argv,
            folder.path(),
            &variables,
            MINUTE * 5,
            &NeverInterrupted,
        );
        // It was left alone.
        kill_process(child(folder.path()), Signal::KILL).unwrap();
        if code == 0 {
            assert_eq!(value(answer).0, FAKE, "{script}");
        } else {
            assert!(problem(answer).contains("code 3"));
        }
    }
    assert!(started.elapsed() < MINUTE * 5);
}

#[test]
fn everything_that_was_written_before_the_end_is_read() {
    // More than one read, and less than a pipe holds.
    let script = "printf '%60000s' ''; echo $VALUE";
    assert_eq!(value(output_of(script, MINUTE)).0, FAKE);
}

/// Set after the program has written a file.
struct Once<'a>(&'a Path);

impl Interrupt for Once<'_> {
    fn is_set(&self) -> bool {
        self.0.exists()
    }
}

#[test]
fn what_it_started_is_stopped_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let mut variables = StaticEnvironment::default();
    variables.set("PATH", crate::env::ProcessEnvironment.get("PATH").unwrap());
    let script = "sleep 600 & echo $! > child; : > ready; wait";
    let argv = ["sh", "-c", script].map(str::to_owned);
    let answer = super::run(&argv, folder.path(), &variables, MINUTE, &Once(&ready));
    assert_eq!(problem(answer), "was stopped");
    let child = child(folder.path());
    // Until its new parent has waited for it, it is a zombie; that end is not this test's.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
    while rustix::process::test_kill_process(child).is_ok()
        && !state().is_ok_and(|state| state.contains(") Z "))
    {
        thread::yield_now();
    }
}
