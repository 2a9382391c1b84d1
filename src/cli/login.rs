//! `hubtoken login`: stores a token that the Hub accepts.

use std::sync::Arc;

use serde_json::json;

use super::args::{TimeoutArgs, endpoint_or_ambient};
use super::browser::qr_code;
use super::context::{Context, Typed};
use super::error::Failure;
use super::exit_code::Code;
use super::identity::{identity_json, token_json};
use super::output::Output;
use super::require::{RoleName, TypeName};
use super::token_context;
use crate::credential::Credential;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::expiry::Expiry;
use crate::git::own_helpers::{self, Answerer};
use crate::identity::Settings;
use crate::identity::model::Identity;
use crate::login;
use crate::login::browser::{BrowserLogin, BrowserLoginFailure, BrowserSettings, issued_fields};
use crate::repository::RepositoryType;
use crate::requested_access::{RequestedAccess, is_known_user};
use crate::resolve::in_effect::InEffect;
use crate::sanitize::redacted;
use crate::source::Source;
use crate::store::{IssuedFields, name};
use crate::token::Token;

/// The maximum length of standard input, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The verb's arguments.
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command line")]
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hubtoken login                             in the browser, or with a pasted token
  hubtoken login --token-stdin < token.txt
  hubtoken login --name ci --endpoint https://hub.example --token-stdin < token.txt
  hubtoken login --role write --repo acme/model   with a token that can do just that

Without --token-stdin it asks: Enter starts a login in the browser, and a token that is pasted is
not shown. Without a terminal it writes the page's address and the code to standard error, and waits
until the login is approved or the code expires.

With --role, --repo or --permission it opens the Hub's form for a new token instead, filled in with
them, and waits for the token to be pasted. A token that lacks what was asked for is not stored, and
what it can do beyond that is a warning.

The token becomes the active one, unless it belongs to another Hub than HF_ENDPOINT: every library
would send it to the wrong one. With --keyring its value is in the system's keyring, and it is used
by its name (`hubtoken use`, --profile). With --no-verify nothing is asked, so it is stored even if the Hub
cannot be reached, as `unverified` until hubtoken has learned whose it is. `hubtoken setup-git`
makes git ask hubtoken each time, which --add-to-git-credential does not: it gives git's own helper
a copy, as `hf auth login` does. Exit codes: 0 it is stored; 1 the Hub rejects it, or
the login was denied or has expired; 2 wrong usage; 3 the Hub could not be reached, and nothing was
stored.")]
pub struct Args {
    /// Read the token from standard input
    #[arg(long)]
    token_stdin: bool,
    /// The name to store it under, instead of the Hub's name for it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The Hub that the token belongs to
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Store it without asking the Hub about it
    #[arg(long)]
    no_verify: bool,
    /// Store it in the system's keyring instead of the file; it is then used by its name
    #[arg(long, conflicts_with = "add_to_git_credential")]
    keyring: bool,
    /// Give git's own credential helper a copy
    #[arg(long)]
    add_to_git_credential: bool,
    /// Show the address of the login, and open no browser
    #[arg(long)]
    no_browser: bool,
    /// The role that the token is to have
    #[arg(long, value_enum)]
    role: Option<RoleName>,
    /// The repository that it is to have the role on
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
    /// One of the Hub's permissions that it is to have, such as inference.serverless.write; can be
    /// repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Ask even if a token is there, as this verb always does; an option of `hf auth login`
    #[arg(long, hide = true)]
    force: bool,
    #[command(flatten)]
    wait: TimeoutArgs,
}

