//! Tests without a Hub: the command line itself, the trace, and reports when the Hub is
//! unreachable.

use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;

use super::*;

/// An endpoint where nothing listens: its listener has been closed.
fn closed_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_token_in_an_argument_is_refused_and_not_repeated() {
    let machine = Machine::new();
    for arguments in [
        &["status", FIRST][..],
        &[FIRST],
        &["require", "write", "--repo", FIRST],
        &["status", "--token", FIRST],
        &[
            "status",
            "--endpoint",
            &format!("https://x:{FIRST}@huggingface.co"),
        ],
        &["hub", "token", "delete", "alice", FIRST],
    ] {
        let ran = machine.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("looks like a token"), "{ran:?}");
    }
    let value = machine.json(&["status", FIRST], 2);
    assert_eq!(value["error"]["kind"], "UsageError");
    assert!(
        machine
            .run(&["whoami", "--token=abc"])
            .err
            .contains("no --token")
    );
}

#[test]
fn what_is_wrong_with_the_command_line_is_code_2() {
    let machine = Machine::new();
    for arguments in [
        &[][..],
        &["dance"],
        &["require", "god"],
        &["require", "write", "--permission", "repo.write"],
        &["require", "write", "--repo", "a/b", "--namespace", "a"],
        &["require", "write", "--repo-type", "dataset"],
        &["require", "write", "--timeout", "soon"],
        &["status", "--endpoint", "http://hub.example"],
        &["status", "--endpoint", "https://user:hunter2@hub.example"],
        &["status", "--color", "pink"],
    ] {
        let ran = machine.run(arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?} {ran:?}"
        );
        assert!(
            !ran.err.is_empty() && !ran.err.contains("hunter2"),
            "{ran:?}"
        );
        assert!(machine.json(arguments, 2)["error"]["message"].is_string());
    }
}

