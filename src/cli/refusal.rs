//! Tokens do not belong on a command line.
//!
//! Everybody on the machine can read the arguments of a process, and the shell writes them into
//! its history. So no verb takes a token, and the arguments are looked through before anything
//! else reads them: an ordinary message about a wrong argument would repeat it.

use std::ffi::OsString;

use crate::printable::holds_secret;

/// The problem with a command line that holds a token, in words that do not repeat it.
pub fn find(arguments: &[OsString]) -> Option<String> {
    let arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    if arguments.clone().any(|argument| holds_secret(&argument)) {
        return Some(
            "an argument looks like a token. It is not repeated here, but everybody on this \
             machine can see the arguments of a process, and the shell keeps them in its history: \
             make a new token and delete that one. Hand a token over in the environment variable \
             HF_TOKEN, or log in with `hubtoken login`"
                .to_owned(),
        );
    }
    // What follows `--` is for the command that `run` executes, whose options are its own.
    arguments
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--token" || argument.starts_with("--token="))
        .then(|| {
            "there is no --token: everybody on this machine can see the arguments of a process. \
             Hand a token over in the environment variable HF_TOKEN, or log in with `hubtoken login`"
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
