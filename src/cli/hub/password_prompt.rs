//! A new password, typed or piped; never an argument, which everybody on the machine could read.

use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::error::Failure;
use crate::cli::output::Output;

/// The longest standard input that is read, in bytes.
const LONGEST: u64 = 4096;

/// Reads a password: from standard input up to the end of its line, or typed twice without being shown.
///
/// # Errors
///
/// There is no terminal, what was typed differs, or Ctrl-C.
pub fn password(
    from_stdin: bool,
    context: &Context<'_>,
    output: &Output<'_, '_>,
) -> Result<Zeroizing<String>, Failure> {
    if from_stdin {
        let text = context.prompt.read(LONGEST)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains(['\n', '\r', '\0']) {
            return Err(Failure::Usage(
                "standard input holds more than one line: a password is one".to_owned(),
            ));
        }
        return Ok(Zeroizing::new(line.to_owned()));
    }
    output.note("A password has 12 characters or more. What you type is not shown.");
    let ask = |prompt| {
        context.prompt.ask_hidden(prompt)?.ok_or_else(|| {
            Failure::Usage(
                "there is no terminal to ask for the password; hand it over on standard input \
                 with --password-stdin"
                    .to_owned(),
            )
        })
    };
    let first = ask("Password: ")?;
    let second = ask("Once more: ")?;
    if *first == *second {
        Ok(first)
    } else {
        Err(Failure::Usage(
            "the two passwords differ, and nothing was changed".to_owned(),
        ))
    }
}
