//! `hubtoken run`: what the command receives, and that it is really executed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::sync::Mutex;

use super::*;
use crate::cli::ReplaceProcess;
use crate::env::{Environment as _, ProcessEnvironment};

/// Records what would have been executed.
struct Keeps {
    seen: Mutex<Option<Seen>>,
    answer: ErrorKind,
}

#[derive(Debug)]
pub(super) struct Seen {
    words: Vec<OsString>,
    pub(super) variables: HashMap<OsString, Option<OsString>>,
}

impl Exec for Keeps {
    fn launch(&self, command: &mut Command) -> std::io::Error {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        *self.seen.lock().unwrap() = Some(Seen {
            words: words.map(Into::into).collect(),
            variables: command
                .get_envs()
                .map(|(name, value)| (name.into(), value.map(Into::into)))
                .collect(),
        });
        self.answer.into()
    }
}

impl Machine {
    pub(super) fn start(&self, arguments: &[&str], answer: ErrorKind) -> (Ran, Option<Seen>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let launcher = Keeps {
            seen: Mutex::default(),
            answer,
        };
        let code = self.run_in(
            arguments,
            (&mut out, &mut err),
            None,
            &NeverInterrupted,
            (&[], &launcher),
        );
        let ran = Ran {
            code,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        };
        assert!(!ran.out.contains(FIRST) && !ran.err.contains(FIRST));
        (ran, launcher.seen.into_inner().unwrap())
    }
}

#[test]
fn the_command_gets_the_token_in_its_environment_alone() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST), ("HF_ENDPOINT", "http://127.0.0.1:9")]);
    let words = ["run", "--", "train", "--json", "--token", "x"];
    let (ran, seen) = machine.start(&words, ErrorKind::NotFound);
    let seen = seen.unwrap();
    assert_eq!(seen.words, ["train", "--json", "--token", "x"]);
    let variable = |name: &str| seen.variables.get(&OsString::from(name)).cloned();
    assert_eq!(variable("HF_TOKEN"), Some(Some(FIRST.into())));
    assert_eq!(
        variable("HF_ENDPOINT"),
        Some(Some("http://127.0.0.1:9".into()))
    );
    for name in [
        "HF_OIDC_RESOURCE",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "HUGGINGFACE_CO_STAGING",
    ] {
        assert_eq!(variable(name), Some(None), "{name}");
    }
    assert_eq!((ran.code, ran.out.as_str()), (127, ""), "{ran:?}");
    assert_eq!(ran.err, "error: train: not found\n");
    let (ran, _) = machine.start(&words, ErrorKind::PermissionDenied);
    assert_eq!(ran.code, 126);
}

/// A wish for a token by name of a verb is explicit, and the child sends it on its own.
#[test]
fn implicit_tokens_may_be_disabled_and_the_command_still_gets_it() {
    let mut machine = Machine::with(&[
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
        ("HUGGINGFACE_CO_STAGING", "1"),
        ("HF_TOKEN", FIRST),
    ]);
    let (_, seen) = machine.start(&["run", "--", "train"], ErrorKind::NotFound);
    let seen = seen.unwrap();
    let variable = |name: &str| seen.variables.get(&OsString::from(name)).cloned();
    assert_eq!(variable("HF_TOKEN"), Some(Some(FIRST.into())));
    // The Hub of the staging system is named instead.
    let staging = crate::endpoint::STAGING;
    assert_eq!(variable("HF_ENDPOINT"), Some(Some(staging.into())));
    for name in ["HF_HUB_DISABLE_IMPLICIT_TOKEN", "HUGGINGFACE_CO_STAGING"] {
        assert_eq!(variable(name), Some(None), "{name}");
    }
    // `token` hands it over as well; the other verbs say what the libraries would use.
    machine.secrets.clear();
    assert_eq!(machine.run(&["token"]).out, format!("{FIRST}\n"));
    for arguments in [
        &["whoami"][..],
        &["status"],
        &["explain"],
        &["require", "read"],
    ] {
        let ran = machine.run(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
    }
    assert!(machine.run(&["explain"]).out.contains("`hubtoken run`"));
}

#[test]
fn nothing_is_started_without_a_yes() {
    let mut machine = Machine::new();
    for (words, code) in [
        (&["run", "--", "x"][..], 1),
        (&["run", "x"], 2),
        (&["run"], 2),
        (&["run", "--"], 2),
        (&["run", "--repo", "a/b", "--", "x"], 2),
        (&["run", "--profile", "gone", "--", "x"], 1),
        (&["run", "--", "x", FIRST], 2),
    ] {
        let (ran, seen) = machine.start(words, ErrorKind::NotFound);
        assert!(ran.code == code && seen.is_none(), "{words:?} {ran:?}");
    }
    machine.set("HF_TOKEN", FIRST);
    machine.set("HF_HUB_OFFLINE", "1");
    let words = ["run", "--role", "write", "--repo", "a/b", "--", "x"];
    let (ran, seen) = machine.start(&words, ErrorKind::NotFound);
    assert!(ran.code == 3 && seen.is_none(), "{ran:?}");
}

/// The name of the test below, and the variable that makes it the child.
const CHILD: &str = "cli::tests::launching::really";
const SCRIPT: &str = "HUBTOKEN_TEST_SCRIPT";

/// Runs in a child process, which it replaces with a shell.
#[cfg(unix)]
#[test]
fn really() {
    use std::os::unix::process::ExitStatusExt as _;

    if let Some(script) = ProcessEnvironment.get(SCRIPT) {
        let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let words = ["run", "--", "sh", "-c", script.to_str().unwrap()];
        let code = machine.run_in(
            &words,
            (&mut out, &mut err),
            None,
            &NeverInterrupted,
            (&[], &ReplaceProcess),
        );
        panic!("came back with {code}");
    }
    let run = |script: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args([CHILD, "--exact", "--nocapture", "--test-threads=1"])
            .env(SCRIPT, script)
            .env("HF_OIDC_RESOURCE", "x")
            .output()
            .unwrap()
    };
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(run("kill -TERM $$").status.signal(), Some(15));
    // The test process ignores SIGPIPE, as every Rust and Python program does.
    let piped = run("kill -PIPE $$; echo survived");
    assert_eq!(piped.status.signal(), Some(13), "{piped:?}");
    let seen = run("echo \"<$HF_TOKEN>\"; test -z \"${HF_OIDC_RESOURCE+x}\"");
    assert!(String::from_utf8_lossy(&seen.stdout).contains(&format!("<{FIRST}>")));
    assert_eq!(seen.status.code(), Some(0));
}
