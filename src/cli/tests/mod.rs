//! Runs the command line on a simulated machine: a folder as home, a map as environment, two
//! buffers as terminal. Every output is searched for the secrets in use and for escape sequences.

#[cfg(feature = "hub")]
mod absent;
#[cfg(feature = "hub")]
mod administration;
#[cfg(feature = "hub")]
mod advice;
#[cfg(feature = "hub")]
mod exit_codes;
mod git;
#[cfg(feature = "hub")]
mod lasting;
mod launching;
#[cfg(feature = "hub")]
mod live;
mod local;
mod oidc;
mod project;
#[cfg(feature = "hub")]
mod requested;
#[cfg(feature = "hub")]
mod revoke;
#[cfg(feature = "hub")]
mod service_accounts;
#[cfg(feature = "hub")]
mod serving;
#[cfg(feature = "hub")]
mod store;
#[cfg(feature = "hub")]
mod stored;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Browser, Context, Descriptor, Descriptors, Exec, Input, Prompt, Stream, Typed, run};
use crate::env::StaticEnvironment;
use crate::error::Error;
use crate::identity::client::Client;
use crate::interrupt::{Interrupt, NeverInterrupted};
use crate::oauth::SystemPace;
use crate::resolve::Resolver;

const FIRST: &str = "hf_FirstFakeFakeFakeFakeFakeFakeFakeAA";
const SECOND: &str = "hf_SecondFakeFakeFakeFakeFakeFakeFakBB";

/// The file name of the command.
const PROGRAM: &str = "hubtoken";

struct Machine {
    home: TempDir,
    /// The folder that commands run in, if that is not the home.
    folder: Option<PathBuf>,
    /// A folder with the program `hubtoken`, as an installation has it.
    programs: TempDir,
    environment: StaticEnvironment,
    secrets: Vec<String>,
    stdin: String,
    /// What is typed at a prompt; `None` without a terminal.
    typed: Option<String>,
    /// What is behind descriptors, and what was written there.
    descriptors: Mutex<BTreeMap<i32, (Descriptor, std::io::Result<String>)>>,
    /// The pages that were opened.
    opened: Mutex<Vec<String>>,
    client: Arc<Client>,
}

/// The result of a run.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

/// An [`Exec`] that executes nothing.
struct Nobody;

impl Exec for Nobody {
    fn launch(&self, _: &mut Command) -> std::io::Error {
        std::io::ErrorKind::Unsupported.into()
    }
}

/// Ctrl-C after a number of checks.
struct After(AtomicUsize);

impl Interrupt for After {
    fn is_set(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(1))
            })
            == Ok(0)
    }
}

impl Prompt for Machine {
    fn read(&self, _limit: u64) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(self.stdin.clone()))
    }

    fn ask_hidden(&self, _prompt: &str) -> Result<Typed, Error> {
        Ok(match self.typed.as_deref() {
            Some("\x04") => Typed::End,
            Some(line) => Typed::Line(Zeroizing::new(line.to_owned())),
            None => Typed::NoTerminal,
        })
    }
}

impl Browser for Machine {
    fn open(&self, address: &str) -> bool {
        self.opened.lock().unwrap().push(address.to_owned());
        true
    }
}

impl Descriptors for Machine {
    fn inspect(&self, number: i32) -> std::io::Result<Descriptor> {
        let descriptors = self.descriptors.lock().unwrap();
        let found = descriptors.get(&number).map(|(found, _)| *found);
        found.ok_or_else(|| std::io::Error::other("Bad file descriptor"))
    }

    fn write(&self, number: i32, text: &str) -> std::io::Result<()> {
        let mut descriptors = self.descriptors.lock().unwrap();
        match &mut descriptors.get_mut(&number).unwrap().1 {
            Ok(written) => written.push_str(text),
            Err(error) => return Err(error.kind().into()),
        }
        Ok(())
    }
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut environment = StaticEnvironment::default();
        environment.set("HOME", home.path());
        environment.set("XDG_CONFIG_HOME", home.path().join(".config"));
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join(PROGRAM);
        std::fs::write(&program, "").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            home,
            folder: None,
            programs,
            environment,
            secrets: vec![FIRST.to_owned(), SECOND.to_owned()],
            stdin: String::new(),
            typed: None,
            descriptors: Mutex::default(),
            opened: Mutex::default(),
            client: Arc::default(),
        }
    }

    fn with(variables: &[(&str, &str)]) -> Self {
        let mut machine = Self::new();
        for (name, value) in variables {
            machine.set(name, value);
        }
        machine
    }

    /// Runs the next commands in a folder of the home.
    fn enter(&mut self, folder: &str) {
        self.folder = Some(self.home.path().join(folder));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
    }

    fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.run_with(arguments, None, &NeverInterrupted);
        assert!(
            !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'),
            "{ran:?}"
        );
        ran
    }

    fn run_with(
        &self,
        arguments: &[&str],
        width: Option<usize>,
        interrupt: &(dyn Interrupt + Sync),
    ) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = self.run_into(arguments, (&mut out, &mut err), width, interrupt);
        let ran = Ran {
            code,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        };
        for secret in &self.secrets {
            assert!(
                !ran.out.contains(secret) && !ran.err.contains(secret),
                "a secret was shown"
            );
        }
        ran
    }

    fn run_into(
        &self,
        arguments: &[&str],
        (out, err): (&mut dyn Write, &mut dyn Write),
        width: Option<usize>,
        interrupt: &(dyn Interrupt + Sync),
    ) -> u8 {
        self.run_in(arguments, (out, err), width, interrupt, (&[], &Nobody))
    }

    fn run_in(
        &self,
        arguments: &[&str],
        (out, err): (&mut dyn Write, &mut dyn Write),
        width: Option<usize>,
        interrupt: &(dyn Interrupt + Sync),
        (input, launcher): (&[u8], &dyn Exec),
    ) -> u8 {
        let arguments = ["hubtoken"].iter().chain(arguments).map(Into::into);
        self.in_world((out, err), width, interrupt, (input, launcher), |context| {
            run(arguments, context)
        })
    }

    fn in_world(
        &self,
        (out, err): (&mut dyn Write, &mut dyn Write),
        width: Option<usize>,
        interrupt: &(dyn Interrupt + Sync),
        (mut input, launcher): (&[u8], &dyn Exec),
        start: impl FnOnce(&Context<'_>) -> u8,
    ) -> u8 {
        let context = Context {
            environment: &self.environment,
            folder: Some(
                self.folder
                    .clone()
                    .unwrap_or_else(|| self.home.path().to_owned()),
            ),
            program: Some(self.programs.path().join(PROGRAM)),
            stdin: Input::new(&mut input, width.is_some()),
            prompt: self,
            stdout: Stream::new(out, width.is_some()),
            stderr: Stream::new(err, width.is_some()),
            width,
            now: OffsetDateTime::now_utc(),
            interrupt,
            launcher,
            browser: self,
            descriptors: self,
            pace: &SystemPace,
            resolver: Resolver::default(),
            client: Some(&self.client),
        };
        start(&context)
    }

    /// Runs with `--json`: one object on standard output, and nothing on standard error.
    fn json(&self, arguments: &[&str], code: u8) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(
            (ran.err.as_str(), ran.out.lines().count()),
            ("", 1),
            "{ran:?}"
        );
        let value: Value = serde_json::from_str(&ran.out).unwrap();
        assert!(value.is_object());
        assert!(value.get("error").is_some(), "{value}");
        value
    }
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "code {}\n{}---\n{}",
            self.code, self.out, self.err
        )
    }
}
