//! `hubtoken require`: whether the token has the access that is needed, as an exit code.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::args::{TimeoutArgs, TokenArgs, lasting, seconds};
use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::identity::token_json;
use super::output::Output;
use super::token_context::{self, Session};
use crate::error::Error;
use crate::repository::{RepositoryType, SimilarRepository};
use crate::require::{Assurance, Lasting, Requirement};
use crate::resolve::project_defaults::Defaults;
use crate::role::{Required, Role};

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken require write --repo acme/model && python train.py
  hubtoken require read --repo squad --repo-type dataset --quiet
  hubtoken require write --repo acme/model --must-exist   # only if it exists
  hubtoken require --permission inference.serverless.write --namespace acme
  hubtoken require write --on-unknown warn   # continue if the Hub is down
  hubtoken require write --lasting 8h        # only if it does not end before
  hubtoken require                           # the role and the repository of the project

Without ROLE the project's `role` applies, and without --repo and --namespace its `repo`. Both are
set in hubtoken.toml, or under [tool.hubtoken] in pyproject.toml.

For `write`, a repository that does not exist yet is allowed if the token may create it; the output
says so, and warns if the namespace has one of a similar name. --must-exist denies it. A name
without a namespace is in the user's own.

A token that is known to end before --lasting has passed is denied, unless it renews itself: the token
of a login, an exchange, or a command. In a Slurm job, the time to the end of the job is the default
(SLURM_JOB_END_TIME), and --lasting 0 checks no end.

A misspelled permission is wrong usage, unless a scope of the token lists it under that name.

Exit codes: 0 allowed; 1 denied, rejected, not found, no token; 2 wrong usage or configuration;
3 unknown, because the Hub could not be reached.")]
pub struct Args {
    /// The role that is needed [default: the project's]
    #[arg(value_enum, conflicts_with = "permission")]
    role: Option<RoleName>,
    /// One of the Hub's permissions instead of a role, such as inference.serverless.write
    #[arg(long, value_name = "PERMISSION")]
    permission: Option<String>,
    /// The repository that it is needed on
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
    /// Ignore the project's repository and check the role on no repository in particular
    #[arg(long, conflicts_with = "repo")]
    no_repo: bool,
    /// Reject a repository that does not exist yet
    #[arg(long, conflicts_with_all = ["no_repo", "namespace"])]
    must_exist: bool,
    /// How long the token is needed, such as 8h, 1h30m or 2days [default: to the end of the Slurm job]
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    lasting: Option<Lasting>,
    /// The user or organization that it is needed on
    #[arg(long, value_name = "NAME", conflicts_with = "repo")]
    namespace: Option<String>,
    #[command(flatten)]
    which: TokenArgs,
    /// The maximum age of a cached answer in seconds; 0 always sends a request
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    max_age: Option<Duration>,
    #[command(flatten)]
    wait: TimeoutArgs,
    /// What to do if the result is unknown: fail with code 3, warn and continue, or continue
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_unknown: OnUnknown,
    /// Write nothing except usage errors
    #[arg(long, short)]
    quiet: bool,
}

/// The roles that can be required.
#[derive(Clone, Copy, ValueEnum)]
pub enum RoleName {
    /// Reading.
    Read,
    /// Writing.
    Write,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Read => Self::Read,
            RoleName::Write => Self::Write,
        }
    }
}

/// The types of repositories.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum TypeName {
    /// A model.
    #[default]
    Model,
    /// A data set.
    Dataset,
    /// A Space.
    Space,
}

impl From<TypeName> for RepositoryType {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::Model => Self::Model,
            TypeName::Dataset => Self::Dataset,
            TypeName::Space => Self::Space,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OnUnknown {
    #[default]
    Raise,
    Warn,
    Allow,
}

/// Runs the verb.
///
/// # Errors
///
/// Every result except *yes*.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    if arguments.quiet {
        output.set_quiet();
    }
    let defaults = token_context::defaults_if(context, arguments.uses_defaults())?;
    let mut requirement = arguments.requirement(&defaults)?;
    let lasting = arguments.lasting.unwrap_or_default();
    let (until, ignored) = token_context::needed_until(context, lasting);
    requirement.needed_until = until;
    let mut answer = Answer {
        required: requirement.required.to_string(),
        target: target(&requirement),
        token: Value::Null,
        endpoint: Value::Null,
        warnings: token_context::warnings(context, &defaults),
        assurance: Assurance::default(),
    };
    answer.warnings.extend(ignored);
    let checked = check(arguments, &requirement, context, &mut answer);
    if !output.is_json() {
        for warning in &answer.warnings {
            output.warning(warning);
        }
    }
    let (allowed, failure, code) = match checked {
        Ok(()) => (Some(true), None, Code::Success),
        Err(failure) => match failure.code() {
            Code::Refused => (Some(false), Some(failure), Code::Refused),
            Code::Unknown if arguments.on_unknown == OnUnknown::Raise => {
                (None, Some(failure), Code::Unknown)
            }
            Code::Unknown => (None, Some(failure), Code::Success),
            _ => return Err(failure),
        },
    };
    if output.is_json() {
        output.object(&answer.to_json(allowed, failure.as_ref()));
        return Ok(code);
    }
    match failure {
        None => {
            let mut page = output.page();
            page.paragraph(&answer.sentence());
            if let Some(missing) = answer.assurance.missing() {
                page.paragraph(&missing.sentence());
            }
            output.show(&page);
            Ok(code)
        }
        Some(failure) if code == Code::Success => {
            // A typo of the caller's is not ignored silently, as in Python.
            let is_slip = requirement.required.suggestion().is_some();
            if is_slip || arguments.on_unknown == OnUnknown::Warn {
                output.warning(&failure.message());
            }
            Ok(code)
        }
        Some(failure) => Err(failure),
    }
}

