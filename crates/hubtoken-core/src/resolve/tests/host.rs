//! Tests sources beyond variables and files: commands and vaults.

use zeroize::Zeroizing;

use super::super::host::Host;
use super::super::slow_source::{Responder, SourceAnswer};
use super::*;
use crate::env::ProcessEnvironment;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::source::Notebook;

/// A notebook in which every query is answered immediately.
pub(super) struct Notebooks(pub(super) Vec<(Notebook, SourceAnswer)>);

impl Host for Notebooks {
    fn variables(&self) -> StaticEnvironment {
        ProcessEnvironment.all()
    }

    fn interrupt(&self) -> &dyn Interrupt {
        &NeverInterrupted
    }

    fn vaults(&self) -> Vec<Notebook> {
        self.0.iter().map(|(notebook, _)| *notebook).collect()
    }

    fn ask_vault(&self, notebook: Notebook, responder: Responder) {
        let source_answer = self.0.iter().find(|(known, _)| *known == notebook);
        responder.send(source_answer.unwrap().1.clone());
    }
}

fn value(text: &str) -> SourceAnswer {
    SourceAnswer::value(Zeroizing::new(text.to_owned()))
}

impl Machine {
    pub(super) fn ask_with_host(&self, host: &dyn Host) -> Result<Resolution, Error> {
        self.resolver
            .resolve(&AMBIENT, &self.inputs().with_host(host))
    }

    fn answers(&self, host: &dyn Host) -> Vec<(String, &'static str)> {
        let trace = self
            .resolver
            .explain(&AMBIENT, &self.inputs().with_host(host))
            .unwrap();
        let steps = trace.steps.into_iter();
        steps
            .map(|step| (step.source, step.status.name()))
            .collect()
    }
}

#[test]
fn a_vault_is_the_last_source() {
    let mut machine = Machine::new();
    let host = Notebooks(vec![(Notebook::Colab, value(FIRST))]);
    let found = machine.ask_with_host(&host).unwrap().credential.unwrap();
    assert_eq!(found.source, Source::Vault(Notebook::Colab));
    assert!(found.endpoint.is_default());
    machine.write(FILE, SECOND);
    let found = machine.ask_with_host(&host).unwrap().credential.unwrap();
    assert_eq!(found.token.expose(), SECOND);
    // Not queried when its token would not be used.
    let unheard = Notebooks(vec![(
        Notebook::Kaggle,
        SourceAnswer::Failed("broke".to_owned()),
    )]);
    assert!(
        machine
            .answers(&unheard)
            .contains(&("kaggle".to_owned(), "skipped"))
    );
    std::fs::remove_file(machine.home.path().join(FILE)).unwrap();
    machine.set("HUBTOKEN_DISABLE_VAULTS", "1");
    assert!(machine.ask_with_host(&host).is_err());
    assert!(
        machine
            .answers(&host)
            .contains(&("colab".to_owned(), "skipped"))
    );
}

#[test]
fn what_vaults_answer_is_told_apart() {
    for (source_answer, answer, part) in [
        (SourceAnswer::Absent, "absent", "has no secret HF_TOKEN"),
        (value(" "), "absent", "blank"),
        (SourceAnswer::Refused, "refused", "not granted"),
        (
            SourceAnswer::Failed("broke".to_owned()),
            "broken",
            "the vault broke",
        ),
        (value("hf_****abcd"), "broken", "mask"),
    ] {
        let machine = Machine::new();
        let host = Notebooks(vec![(Notebook::Colab, source_answer)]);
        let Err(Error::TokenNotFound { trace, message }) = machine.ask_with_host(&host) else {
            unreachable!("{answer}: a token was found");
        };
        let step = trace.steps.last().unwrap();
        assert_eq!(step.status.name(), answer);
        assert!(step.detail.contains(part), "{}", step.detail);
        assert!(message.contains(part), "{message}");
        let warnings = machine.resolver.warnings(&trace).len();
        assert_eq!(warnings, usize::from(answer != "absent"), "{answer}");
    }
}

#[test]
fn the_next_vault_is_asked_when_one_has_nothing() {
    let machine = Machine::new();
    let host = Notebooks(vec![
        (Notebook::Colab, SourceAnswer::Refused),
        (Notebook::Kaggle, value(FIRST)),
    ]);
    let found = machine.ask_with_host(&host).unwrap().credential.unwrap();
    assert_eq!(found.source.to_string(), "kaggle");
    machine.write("hubtoken.toml", "sources = [\"config\", \"file\"]");
    machine.resolver.clear_cache();
    assert!(machine.ask_with_host(&host).is_err());
}

#[test]
fn a_child_knows_what_its_parent_was_told() {
    let machine = Machine::new();
    let host = Notebooks(vec![(Notebook::Colab, value(FIRST))]);
    machine.ask_with_host(&host).unwrap();
    let child = Machine {
        resolver: machine.resolver.after_fork(),
        ..Machine::new()
    };
    let mute = Notebooks(vec![(Notebook::Colab, SourceAnswer::Absent)]);
    let found = child.ask_with_host(&mute).unwrap().credential.unwrap();
    assert_eq!(found.token.expose(), FIRST);
}

#[cfg(unix)]
mod commands {
    use super::*;
    use crate::token_reference::TokenReference;

    const CONFIGURATION: &str = ".config/hubtoken/config.toml";

    /// The variables of this process, so that programs are found on `PATH`.
    const PROCESS: Notebooks = Notebooks(Vec::new());