/// Runs the verb.
///
/// # Errors
///
/// No token, one that the Hub rejects, or files that cannot be written.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let endpoint = endpoint_or_ambient(arguments.endpoint.as_deref(), context.environment)?;
    if let Some(name) = &arguments.name {
        name::check(name)?;
    }
    let requested = arguments.requested()?;
    let token_store = token_context::token_store(context)?.saving_in_keyring(arguments.keyring);
    token_store.check_home()?;
    if let Some(warning) = context.resolver.insecure_warning(&endpoint) {
        output.warning(&warning);
    }
    let given = match &requested {
        Some(requested) if !arguments.token_stdin => {
            let is_user = |name: &str| is_known_user(&token_store, &endpoint, name);
            let page = requested.page(&endpoint, is_user);
            read_requested(arguments, context, output, requested, &page)?
        }
        _ => read(arguments, context, output, &endpoint)?,
    };
    let credential = Arc::new(Credential {
        token: given.token,
        source: given.source,
        endpoint,
        expires_at: Expiry::default(),
        renewal: None,
    });
    let mut warnings: Vec<String> = credential.pasted_line_warning().into_iter().collect();
    let identity = identify(arguments, context, &credential)?;
    if let Some(requested) = &requested {
        warnings.extend(check_requested(
            arguments,
            context,
            requested,
            &credential,
            identity.as_deref(),
        )?);
    }
    let saved = login::store_issued(
        &token_store,
        &credential,
        given.issued.as_ref(),
        identity.as_deref(),
        arguments.name.as_deref(),
        arguments.add_to_git_credential,
    )?;
    let shadow = token_context::shadow(context, "takes precedence over the active token", "");
    warnings.extend(saved.warnings.iter().cloned());
    warnings.extend(shadow.filter(|_| saved.active));
    let git = arguments
        .add_to_git_credential
        .then(|| own_helpers::give(context.environment, &credential.endpoint, &credential.token))
        .and_then(|given| given.map_err(|warning| warnings.push(warning)).ok());
    for warning in &warnings {
        output.warning(warning);
    }
    let in_effect = token_context::in_effect(context).ok();
    if output.is_json() {
        let is_active = |in_effect: &InEffect| in_effect.is(&credential.token);
        output.object(&json!({
            "name": redacted(&saved.name),
            "active": in_effect.as_ref().is_some_and(is_active),
            "selected": saved.active,
            "keyring": arguments.keyring,
            "verified": saved.record.verified,
            "stored_in": token_store.path().map(|path| path.display().to_string()),
            "git_helper": git.as_ref().and_then(own_helper),
            "endpoint": credential.endpoint.as_str(),
            "token": token_json(&credential),
            "identity": identity.as_deref().map(identity_json),
            "warnings": warnings,
            "error": null,
        }));
        return Ok(Code::Success);
    }
    let mut page = output.page();
    page.paragraph(&login::outcome(
        context.environment,
        &token_store,
        &credential,
        identity.as_deref(),
        &saved,
        in_effect.as_ref(),
    ));
    if let Some(git) = git {
        page.paragraph(&git.describe());
    }
    output.show(&page);
    Ok(Code::Success)
}

/// Asks the Hub whose the token is; `None` with `--no-verify`.
fn identify(
    arguments: &Args,
    context: &Context<'_>,
    credential: &Arc<Credential>,
) -> Result<Option<Arc<Identity>>, Failure> {
    if arguments.no_verify {
        credential.check_sendable()?;
        return Ok(None);
    }
    let client = context.client();
    let connection = client.connect(&credential.endpoint, &Settings::read(context.environment));
    let answer = client.identify(
        credential,
        &connection,
        &token_context::fresh(arguments.wait.timeout),
        context.interrupt,
    );
    match answer {
        Ok(answer) => Ok(Some(answer.identity)),
        Err(failure) => {
            let error = failure.into_error(credential);
            Err(login::nothing_stored(error, "`hubtoken login --no-verify`").into())
        }
    }
}

/// Checks that the token has what was asked for, before it is stored.
fn check_requested(
    arguments: &Args,
    context: &Context<'_>,
    requested: &RequestedAccess,
    credential: &Arc<Credential>,
    identity: Option<&Identity>,
) -> Result<Vec<String>, Error> {
    let Some(identity) = identity else {
        return Ok(vec![requested.unchecked()]);
    };
    let client = context.client();
    let connection = client.connect(&credential.endpoint, &Settings::read(context.environment));
    requested.check(
        &client,
        credential,
        &connection,
        &token_context::options(None, arguments.wait.timeout),
        identity,
        context.interrupt,
    )
}

fn own_helper(answerer: &Answerer) -> Option<&str> {
    match answerer {
        Answerer::OwnHelper(helper) => Some(helper),
        Answerer::Hubtoken => None,
    }
}

/// The token to store.
struct Given {
    token: Token,
    source: Source,
    /// What came with it, if it was issued for this login.
    issued: Option<IssuedFields>,
}

impl Given {
    /// A token that the user handed over.
    fn parse(text: &str, source: Source) -> Result<Self, Failure> {
        let what = source.describe();
        let token = Token::parse(text)
            .map_err(|error| error.context(&what))?
            .ok_or_else(|| Error::TokenFormat(format!("{what}: no token was given")))?;
        Ok(Self {
            token,
            source,
            issued: None,
        })
    }
}

