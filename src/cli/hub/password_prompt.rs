//! Reads a new password, typed or piped; never an argument, which every user of the machine could
//! read.

use zeroize::Zeroizing;

use crate::cli::context::{Context, Typed};
use crate::cli::error::Failure;
use crate::cli::output::Output;

/// The maximum length of standard input, in bytes.
const LONGEST: u64 = 4096;

/// Reads a password: the only line of standard input, or typed twice without echo.
///
/// # Errors
///
/// There is no terminal, the two entries differ, or Ctrl-C.
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
                "standard input has more than one line: a password is one line".to_owned(),
            ));
        }
        return Ok(Zeroizing::new(line.to_owned()));
    }
    output.note("A password has 12 characters or more. What you type is not shown.");
    let ask = |prompt| match context.prompt.ask_hidden(prompt)? {
        Typed::Line(line) => Ok(line),
        Typed::End => Err(Failure::Usage(
            "no password was typed, and nothing was changed".to_owned(),
        )),
        Typed::NoTerminal => Err(Failure::Usage(
            "there is no terminal to prompt for the password; pass it on standard input with \
             --password-stdin"
                .to_owned(),
        )),
    };
    let first = ask("Password: ")?;
    let second = ask("Repeat the password: ")?;
    if *first == *second {
        Ok(first)
    } else {
        Err(Failure::Usage(
            "the two passwords differ, and nothing was changed".to_owned(),
        ))
    }
}
