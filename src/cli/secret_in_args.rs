//! Rejects tokens on the command line.
//!
//! Any user of the machine can read the arguments of a process, and shells write them to their
//! history. No verb therefore takes a token, and the arguments are scanned before they are parsed:
//! an ordinary message about an invalid argument would repeat it.

use std::ffi::OsString;

use crate::sanitize::{contains_secret, contains_token};

/// The message about a command line that contains a token. It does not repeat the token.
pub fn find(arguments: &[OsString]) -> Option<String> {
    let arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    let own = arguments.clone().take_while(|argument| argument != "--");
    let handed_on = arguments.clone().skip_while(|argument| argument != "--");
    // A key of another service may be meant for the command that `run` executes.
    if own.clone().any(|argument| contains_secret(&argument))
        || handed_on
            .into_iter()
            .any(|argument| contains_token(&argument))
    {
        return Some(
            "an argument looks like a token, or like the key of another service. It is not \
             repeated here, but every user of this machine can see the arguments of a process, and \
             the shell keeps them in its history: make a new one and delete that one. Hand a token \
             over in the environment variable HF_TOKEN, or log in with `hubtoken login`"
                .to_owned(),
        );
    }
    // What follows `--` is for the command that `run` executes, with its own options.
    own.into_iter()
        .any(|argument| argument == "--token" || argument.starts_with("--token="))
        .then(|| {
            "there is no --token: every user of this machine can see the arguments of a process. \
             Pass a token in the environment variable HF_TOKEN, or log in with `hubtoken login`"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_seen_wherever_they_stand() {
        for text in [
            "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "--endpoint=https://user:hf_FakeFakeFakeFakeFakeFakeFakeFakeXX@huggingface.co",
            "api_org_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "hf_oauth_eyJhbGciOiJFZERTQSIsInR5cCI6.x.y",
            "hf_jwt_eyJhbGciOiJFZERTQSIsInR5cCI6",
            "hubtoken_admin_FakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFakX",
            "api_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "sk-proj-FakeFakeFakeFakeFakeFakeFakeFake",
            "--color=ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake",
            "--port=sk-ant-api03-FakeFakeFakeFakeFakeFake",
        ] {
            let problem = find(&["hubtoken".into(), text.into()]).unwrap_or_default();
            assert!(problem.contains("looks like a token"), "{text}");
            assert!(
                !problem.contains("Fake") && !problem.contains("eyJ"),
                "{problem}"
            );
        }
        assert!(find(&["--token=x".into()]).is_some_and(|problem| problem.contains("no --token")));
    }

    #[test]
    fn a_command_that_is_run_may_be_given_its_own_key() {
        let key = "--key=sk-proj-FakeFakeFakeFakeFakeFakeFakeFake";
        assert_eq!(
            find(&["run".into(), "--".into(), "x".into(), key.into()]),
            None
        );
        let token = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
        assert!(find(&["run".into(), "--".into(), "x".into(), token.into()]).is_some());
    }

    #[test]
    fn names_are_no_tokens() {
        for text in [
            "require",
            "hf_hub",
            "acme/hf_internal_testing_of_tiny_random_models",
            "hf_****",
        ] {
            assert_eq!(find(&[text.into()]), None, "{text}");
        }
    }
}
