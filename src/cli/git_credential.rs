//! `hubtoken git-credential`: what git asks for a password.
//!
//! Standard output is git's alone: whatever stands there is taken for an attribute. So there is
//! no JSON here, and problems go to standard error, where git shows them to the user.

use std::ffi::OsString;

use super::context::Context;
use super::error::Failure;
use super::exit_code::Code;
use super::output::Output;
use super::token_context;
use crate::git::helper;
use crate::git::protocol::{self, Attributes, ProtocolError};
use crate::printable::printable;
use crate::resolve::Inputs;

/// What the verb takes.
#[derive(clap::Args)]
#[command(after_help = "\
git runs this; `hubtoken setup-git` tells it to. To see what git would get:

  printf 'url=https://huggingface.co\\n\\n' | git credential fill

`get` answers with the token of the folder it runs in, and only if git speaks to that token's own
Hub; otherwise it answers nothing. `store` and `erase` do nothing: the tokens have a place of their
own.

Exit codes: 0 an answer, or nothing to say; 1 the configuration names a profile that is
not stored; 2 git's question or the configuration makes no sense.")]
pub struct Args {
    /// get, store or erase; anything else does nothing, as git asks of helpers
    operation: String,
}

/// Runs the verb.
///
/// # Errors
///
/// The question is malformed, or the configuration is broken.
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
    answer(&arguments.operation, context, output)
}

/// The verb as a program of its own, which git gives one argument.
///
/// # Errors
///
/// As [`run`]; there is another number of arguments.
pub fn alone(
    operations: &[OsString],
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    let [operation] = operations else {
        return Err(Failure::Usage(
            "git runs this with get, store or erase, and writes its question to standard input; \
             `hubtoken setup-git` tells it to"
                .to_owned(),
        ));
    };
    answer(&operation.to_string_lossy(), context, output)
}

fn answer(
    operation: &str,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Code, Failure> {
    match operation {
        "get" => get(context, output),
        "store" | "erase" => {
            // Read and dropped, so that git is not cut short; what it says changes nothing here.
            let _ = protocol::read(&mut **context.stdin.reader.borrow_mut());
            Ok(Code::Success)
        }
        other => {
            if context.stdin.is_terminal {
                output.note(&format!(
                    "`{}` is nothing that this helper does; it knows get, store and erase",
                    printable(other)
                ));
            }
            Ok(Code::Success)
        }
    }
}

fn get(context: &Context<'_>, output: &Output<'_, '_>) -> Result<Code, Failure> {
    if context.stdin.is_terminal {
        output.note(
            "git runs this and writes its question to standard input: protocol=https, \
             host=huggingface.co, and a blank line",
        );
    }
    let usage = |error: ProtocolError| Failure::Usage(error.to_string());
    let input = protocol::read(&mut **context.stdin.reader.borrow_mut()).map_err(usage)?;
    let asked = Attributes::parse(&input).map_err(usage)?;
    let outside = token_context::shell(context);
    let inputs = Inputs::read(context.environment, context.folder.clone()).with_outside(&outside);
    let answer = helper::get(&asked, &inputs)?;
    for warning in &answer.warnings {
        output.warning(warning);
    }
    if let Some(attributes) = answer.attributes {
        output.bytes(&attributes.encode().map_err(usage)?);
    }
    Ok(Code::Success)
}
