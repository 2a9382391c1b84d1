//! Fuzzes the output of a `token_command`: any bytes are parsed or rejected, nothing is made up,
//! and an error repeats none of them.
#![no_main]

use hubtoken_core::resolve::command::parse_output;
use hubtoken_core::resolve::slow_source::SourceAnswer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|output: &[u8]| {
    match parse_output(output) {
        SourceAnswer::Value { text, .. } => {
            let output = std::str::from_utf8(output).expect("a value is text");
            let json = output.trim().starts_with('{');
            assert!(json || output.contains(text.as_str()));
        }
        SourceAnswer::Absent => assert!(output.iter().all(|byte| !byte.is_ascii_graphic())),
        SourceAnswer::Refused => unreachable!("a command has no such answer"),
        SourceAnswer::Failed(problem) => {
            let secret = String::from_utf8_lossy(output);
            let secret = secret.trim();
            assert!(secret.len() < 24 || !problem.contains(secret));
        }
    }
});
