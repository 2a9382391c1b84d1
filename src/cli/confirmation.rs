//! Asks before something is done that cannot be undone.

use super::context::Context;
use super::error::Failure;
use super::output::Output;

/// The longest answer to the question, in bytes.
const LONGEST_ANSWER: usize = 100;

/// Asks at the terminal. `verb` is what is done without a question with `--yes`, and `undone` what has
/// not happened if the answer is not yes.
///
/// # Errors
///
/// [`Failure::Usage`] without a terminal, or if the answer is not yes.
pub fn confirm(
    context: &Context<'_>,
    output: &Output<'_, '_>,
    question: &str,
    (verb, undone): (&str, &str),
) -> Result<(), Failure> {
    let refused = |why: &str| Failure::Usage(format!("{why}. {undone}"));
    if !context.stdin.is_terminal {
        return Err(refused(&format!(
            "there is no terminal to ask whether to {verb}; --yes does it without a question"
        )));
    }
    output.instruction(&format!("{question} [y/N]"));
    let mut reader = context.stdin.reader.borrow_mut();
    let mut answer = Vec::new();
    let mut byte = [0];
    while answer.len() < LONGEST_ANSWER && matches!(reader.read(&mut byte), Ok(1)) {
        if byte[0] == b'\n' {
            break;
        }
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).trim().to_ascii_lowercase();
    if matches!(&*answer, "y" | "yes") {
        Ok(())
    } else {
        Err(refused("the answer was not yes"))
    }
}
