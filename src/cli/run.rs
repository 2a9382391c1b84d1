//! `hubtoken run`: runs another program with the token in its environment.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::Command;

use super::args::{TimeoutArgs, TokenArgs, lasting};
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::require::{RoleName, TypeName, needs_repository, warnings};
use super::token_context::{self, Session};
use crate::credential::Credential;
use crate::env;
use crate::require::{Lasting, Requirement};
use crate::resolve::placed;
use crate::role::Required;
use crate::sanitize::redacted;
use crate::source::Placement;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken run -- python train.py
  hubtoken run --role write --repo acme/model -- python train.py
  hubtoken run --profile ci -- hf download acme/private

The command replaces hubtoken, so signals and the exit code are its own. It gets HF_TOKEN
and HF_ENDPOINT, also if HF_HUB_DISABLE_IMPLICIT_TOKEN is set here. With --role, or if the project names a `role`, the token is checked first, and
the command is only started if the result is yes.

Exit codes before the command runs: 1 denied, rejected, no token; 2 wrong usage or configuration;
3 unknown, because the Hub could not be reached; 126 the command cannot be executed; 127 it was
not found.")]
pub struct Args {
    #[command(flatten)]
    which: TokenArgs,
    /// First check that the token has this role [default: the project's, if it names one]
    #[arg(long, value_enum)]
    role: Option<RoleName>,
    /// The repository that the role is needed on [default: the project's]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    repo: Option<String>,
    /// The type of the repository
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "TYPE",
        requires = "repo"
    )]
    repo_type: TypeName,
    /// Reject a repository that does not exist yet
    #[arg(long)]
    must_exist: bool,
    /// How long the token is needed, such as 8h, 1h30m or 2days [default: to the end of the Slurm job]
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    lasting: Option<Lasting>,
    /// Check nothing, even if the project names a role
    #[arg(long, conflicts_with_all = ["role", "repo", "must_exist", "lasting"])]
    no_check: bool,
    #[command(flatten)]
    wait: TimeoutArgs,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the verb.
///
/// # Errors
///
/// The command was not started.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err(Failure::Usage("name a command after `--`".to_owned()));
    };
    // Standard output belongs to the command.
    output.has_no_object();
    let requirement = arguments.requirement(context, output)?;
    let session = Session::open_explicitly(context, &arguments.which)?;
    for warning in &session.warnings {
        output.warning(warning);
    }
    if let Some(requirement) = &requirement {
        check(requirement, arguments, &session, context, output)?;
    }
    // The command would send the token.
    session.credential.check_sendable()?;
    session.credential.endpoint.check_other_programs()?;
    let mut command = Command::new(program);
    command.args(rest);
    hand_over(&mut command, &session.credential, context);
    let problem = context.launcher.launch(&mut command);
    Err(failure(&program.to_string_lossy(), &problem))
}

fn check(
    requirement: &Requirement,
    arguments: &Args,
    session: &Session<'_>,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<(), Failure> {
    let assurance = requirement.check(
        &session.client,
        &session.credential,
        session.connection(),
        &token_context::options(None, arguments.wait.timeout),
        context.interrupt,
    )?;
    if let Some(missing) = assurance.missing() {
        output.note(&missing.sentence());
    }
    for warning in warnings(&assurance) {
        output.warning(&warning);
    }
    Ok(())
}

impl Args {
    /// What to check before the command is started, if anything.
    fn requirement(
        &self,
        context: &Context<'_>,
        output: &Output<'_, '_>,
    ) -> Result<Option<Requirement>, Failure> {
        if self.no_check {
            return Ok(None);
        }
        let uses_defaults = self.role.is_none() || self.repo.is_none();
        let defaults = token_context::defaults_if(context, uses_defaults)?;
        let role = match self.role {
            Some(role) => Some(role.into()),
            None => defaults.needed_role()?,
        };
        for warning in token_context::warnings(context, &defaults) {
            output.warning(&warning);
        }
        let Some(role) = role else {
            return if self.repo.is_some() || self.must_exist || self.lasting.is_some() {
                Err(Failure::Usage(
                    "--repo, --must-exist and --lasting need --role, the role to check".to_owned(),
                ))
            } else {
                Ok(None)
            };
        };
        let repo = self.repo.clone().or(defaults.repo);
        needs_repository(self.must_exist, repo.as_ref())?;
        let (until, ignored) =
            token_context::needed_until(context, self.lasting.unwrap_or_default());
        if let Some(warning) = ignored {
            output.warning(&warning);
        }
        Ok(Some(Requirement {
            required: Required::Role(role),
            repository: repo.map(|repo| (repo, self.repo_type.into())),
            namespace: None,
            must_exist: self.must_exist,
            needed_until: until,
        }))
    }
}

/// Sets the token and its Hub, and removes variables that would take precedence over them or keep
/// the token from being sent, unless they lead to the same right. The rest is inherited.
fn hand_over(command: &mut Command, credential: &Credential, context: &Context<'_>) {
    command
        .env(env::HF_TOKEN, credential.token.expose())
        .env(env::HF_ENDPOINT, credential.endpoint.as_str())
        .env(
            env::HUBTOKEN_TOKEN_ORIGIN,
            placed::origin(credential, Placement::Run),
        );
    for name in placed::overriding(credential, context.environment) {
        command.env_remove(name);
    }
}

/// Uses the exit codes of shells.
fn failure(program: &str, problem: &io::Error) -> Failure {
    let program = redacted(program);
    let (code, message) = match problem.kind() {
        ErrorKind::NotFound => (Code::CommandNotFound, format!("{program}: not found")),
        kind => (
            Code::CommandNotExecutable,
            format!("{program} cannot be executed: {kind}"),
        ),
    };
    Failure::Command { code, message }
}