fn check(
    arguments: &Args,
    requirement: &Requirement,
    context: &Context<'_>,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let session = Session::open(context, &arguments.which)?;
    answer.token = token_json(&session.credential);
    answer.endpoint = session.credential.endpoint.as_str().into();
    answer.warnings.extend_from_slice(&session.warnings);
    let options = token_context::options(arguments.max_age, arguments.wait.timeout);
    answer.assurance = requirement.check(
        &session.client,
        &session.credential,
        session.connection(),
        &options,
        context.interrupt,
    )?;
    answer.warnings.extend(warnings(&answer.assurance));
    session.record_use(context, requirement);
    Ok(())
}

/// Warnings that apply although the result is *yes*.
pub fn warnings(assurance: &Assurance) -> Vec<String> {
    let suggestion = assurance
        .missing()
        .and_then(|missing| missing.suggestion(type_option));
    assurance.stale.iter().cloned().chain(suggestion).collect()
}

fn type_option(similar: &SimilarRepository) -> String {
    format!("--repo-type {}", similar.kind.as_str())
}

/// Checks that `--must-exist` comes with a repository.
///
/// # Errors
///
/// [`Failure::Usage`] if it does not.
pub fn needs_repository(must_exist: bool, repo: Option<&String>) -> Result<(), Failure> {
    if must_exist && repo.is_none() {
        return Err(Failure::Usage(
            "--must-exist needs --repo, the repository that must exist".to_owned(),
        ));
    }
    Ok(())
}

impl Args {
    /// Whether the project's role or repository counts.
    fn uses_defaults(&self) -> bool {
        let needs_role = self.role.is_none() && self.permission.is_none();
        needs_role || (self.repo.is_none() && self.takes_repository())
    }

    /// Whether the project's repository is the target if none is given. Most permissions do not
    /// apply to repositories.
    fn takes_repository(&self) -> bool {
        self.permission.is_none() && self.namespace.is_none() && !self.no_repo
    }

    fn requirement(&self, defaults: &Defaults) -> Result<Requirement, Failure> {
        let required = match &self.permission {
            Some(permission) if !permission.trim().is_empty() => {
                Required::permission_named(permission.trim())?
            }
            Some(_) => return Err(Failure::Usage("the permission is blank".to_owned())),
            None => Required::Role(self.role(defaults)?),
        };
        let repo = self.repo.clone();
        let repo = repo.or_else(|| defaults.repo.clone().filter(|_| self.takes_repository()));
        needs_repository(self.must_exist, repo.as_ref())?;
        Ok(Requirement {
            required,
            repository: repo.map(|repo| (repo, self.repo_type.into())),
            namespace: self.namespace.clone(),
            must_exist: self.must_exist,
            needed_until: None,
        })
    }
}

impl Args {
    /// The role that was given, or else the project's.
    fn role(&self, defaults: &Defaults) -> Result<Role, Failure> {
        if let Some(role) = self.role {
            return Ok(role.into());
        }
        defaults.needed_role()?.ok_or_else(|| {
            Failure::Usage(format!(
                "name a role, or a permission with --permission, or write role = \"write\" into \
                 the project's hubtoken.toml{}",
                defaults.afterthought()
            ))
        })
    }
}

fn target(requirement: &Requirement) -> Option<String> {
    let repository = requirement.repository.as_ref();
    repository
        .map(|(repo, _)| repo.clone())
        .or_else(|| requirement.namespace.clone())
}

/// The verb's output.
struct Answer {
    required: String,
    target: Option<String>,
    token: Value,
    endpoint: Value,
    warnings: Vec<String>,
    assurance: Assurance,
}

impl Answer {
    /// `allowed` is `null` if the result is unknown.
    fn to_json(&self, allowed: Option<bool>, failure: Option<&Failure>) -> Value {
        let not_found = match failure {
            Some(Failure::Core(Error::RepositoryNotFound { similar, .. })) => Some(similar),
            _ => None,
        };
        let exists = self.assurance.exists().or(not_found.map(|_| false));
        let missing = self.assurance.missing().map(|missing| &missing.similar);
        let similar: Vec<Value> = missing
            .or(not_found)
            .iter()
            .flat_map(|similar| similar.iter())
            .map(|similar| json!({ "repo": similar.id, "repo_type": similar.kind.as_str() }))
            .collect();
        json!({
            "allowed": allowed,
            "required": self.required,
            "target": self.target,
            "exists": exists,
            "similar": similar,
            "endpoint": self.endpoint,
            "token": self.token,
            "warnings": self.warnings,
            "error": failure.map(Failure::to_json),
        })
    }

    fn sentence(&self) -> String {
        let text = |name: &str| {
            self.token
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let target = self
            .target
            .as_ref()
            .map_or_else(String::new, |target| format!(" on {target}"));
        format!(
            "allowed: {}{target}, with {} from {}",
            self.required,
            text("mask"),
            text("source")
        )
    }
}