#[test]
fn help_has_examples_and_codes_for_every_verb() {
    let machine = Machine::new();
    for verb in [&[][..], &["status"], &["whoami"], &["explain"]] {
        let ran = machine.run(&[verb, &["--help"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(
            ran.out.contains("Examples:") && ran.out.contains("Exit codes:"),
            "{ran:?}"
        );
    }
    let version = machine.run(&["--version"]).out;
    assert_eq!(version, format!("hubtoken {}\n", env!("CARGO_PKG_VERSION")));
    let narrow = machine
        .run_with(&["require", "--help"], Some(60), &NeverInterrupted)
        .out;
    assert!(narrow.contains('\u{1b}'));
}

#[test]
fn no_token_is_code_1_with_every_source_named() {
    let machine = Machine::with(&[("HF_TOKEN", "hf_xxx"), ("HF_API_KEY", SECOND)]);
    for verb in [
        &["status"][..],
        &["whoami"],
        &["require", "read"],
        &["explain"],
    ] {
        let ran = machine.run(verb);
        assert_eq!(ran.code, 1, "{ran:?}");
        let all = ran.out + &ran.err;
        assert!(
            all.contains("HF_TOKEN") && all.contains("HF_API_KEY"),
            "{all}"
        );
    }
    let value = machine.json(&["status"], 1);
    assert_eq!(
        (&value["token"], &value["identity"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(value["error"]["kind"], "TokenNotFoundError");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(
        !message.contains("Tried") && !message.contains("token="),
        "{message}"
    );
    let value = machine.json(&["require", "read"], 1);
    assert_eq!(value["allowed"], false);
    assert!(value["error"]["trace"].as_array().unwrap().len() > 3);
    assert_eq!(
        machine.json(&["whoami"], 1)["error"]["kind"],
        "TokenNotFoundError"
    );
    assert_eq!(
        machine.json(&["status", "--profile", "ci"], 1)["error"]["kind"],
        "TokenNotFoundError"
    );
}

#[test]
fn explain_shows_what_wins_and_what_is_hidden() {
    let mut machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    let path = machine.write(".cache/huggingface/token", SECOND);
    let ran = machine.run(&["explain"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out
            .starts_with("hf_…keAA from env:HF_TOKEN, for https://huggingface.co\n"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("shadowed") && ran.out.contains("hf_…akBB"),
        "{ran:?}"
    );
    let value = machine.json(&["explain"], 0);
    assert_eq!(value["token"]["source"], "env:HF_TOKEN");
    let shadowed: Vec<&Value> = value["trace"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["answer"] == "shadowed")
        .collect();
    assert_eq!(shadowed[0]["source"], format!("file:{}", path.display()));
    machine.set("HF_ENDPOINT", "ftp://x");
    assert_eq!(
        machine.json(&["explain"], 2)["error"]["kind"],
        "UntrustedEndpointError"
    );
    let broken = Machine::new();
    broken.write("hubtoken.toml", "profile = ");
    assert_eq!(
        broken.json(&["explain"], 2)["error"]["kind"],
        "ConfigurationError"
    );
}

#[test]
fn every_run_in_a_process_gives_its_own_warnings() {
    let machine = Machine::with(&[("HF_TOKEN", "hf_xxx"), ("HF_HUB_OFFLINE", "1")]);
    machine.write(".cache/huggingface/token", SECOND);
    for arguments in [&["whoami"][..], &["require", "write"], &["run", "--", "x"]] {
        for round in ["first", "second"] {
            let ran = machine.run(arguments);
            assert_eq!(
                ran.err.matches("env:HF_TOKEN was passed over").count(),
                1,
                "{round}: {ran:?}"
            );
        }
    }
}

#[test]
fn a_hub_that_does_not_answer_is_code_3_and_what_is_known_is_shown() {
    let endpoint = closed_endpoint();
    let machine = Machine::with(&[("HF_TOKEN", FIRST), ("HF_ENDPOINT", &endpoint)]);
    let ran = machine.run(&["status"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.out.contains("hf_…keAA from env:HF_TOKEN") && ran.out.contains(&endpoint),
        "{ran:?}"
    );
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains("cannot be reached"),
        "{ran:?}"
    );
    let value = machine.json(&["status"], 3);
    assert_eq!(value["token"]["mask"], "hf_…keAA");
    assert_eq!(value["error"]["kind"], "HubUnreachableError");
    assert_eq!(machine.run(&["whoami"]).code, 3);
    let value = machine.json(&["require", "write"], 3);
    assert_eq!(
        (&value["allowed"], &value["required"]),
        (&Value::Null, &"write".into())
    );
}

#[test]
fn on_unknown_decides_what_an_unreachable_hub_means() {
    let mut machine = Machine::with(&[("HF_TOKEN", FIRST), ("HF_ENDPOINT", &closed_endpoint())]);
    let warned = machine.run(&["require", "write", "--on-unknown", "warn"]);
    assert_eq!((warned.code, warned.out.as_str()), (0, ""), "{warned:?}");
    assert!(warned.err.starts_with("warning: "), "{warned:?}");
    let allowed = machine.run(&["require", "write", "--on-unknown", "allow"]);
    assert_eq!(
        (allowed.code, allowed.out + &allowed.err),
        (0, String::new())
    );
    assert_eq!(
        machine.json(&["require", "write", "--on-unknown", "warn"], 0)["allowed"],
        Value::Null
    );
    let quiet = machine.run(&["require", "write", "--quiet"]);
    assert_eq!((quiet.code, quiet.out + &quiet.err), (3, String::new()));
    machine.set("HF_HUB_OFFLINE", "1");
    assert_eq!(
        machine.json(&["require", "write"], 3)["error"]["kind"],
        "OfflineError"
    );
    machine.set("HF_ENDPOINT", "nonsense");
    let wrong = machine.run(&["require", "write", "--quiet", "--on-unknown", "allow"]);
    assert_eq!(wrong.code, 2);
    assert!(!wrong.err.is_empty());
}

#[test]
fn an_interrupt_is_code_130() {
    // Connections wait in the system's backlog, so requests hang.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let machine = Machine::with(&[("HF_TOKEN", FIRST), ("HF_ENDPOINT", &endpoint)]);
    for verb in [&["status"][..], &["whoami"], &["require", "read"]] {
        assert_eq!(
            machine.run_with(verb, None, &After(2.into())).code,
            130,
            "{verb:?}"
        );
    }
    let ran = machine.run(&["require", "read", "--timeout", "0.2"]);
    assert_eq!(ran.code, 3, "{ran:?}");
}

#[test]
fn colors_are_for_terminals() {
    let mut machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    let colored = |machine: &Machine, arguments: &[&str]| {
        machine
            .run_with(arguments, Some(100), &NeverInterrupted)
            .out
            .contains('\u{1b}')
    };
    assert!(colored(&machine, &["explain"]));
    assert!(!colored(&machine, &["explain", "--color", "never"]));
    assert!(!colored(&machine, &["explain", "--color=never"]));
    assert!(!colored(&machine, &["explain", "--json"]));
    machine.set("NO_COLOR", "1");
    assert!(!colored(&machine, &["explain"]));
    assert!(colored(&machine, &["--color=always", "explain"]));
    let piped = machine.run_with(&["--color=always", "explain"], None, &NeverInterrupted);
    assert!(piped.out.contains('\u{1b}'));
}

/// A reader that went away, or a full disk.
struct Broken(ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_no_problem_and_a_full_disk_is() {
    let machine = Machine::with(&[("HF_TOKEN", FIRST)]);
    for (kind, code, told) in [
        (ErrorKind::BrokenPipe, 0, false),
        (ErrorKind::StorageFull, 3, true),
    ] {
        let mut err = Vec::new();
        let into: (&mut dyn Write, &mut dyn Write) = (&mut Broken(kind), &mut err);
        assert_eq!(
            machine.run_into(&["explain"], into, None, &NeverInterrupted),
            code
        );
        assert_eq!(!err.is_empty(), told);
    }
}

#[cfg(not(feature = "hub"))]
#[test]
fn without_the_embedded_hub_its_verb_says_so() {
    let machine = Machine::new();
    for arguments in [
        &["hub"][..],
        &["hub", "serve", "--port", "1"],
        &["hub", "--help"],
    ] {
        let ran = machine.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("no embedded Hub"), "{ran:?}");
    }
    assert_eq!(
        machine.json(&["hub", "serve"], 2)["error"]["kind"],
        "UsageError"
    );
}

/// A machine whose active token belongs to another Hub than the one of `HF_ENDPOINT`.
fn with_a_token_of(hub: &str) -> Machine {
    let machine = Machine::with(&[("HF_HUB_OFFLINE", "1")]);
    let digest = crate::token::Token::parse(FIRST).unwrap().unwrap().digest();
    let record = serde_json::json!({ "tokens": { digest.hex(): { "endpoint": hub } } });
    let file = ".cache/huggingface/hubtoken_endpoints.json";
    machine.write(file, &record.to_string());
    machine.write(".cache/huggingface/token", FIRST);
    machine
}

#[test]
fn a_token_that_huggingface_hub_would_send_elsewhere_is_told() {
    let says = "huggingface_hub would send it to https://huggingface.co, which is not its Hub: set \
                HF_ENDPOINT=https://hub.example";
    let mut machine = with_a_token_of("https://hub.example");
    let explained = machine.run(&["explain"]);
    assert_eq!(
        (explained.code, explained.out.matches(says).count()),
        (0, 1)
    );
    let trace = machine.json(&["explain"], 0)["trace"].to_string();
    assert!(trace.contains(says), "{trace}");
    let status = machine.json(&["status"], 3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 1);
    assert!(
        status["warnings"][0].as_str().unwrap().ends_with(says),
        "{status}"
    );
    assert!(status["trace"].to_string().contains(says));
    let ran = machine.run(&["status"]);
    assert_eq!(ran.err.matches(says).count(), 1, "{ran:?}");
    // Shadowed by the folder's token, it is still what `huggingface_hub` sends.
    machine.write(
        ".cache/huggingface/stored_tokens",
        &format!("[ci]\nhf_token = {SECOND}\n"),
    );
    machine.write("hubtoken.toml", "profile = \"ci\"\n");
    let trace = machine.json(&["explain"], 0)["trace"].to_string();
    assert_eq!(trace.matches(says).count(), 1, "{trace}");
    assert!(machine.run(&["status"]).out.contains(says));
    std::fs::remove_file(machine.home.path().join("hubtoken.toml")).unwrap();
    // Where the library sends nothing, or another token, there is nothing to say.
    for (name, value) in [
        ("HF_ENDPOINT", "https://hub.example"),
        ("HF_TOKEN", SECOND),
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
    ] {
        machine.set(name, value);
        let ran = machine.run(&["explain"]);
        assert!(!ran.out.contains("huggingface_hub"), "{name} {ran:?}");
        machine.environment.unset(name);
    }
    // It works in both directions.
    let mut machine = with_a_token_of("https://huggingface.co");
    machine.set("HF_ENDPOINT", "https://hub.example");
    let ran = machine.run(&["explain"]);
    assert!(
        ran.out.contains("send it to https://hub.example"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("set HF_ENDPOINT=https://huggingface.co"),
        "{ran:?}"
    );
}

#[test]
fn a_shared_cache_that_cannot_be_used_is_told() {
    let mut machine = Machine::new();
    assert_eq!(
        machine.json(&["status"], 1)["shared_cache"]["problem"],
        Value::Null
    );
    assert!(!machine.run(&["status"]).out.contains("shared cache"));
    // A file where the folder should be.
    machine.write(".cache/huggingface/hubtoken/identities", "");
    let ran = machine.run(&["status"]);
    assert!(
        ran.out.contains("shared cache") && ran.out.contains("is not a folder"),
        "{ran:?}"
    );
    machine.set("HUBTOKEN_DISABLE_CACHE", "1");
    let value = machine.json(&["status"], 1);
    assert_eq!(value["shared_cache"]["folder"], Value::Null);
    assert_eq!(
        value["shared_cache"]["problem"],
        "HUBTOKEN_DISABLE_CACHE is set"
    );
}