    /// A machine whose command counts its runs and executes `script`.
    fn machine(script: &str) -> Machine {
        let machine = Machine::new();
        let runs = machine.home.path().join("runs");
        let script = format!("echo run >> {}; {script}", runs.display());
        machine.write(
            CONFIGURATION,
            format!("token_command = [\"sh\", \"-c\", '{script}']"),
        );
        machine
    }

    fn runs(machine: &Machine) -> usize {
        let runs = std::fs::read_to_string(machine.home.path().join("runs"));
        runs.unwrap_or_default().lines().count()
    }

    fn error(machine: &Machine) -> Error {
        match machine.ask_with_host(&PROCESS) {
            Ok(_) => unreachable!("a token was found"),
            Err(error) => error,
        }
    }

    #[test]
    fn its_token_is_used_before_the_token_file_and_run_once() {
        // Only half a token, since a configuration must not contain a whole one.
        let value = "hf_Command_Fake_Fake";
        let mut machine = machine(&format!("echo {value}"));
        machine.write(FILE, SECOND);
        for _ in 0..3 {
            let found = machine.ask_with_host(&PROCESS).unwrap().credential.unwrap();
            assert_eq!(found.source, Source::Command("sh".to_owned()));
            assert_eq!(found.token.expose(), value);
        }
        assert_eq!(runs(&machine), 1);
        machine.resolver.clear_cache();
        machine.ask_with_host(&PROCESS).unwrap();
        assert_eq!(runs(&machine), 2);
        machine.set("HF_TOKEN", THIRD);
        machine.resolver.clear_cache();
        assert!(
            machine
                .answers(&PROCESS)
                .contains(&("command:sh".to_owned(), "skipped"))
        );
        assert_eq!(runs(&machine), 2);
    }

    #[test]
    fn what_is_broken_stops_the_chain() {
        for (script, expected) in [
            ("exit 3", 2),
            ("true", 2),
            // The command did return a value, which is not requested again right away.
            ("echo two words", 1),
            ("echo hf_xxxx", 1),
        ] {
            let machine = machine(script);
            machine.write(FILE, SECOND);
            for _ in 0..2 {
                let error = error(&machine);
                assert!(
                    matches!(error, Error::Store(_) | Error::TokenFormat(_)),
                    "{script}: {error}"
                );
                let message = error.to_string();
                assert!(message.contains("token_command `sh`"), "{message}");
                assert!(!message.contains("two words"), "{message}");
            }
            assert_eq!(runs(&machine), expected, "{script}");
        }
    }

    #[test]
    fn one_that_asks_hubtoken_is_told_so() {
        let mut machine = machine("true");
        machine.set("HUBTOKEN_IN_TOKEN_COMMAND", "1");
        let error = error(&machine);
        assert!(error.to_string().contains("forever"), "{error}");
        assert_eq!(runs(&machine), 0);
    }

    #[test]
    fn the_deadline_is_a_parameter() {
        let mut machine = machine("exec sleep 600");
        machine.set("HUBTOKEN_SOURCE_TIMEOUT", "0.05");
        let error = error(&machine);
        assert!(error.to_string().contains("within 0.05"), "{error}");
        for wrong in ["0", "-1", "soon", "1e9", "nan"] {
            machine.set("HUBTOKEN_SOURCE_TIMEOUT", wrong);
            let error = machine.ask_with_host(&PROCESS);
            assert!(matches!(error, Err(Error::Configuration(_))), "{wrong}");
        }
        // A fast source is not affected.
        machine.set("HF_TOKEN", FIRST);
        assert!(machine.ask_with_host(&PROCESS).is_ok());
    }

    #[test]
    fn the_configurations_endpoint_is_its_tokens() {
        let machine = machine("echo hf_Command_Fake_Fake");
        let path = machine.home.path().join(CONFIGURATION);
        let text = std::fs::read_to_string(&path).unwrap();
        let endpoint = "endpoint = \"http://127.0.0.1:9\"";
        std::fs::write(&path, format!("{endpoint}\n{text}")).unwrap();
        let found = machine.ask_with_host(&PROCESS).unwrap().credential.unwrap();
        assert_eq!(found.endpoint.as_str(), "http://127.0.0.1:9");
        // Also if a login stored the same value for another Hub.
        machine.store("ci", "hf_Command_Fake_Fake", "http://127.0.0.1:8");
        let found = machine.ask_with_host(&PROCESS).unwrap().credential.unwrap();
        assert_eq!(found.endpoint.as_str(), "http://127.0.0.1:9");
    }

    #[test]
    fn an_unpickled_token_never_runs_it() {
        let machine = machine("echo hf_Command_Fake_Fake");
        let found = machine.ask_with_host(&PROCESS).unwrap().credential.unwrap();
        assert_eq!(runs(&machine), 1);
        let reference = TokenReference::of(&found);
        machine.resolver.clear_cache();
        let host = PROCESS;
        let restore = || {
            let inputs = machine.inputs().with_host(&host);
            machine.resolver.restore(&reference, &inputs)
        };
        assert!(matches!(restore(), Err(Error::TokenNotFound { .. })));
        // If a fast source has the same token, it is found there.
        machine.write(FILE, "hf_Command_Fake_Fake");
        let again = restore().unwrap();
        assert_eq!(again.token, found.token);
        assert_eq!(again.source, found.source);
        assert_eq!(runs(&machine), 1);
    }
}
