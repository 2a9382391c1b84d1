//! Tests that a source may hold a whole pasted line, and that a warning names the source.

use zeroize::Zeroizing;

use super::super::slow_source::SourceAnswer;
use super::host::Notebooks;
use super::*;
use crate::source::Notebook;

/// What is used of a source, and what is warned about.
fn used(machine: &Machine, host: Option<&Notebooks>) -> (String, Vec<String>) {
    machine.resolver.clear_cache();
    let resolution = match host {
        Some(host) => machine.ask_with_host(host),
        None => machine.ask(Argument::Ambient, None),
    }
    .unwrap();
    let warnings = machine.resolver.warnings(&resolution.trace);
    assert!(!resolution.trace.to_string().contains(FIRST));
    (
        resolution.credential.unwrap().token.expose().to_owned(),
        warnings,
    )
}

fn assert_taken((value, warnings): (String, Vec<String>), source: &str) {
    assert_eq!(value, FIRST);
    let [warning] = &warnings[..] else {
        unreachable!("{warnings:?}");
    };
    assert!(warning.starts_with(source), "{warning}");
    assert!(warning.is_ascii() && !warning.contains("Fake"), "{warning}");
}

#[test]
fn every_source_may_hold_a_line_and_is_named_in_a_warning() {
    for line in [
        format!("HF_TOKEN={FIRST}"),
        format!("export HF_TOKEN=\"{FIRST}\""),
        format!("Authorization: Bearer {FIRST}"),
        format!("Bearer {FIRST}"),
    ] {
        let mut machine = Machine::new();
        let host = Notebooks(vec![(
            Notebook::Colab,
            SourceAnswer::value(Zeroizing::new(line.clone())),
        )]);
        assert_taken(
            used(&machine, Some(&host)),
            "the secret HF_TOKEN of this Colab notebook holds",
        );
        machine.write(FILE, format!("{line}\n"));
        assert_taken(used(&machine, None), "the token file ");
        machine.write(STORED, format!("[ci]\nhf_token = {line}\n"));
        machine.write("hubtoken.toml", "profile = \"ci\"");
        assert_taken(used(&machine, None), "the profile `ci` that ");
        for name in ["HUGGING_FACE_HUB_TOKEN", "HF_TOKEN"] {
            machine.set(name, &line);
            let start = format!("the environment variable {name} holds");
            assert_taken(used(&machine, None), &start);
        }
        let resolution = machine.ask(Argument::Value(&line), None).unwrap();
        let warnings = machine.resolver.warnings(&resolution.trace);
        let value = resolution.credential.unwrap().token.expose().to_owned();
        assert_taken((value, warnings), "the argument holds");
    }
}

#[cfg(unix)]
#[test]
fn a_command_may_print_a_line() {
    let machine = Machine::new();
    let file = machine.write("line.txt", format!("HF_TOKEN={FIRST}\n"));
    machine.write(
        ".config/hubtoken/config.toml",
        format!("token_command = [\"cat\", \"{}\"]", file.display()),
    );
    assert_taken(used(&machine, None), "the token_command `cat` holds");
}

#[test]
fn the_trace_says_so_and_a_token_alone_is_no_cause_for_a_warning() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", FIRST);
    assert_eq!(used(&machine, None), (FIRST.to_owned(), Vec::new()));
    machine.set("HF_TOKEN", SECOND);
    machine.write(FILE, format!("HF_TOKEN={FIRST}"));
    let inputs = machine.inputs();
    let trace = machine.resolver.explain(&AMBIENT, &inputs).unwrap();
    let step = trace.shadowed().next().unwrap();
    assert!(
        step.detail
            .contains("shadowed by env:HF_TOKEN, holds a whole line")
    );
    // Only the token in use matters.
    assert!(machine.resolver.warnings(&trace).is_empty());
}

#[test]
fn two_tokens_stay_an_error() {
    let mut machine = Machine::new();
    machine.set("HF_TOKEN", &format!("HF_TOKEN={FIRST} HF_TOKEN={SECOND}"));
    assert!(matches!(machine.error(None), Error::TokenNotFound { .. }));
    let both = format!("{FIRST}={SECOND}");
    let error = machine.ask(Argument::Value(&both), None).err().unwrap();
    assert!(matches!(error, Error::TokenFormat(_)));
}
