//! `hubtoken git-credential`: answers git's request for a password.
//!
//! Standard output belongs to git, which takes every line on it for an attribute. There is
//! therefore no JSON here, and problems go to standard error, where git shows them to the user.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::credential::{Credential, Renewal};
use crate::expiry::Expiry;
use crate::git::helper::{self, Renew};
use crate::git::protocol::{self, Attributes, ProtocolError};
use crate::oauth::RenewalSettings;
use crate::resolve::Inputs;
use crate::sanitize::redacted;
use crate::token::Token;

/// The verb's arguments.
#[derive(clap::Args)]
#[command(after_help = "\
git runs this after `hubtoken setup-git`. To see what git would get:

  printf 'url=https://huggingface.co\\n\\n' | git credential fill

`get` prints the token of the folder it runs in, or the stored one of the user whom git names, but
only if git is talking to that token's own Hub; otherwise it prints nothing. `store` and `erase` do nothing: hubtoken stores its tokens itself.

Exit codes: 0 a token, or none for this host; 1 the configuration names a profile that is
not stored; 2 git's request or the configuration is invalid.")]
pub struct Args {
    /// get, store or erase; anything else does nothing, as git requires of helpers
    operation: String,
}

/// Runs the verb.
///
/// # Errors
///
/// The request is malformed, or the configuration is broken.
pub fn run(
    arguments: &Args,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    if output.is_json() {
        return Err(Failure::Usage(
            "git-credential speaks git's own protocol, so there is no --json".to_owned(),
        ));
    }
    let client = context.client();
    let renew = |credential: &Arc<Credential>| {
        let settings = || RenewalSettings::read(context.environment);
        let current = client.renewed(credential, settings, context.interrupt)?;
        Ok((current.credential, current.warnings))
    };
    answer(&arguments.operation, context, output, &renew)
}

/// The verb as a standalone program, which git calls with one argument.
///
/// # Errors
///
/// As [`run`], and if the number of arguments differs.
pub fn run_standalone(
    operations: &[OsString],
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let [operation] = operations else {
        return Err(Failure::Usage(
            "git runs this with get, store or erase, and writes its request to standard input; \
             run `hubtoken setup-git` once"
                .to_owned(),
        ));
    };
    let now = context.now.unix_timestamp();
    let renew = |credential: &Arc<Credential>| {
        let is_due = |renewal: &Renewal| renewal.is_due(now);
        let renewed = match credential
            .renewal
            .as_deref()
            .filter(|renewal| is_due(renewal))
        {
            Some(renewal) => renewed_by_the_command(credential, renewal),
            None => None,
        };
        Ok((
            renewed.unwrap_or_else(|| Arc::clone(credential)),
            Vec::new(),
        ))
    };
    answer(&operation.to_string_lossy(), context, output, &renew)
}

/// A token that the complete command, which is installed beside this program, has renewed. `None` if
/// that is not there or fails: git then gets the token that there is, and the Hub decides.
///
/// A renewal needs TLS and HTTP, which would make this program five times as large, for one request
/// in hours. The new value comes through a pipe, and warnings go to standard error as always.
fn renewed_by_the_command(credential: &Credential, renewal: &Renewal) -> Option<Arc<Credential>> {
    let program = std::env::current_exe().ok()?.with_file_name("hubtoken");
    let output = Command::new(program)
        .arg("token")
        .arg(format!("--profile={}", renewal.profile()))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let value = Zeroizing::new(output.stdout);
    let token = Token::parse(std::str::from_utf8(&value).ok()?).ok()??;
    output.status.success().then(|| {
        Arc::new(Credential {
            token,
            source: credential.source.clone(),
            endpoint: credential.endpoint.clone(),
            expires_at: Expiry::UNKNOWN,
            renewal: None,
        })
    })
}

fn answer(
    operation: &str,
    context: &Context<'_>,
    output: &Output<'_, '_>,
    renew: &Renew<'_>,
) -> Result<Code, Failure> {
    match operation {
        "get" => get(context, output, renew),
        "store" | "erase" => {
            // Read and dropped, so that git can finish writing; the contents do not matter.
            let _ = protocol::read(&mut **context.stdin.reader.borrow_mut());
            Ok(Code::Success)
        }
        other => {
            if context.stdin.is_terminal {
                output.note(&format!(
                    "`{}` is not an operation of this helper; it supports get, store and erase",
                    redacted(other)
                ));
            }
            Ok(Code::Success)
        }
    }
}

fn get(context: &Context<'_>, output: &Output<'_, '_>, renew: &Renew<'_>) -> Result<Code, Failure> {
    if context.stdin.is_terminal {
        output.note(
            "git runs this and writes its request to standard input: protocol=https, \
             host=huggingface.co, and a blank line",
        );
    }
    let usage = |error: ProtocolError| Failure::Usage(error.to_string());
    let input = protocol::read(&mut **context.stdin.reader.borrow_mut()).map_err(usage)?;
    let asked = Attributes::parse(&input).map_err(usage)?;
    let host = token_context::local_host(context);
    let inputs = Inputs::read(context.environment, context.folder.clone()).with_host(&host);
    let answer = helper::get(&asked, &inputs, renew)?;
    for warning in &answer.warnings {
        output.warning(warning);
    }
    if let Some(attributes) = answer.attributes {
        output.bytes(&attributes.encode().map_err(usage)?);
    }
    Ok(Code::Success)
}