impl Args {
    fn requested(&self) -> Result<Option<RequestedAccess>, Error> {
        let repository = self.repo.clone();
        let repository = repository.map(|text| (text, RepositoryType::from(self.repo_type)));
        RequestedAccess::new(self.role.map(Into::into), repository, &self.permissions)
    }
}

/// Has the user create a token with the access that was asked for, and paste it.
fn read_requested(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    requested: &RequestedAccess,
    page: &str,
) -> Result<Given, Failure> {
    if context.stdin.is_terminal {
        output.instruction(&format!(
            "{}. It is not shown.",
            requested.instruction(page)
        ));
        let can_open = BrowserSettings::read(context.environment).can_open();
        if can_open && !arguments.no_browser {
            // The address is shown already.
            let _ = context.browser.open(page);
        }
    }
    match context.prompt.ask_hidden("Token: ")? {
        Typed::Line(text) => Given::parse(&text, Source::Typed),
        Typed::End => Given::parse("", Source::Typed),
        Typed::NoTerminal => Err(Failure::Usage(format!(
            "there is no terminal to prompt for the token; create it at {page} and pass it on \
             standard input with --token-stdin"
        ))),
    }
}

fn read(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    endpoint: &Endpoint,
) -> Result<Given, Failure> {
    if arguments.token_stdin {
        let text = context.prompt.read(LONGEST)?;
        return Given::parse(&text, Source::StandardInput);
    }
    let can_prompt = context.stdin.is_terminal;
    if can_prompt {
        output.note(&format!(
            "Press Enter to log in with the browser, or create a token at {} and paste it. It is \
             not shown.",
            login::tokens_page(endpoint)
        ));
    }
    match context.prompt.ask_hidden("Token: ")? {
        Typed::Line(text) if !text.trim().is_empty() => Given::parse(&text, Source::Typed),
        Typed::Line(_) => browser_login(arguments, context, output, endpoint, true),
        Typed::End => Given::parse("", Source::Typed),
        // A program reads the object, and nobody the address.
        Typed::NoTerminal if output.is_json() => Err(no_terminal(context, endpoint, "")),
        Typed::NoTerminal => browser_login(arguments, context, output, endpoint, false),
    }
}

/// Logs in with the browser.
fn browser_login(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    endpoint: &Endpoint,
    has_prompt: bool,
) -> Result<Given, Failure> {
    if arguments.keyring {
        return Err(Failure::Usage(login::no_browser_login_in_keyring(
            endpoint,
            "paste it, or pass it on standard input with --token-stdin",
        )));
    }
    let settings = BrowserSettings::read(context.environment);
    let client = context.client();
    let login = match BrowserLogin::begin(&client, endpoint, &settings, context.interrupt) {
        Ok(login) => login,
        Err(BrowserLoginFailure::Failed(error)) => return Err(error.into()),
        Err(BrowserLoginFailure::Unsupported(_)) => {
            let why = format!(", and {endpoint} has no login by browser");
            return Err(if has_prompt {
                let what = Source::Typed.describe();
                Error::TokenFormat(format!("{what}: no token was given{why}")).into()
            } else {
                no_terminal(context, endpoint, &why)
            });
        }
    };
    for line in login.instructions() {
        output.instruction(&line);
    }
    output.picture(|width| qr_code(&login, endpoint, width));
    if has_prompt && settings.can_open() && !arguments.no_browser {
        // The address is shown already.
        let _ = context.browser.open(login.address());
    }
    output.instruction("Waiting for the approval in the browser. Ctrl-C gives up.");
    let began = context.pace.now();
    let answer = login.wait(context.pace, context.interrupt, &mut |_| {
        output.progress(Some("."));
        Ok(())
    });
    output.progress(None);
    let answer = answer?;
    let now = context.now + (context.pace.now() - began);
    let issued = issued_fields(&answer, now.unix_timestamp());
    Ok(Given {
        token: answer.access_token,
        source: Source::Browser,
        issued: Some(issued),
    })
}

fn no_terminal(context: &Context<'_>, endpoint: &Endpoint, why: &str) -> Failure {
    let in_effect = token_context::in_effect(context).ok();
    let present = in_effect.and_then(|found| login::already(&found, endpoint));
    Failure::Usage(format!(
        "there is no terminal to prompt for the token{why}; create one at {} and pass it on standard \
         input with --token-stdin{}",
        login::tokens_page(endpoint),
        present.unwrap_or_default()
    ))
}
